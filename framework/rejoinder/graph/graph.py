"""One tenant's knowledge graph: what is written to it, asked of it, and merged in it.

All methods block; in a turn they are reached through `Context.graph`. Each is thread-safe, and sees and changes this tenant's part only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from rejoinder.graph.values import Entity, Hit, Link, Neighbourhood, Relation, RelationPath

if TYPE_CHECKING:
    from rejoinder.graph.deletion import Deleted
    from rejoinder.graph.duplicates import MergeProposal
    from rejoinder.graph.embedding import Vectors
    from rejoinder.graph.linking import Linker
    from rejoinder.graph.loading import Format, LoadReport, Progress
    from rejoinder.graph.merging import AuditEntry
    from rejoinder.graph.paths import Paths
    from rejoinder.graph.querying import QueryResult
    from rejoinder.graph.reading import Edge, GraphStats
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.graph.space import Space
    from rejoinder.graph.writing import WriteReport
    from rejoinder.models.learner import FloatArray

__all__ = ["Graph"]


class Graph:
    """The graph of one tenant.

    Args:
        space: the tenant's part of the server.
        schema: what may be written.
        encode: gives the vectors of texts, (n, dim) float32; without it there is no `embed` and no search by meaning.
        encoder_hash: names the encoder; vectors of different encoders are kept apart.
    """

    def __init__(
        self,
        space: Space,
        schema: GraphSchema,
        *,
        encode: Callable[[Sequence[str]], FloatArray] | None = None,
        encoder_hash: str | None = None,
    ) -> None:
        self.space = space
        self.schema = schema
        self.encode = encode
        self.encoder_hash = encoder_hash

    @property
    def tenant(self) -> str:
        """The tenant's id."""
        return self.space.tenant

    # Writing

    def upsert(
        self,
        entities: Iterable[Entity] = (),
        relations: Iterable[Relation] = (),
        *,
        source: str | None,
        time: datetime | None = None,
        bare: bool = False,
        batch: int = 1000,
        progress: Callable[[int], None] | None = None,
    ) -> WriteReport:
        """Write entities and relations; see `rejoinder.graph.writing.upsert`."""
        from rejoinder.graph import writing

        return writing.upsert(
            self.space,
            self.schema,
            entities,
            relations,
            source=source,
            time=time,
            bare=bare,
            batch=batch,
            progress=progress,
        )

    def load(
        self,
        path: FilePath,
        *,
        source: str | None,
        format: Format | None = None,  # noqa: A002
        time: datetime | None = None,
        rejects: FilePath | None = None,
        bare: bool = False,
        batch: int = 1000,
        progress: Progress | None = None,
    ) -> LoadReport:
        """Write what a file holds; see `rejoinder.graph.loading.load`."""
        from rejoinder.graph import loading

        return loading.load(
            self.space,
            self.schema,
            path,
            source=source,
            format=format,
            time=time,
            rejects=rejects,
            bare=bare,
            batch=batch,
            progress=progress,
        )

    def load_frame(
        self,
        entities: Any = None,
        relations: Any = None,
        *,
        source: str | None,
        time: datetime | None = None,
        rejects: FilePath | None = None,
        bare: bool = False,
        batch: int = 1000,
        progress: Progress | None = None,
    ) -> LoadReport:
        """Write the rows of DataFrames (pandas or polars); see `rejoinder.graph.loading.load_frame`."""
        from rejoinder.graph import loading

        return loading.load_frame(
            self.space,
            self.schema,
            entities,
            relations,
            source=source,
            time=time,
            rejects=rejects,
            bare=bare,
            batch=batch,
            progress=progress,
        )

    def delete_source(self, source: str) -> Deleted:
        """Take back all that a source said; what no other source says is gone."""
        from rejoinder.graph import deletion

        return deletion.delete_source(self.space, source)

    def delete_entities(self, ids: Iterable[str]) -> Deleted:
        """Delete entities and the relations at them; ids that are not there are passed over."""
        from rejoinder.graph import deletion

        return deletion.delete_entities(self.space, ids)

    def forget_entities(self, ids: Iterable[str], *, source: str) -> Deleted:
        """Take back what a source said of entities; see `rejoinder.graph.deletion.forget_entities`."""
        from rejoinder.graph import deletion

        return deletion.forget_entities(self.space, ids, source)

    def forget_relations(self, ids: Iterable[str], *, source: str) -> Deleted:
        """Take back what a source said of the relations that start at entities."""
        from rejoinder.graph import deletion

        return deletion.forget_relations(self.space, ids, source)

    def clear(self) -> Deleted:
        """Delete all that this tenant's graph holds."""
        from rejoinder.graph import deletion

        return deletion.clear(self.space)

    def export(self, path: FilePath, *, format: Format, progress: Callable[[int], None] | None = None) -> int:  # noqa: A002
        """Write the graph to files that `load` reads; return how many rows; see `rejoinder.graph.export.export`."""
        from rejoinder.graph import export

        return export.export(self.space, self.schema, path, format=format, progress=progress)

    def embed(self, *, progress: Callable[[int], None] | None = None) -> int:
        """Give vectors to all entities that lack one or changed since; return how many got one.

        Args:
            progress: told how many more are done, after each batch.
        Raises:
            InvalidInputError: this graph has no encoder.
            GraphUnavailableError: the server cannot be reached; what is done stays.
        """
        return self.vectors.embed(progress=progress)

    # Asking

    def entity(self, id: str) -> Entity | None:  # noqa: A002
        """Return an entity; None: there is none of this id."""
        from rejoinder.graph import reading

        return reading.entity(self.space, id)

    def entities(self, ids: Iterable[str]) -> dict[str, Entity]:
        """Return the entities among these ids that are there, by id, in the order asked."""
        from rejoinder.graph import reading

        return reading.entities(self.space, ids)

    def named(self, text: str, *, kinds: Sequence[str] = (), limit: int = 100) -> tuple[Entity, ...]:
        """Return the entities that have this name or alias, however it is written; see `rejoinder.graph.reading.named`."""
        from rejoinder.graph import reading

        return reading.named(self.space, text, kinds=kinds, limit=limit)

    def search(self, text: str, *, limit: int = 10, kinds: Sequence[str] = ()) -> tuple[Hit, ...]:
        """Return the entities that have words of a text, best first; see `rejoinder.graph.search.search`."""
        from rejoinder.graph import search

        return search.search(self.space, text, limit=limit, kinds=kinds)

    def similar(
        self, text_or_vector: str | FloatArray | Sequence[float], *, limit: int = 10, kinds: Sequence[str] = ()
    ) -> tuple[Hit, ...]:
        """Return the entities whose vectors are closest to that of a text, or to a vector (dim,), best first.

        Scores are (1 + cosine) / 2.

        Raises:
            InvalidInputError: there is no encoder, no entity has a vector yet (`embed`), or the vector's length is wrong.
        """
        from rejoinder.graph import search

        return search.similar(self.vectors, text_or_vector, limit=limit, kinds=kinds)

    def link(
        self, text: str, *, context: Sequence[str] = (), kinds: Sequence[str] = (), limit: int = 5
    ) -> tuple[Link, ...]:
        """Return the entities that a text speaks of, best first; see `rejoinder.graph.linking.Linker.link`.

        Args:
            context: ids of entities that were spoken of before, latest first: what "it" and "they" may mean.
            kinds: only these; none: all.
            limit: most links, 1 to 100.
        """
        return self._linker.link(text, context=context, kinds=kinds, limit=limit)

    def neighbourhood(
        self,
        id: str,  # noqa: A002
        *,
        hops: int = 1,
        limit: int = 50,
        relations: Sequence[str] = (),
    ) -> Neighbourhood:
        """Return what lies around an entity, nearest first; see `rejoinder.graph.reading.neighbourhood`."""
        from rejoinder.graph import reading

        return reading.neighbourhood(self.space, id, hops=hops, limit=limit, relations=relations)

    def relations_from(self, ids: Iterable[str], *, each: int = 200) -> tuple[Edge, ...]:
        """Return the relations that start at entities; see `rejoinder.graph.reading.relations_from`."""
        from rejoinder.graph import reading

        return reading.relations_from(self.space, ids, each=each)

    def paths(self, start: str, end: str, *, max_hops: int = 3, limit: int = 10) -> Paths:
        """Return how two entities are connected, shortest first; see `rejoinder.graph.paths.paths`."""
        from rejoinder.graph import paths

        return paths.paths(self.space, start, end, max_hops=max_hops, limit=limit)

    def follow(self, start: str, path: RelationPath, *, limit: int = 1000) -> tuple[Entity, ...]:
        """Return where a relation path leads from an entity; see `rejoinder.graph.reading.follow`."""
        from rejoinder.graph import reading

        return reading.follow(self.space, start, path, limit=limit)

    def count(self, *, kind: str | None = None) -> int:
        """Return how many entities there are, or how many of a kind."""
        from rejoinder.graph import reading

        return reading.count(self.space, kind=kind)

    def stats(self) -> GraphStats:
        """Return how many entities of each kind and relations of each name there are; reads the whole graph."""
        from rejoinder.graph import reading

        return reading.stats(self.space)

    def query(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = 5.0,
        max_rows: int = 1000,
    ) -> QueryResult:
        """Run Cypher that a user or a plugin wrote, read-only; see `rejoinder.graph.querying.query`."""
        from rejoinder.graph import querying

        return querying.query(self.space, cypher, parameters, timeout_s=timeout_s, max_rows=max_rows)

    # Merging

    def propose_merges(self, *, limit: int = 100, kinds: Sequence[str] = ()) -> tuple[MergeProposal, ...]:
        """Return pairs of entities that may be the same, likeliest first; see `rejoinder.graph.duplicates.propose_merges`."""
        from rejoinder.graph import duplicates

        return duplicates.propose_merges(self.space, self.vectors, limit=limit, kinds=kinds)

    def merge(self, keep: str, drop: str, *, by: str, reason: str) -> AuditEntry:
        """Make one entity of two; see `rejoinder.graph.merging.merge`."""
        from rejoinder.graph import merging

        return merging.merge(self.space, keep, drop, by=by, reason=reason)

    def reject_merge(self, first: str, second: str, *, by: str, reason: str) -> AuditEntry:
        """Remember that two entities are not the same: they are not proposed again."""
        from rejoinder.graph import merging

        return merging.reject(self.space, first, second, by=by, reason=reason)

    def undo_merge(self, entry: str, *, by: str) -> AuditEntry:
        """Make two entities of one again, by the id of the merge's entry; see `rejoinder.graph.merging.undo`."""
        from rejoinder.graph import merging

        return merging.undo(self.space, entry, by=by)

    def audit(self, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        """Return what was merged, rejected and undone, by whom and why, latest first."""
        from rejoinder.graph import merging

        return merging.audit(self.space, limit=limit)

    @cached_property
    def vectors(self) -> Vectors:
        """The vectors of this graph's entities by its encoder."""
        from rejoinder.graph.embedding import Vectors

        return Vectors(self.space, encode=self.encode, encoder_hash=self.encoder_hash)

    @cached_property
    def _linker(self) -> Linker:
        from rejoinder.graph.linking import Linker

        return Linker(self.space, self.schema, self.vectors)
