"""What is taken out of one tenant's graph: what a source said, single entities, or all of it.

Each works in batches, so that no transaction is large; interrupted, it is completed by calling it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.graph.storable import check_source

if TYPE_CHECKING:
    from rejoinder.graph.connection import Run
    from rejoinder.graph.space import Space

__all__ = ["Deleted", "clear", "delete_entities", "delete_source", "forget_entities", "forget_relations"]

_BATCH: Final = 1000
_ONLY: Final = "{0}.sources = [$source]"
_ALSO: Final = "$source IN {0}.sources AND size({0}.sources) > 1"
_WITHOUT: Final = "SET {0}.sources = [one IN {0}.sources WHERE one <> $source] RETURN count(*)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What was deleted.

    Attributes:
        entities, relations: how many are gone; relations of entities that are gone among them.
        kept: how many entities and relations only lost the source, since others say so too.
    """

    entities: int = 0
    relations: int = 0
    kept: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        """Return both together."""
        return Deleted(
            entities=self.entities + other.entities,
            relations=self.relations + other.relations,
            kept=self.kept + other.kept,
        )


def delete_source(space: Space, source: str) -> Deleted:
    """Take back all that a source said: what no other says is gone; the rest stays as it is, without the source.

    An entity that is gone takes its relations with it, whoever says those.

    Raises:
        GraphSchemaError: this cannot be the name of a source.
        GraphUnavailableError, GraphError: the server failed; what is deleted stays so.
    """
    check_source(source)
    entity = space.entity
    everything = sorted(row[0] for row in space.read(f"MATCH (n:{entity}) RETURN n.id"))
    deleted = forget_relations(space, everything, source)
    there = space.read(f"MATCH (n:{entity}) WHERE $source IN n.sources RETURN n.id", source=source)
    return deleted + _forget_entities(space, sorted(row[0] for row in there), source)


def forget_entities(space: Space, ids: Iterable[str], source: str) -> Deleted:
    """Take back what a source said of these entities and of the relations that start at them, as `delete_source` does of everything.

    Ids that are not there are passed over.

    Raises:
        GraphSchemaError, GraphUnavailableError, GraphError: as of `delete_source`.
    """
    wanted = sorted(set(ids))
    return forget_relations(space, wanted, source) + _forget_entities(space, wanted, source)


def forget_relations(space: Space, ids: Iterable[str], source: str) -> Deleted:
    """Take back what a source said of the relations that start at these entities.

    Raises:
        GraphSchemaError, GraphUnavailableError, GraphError: as of `delete_source`.
    """
    check_source(source)
    deleted = Deleted()
    for batch in _batches(sorted(set(ids))):
        deleted += _forget_relations(space, batch, source)
    return deleted


def delete_entities(space: Space, ids: Iterable[str]) -> Deleted:
    """Delete entities with their names, vectors and relations; ids that are not there are passed over.

    Raises:
        GraphUnavailableError, GraphError: the server failed; what is deleted stays so.
    """
    deleted = Deleted()
    for batch in _batches(sorted(set(ids))):
        deleted += _delete(space, batch)
    return deleted


def clear(space: Space) -> Deleted:
    """Delete all that the tenant's graph holds; its indexes stay.

    Raises:
        GraphUnavailableError, GraphError: the server failed; what is deleted stays so.
    """
    entity = space.entity
    deleted = Deleted()
    while gone := _count(space, f"MATCH (:{entity})-[r]->() WITH r LIMIT $batch DELETE r RETURN count(*)"):
        deleted += Deleted(relations=gone)
    for label in sorted(
        space.owned_labels(), key=lambda label: label == entity
    ):  # entities last: the rest hangs on them
        if label == space.migration:
            continue
        while gone := _count(space, f"MATCH (n:{label}) WITH n LIMIT $batch DETACH DELETE n RETURN count(*)"):
            deleted += Deleted(entities=gone if label == entity else 0)
    return deleted


def _delete(space: Space, ids: list[str], *, only: str = "", source: str | None = None) -> Deleted:
    """Delete entities and what belongs to them in one transaction; `only` says which of them."""
    entity = space.entity
    attached = [label for label in space.owned_labels() if label not in (entity, space.migration, space.audit)]

    def work(run: Run) -> Deleted:
        given: dict[str, Any] = {"ids": ids, "source": source}
        match = f"UNWIND $ids AS id MATCH (n:{entity} {{id: id}}) {only}"
        there = [row[0] for row in run(f"{match} RETURN n.id", given)]
        given = {"ids": there, "source": source}
        relations = run(
            f"UNWIND $ids AS id MATCH (:{entity} {{id: id}})-[r]-() WITH DISTINCT r DELETE r RETURN count(*)", given
        )
        for label in attached:
            run(f"UNWIND $ids AS id MATCH (m:{label} {{entity: id}}) DETACH DELETE m", given)
        gone = run(f"{match} DETACH DELETE n RETURN count(*)", given)
        return Deleted(entities=gone[0][0], relations=relations[0][0])

    return space.transact(work)


def _forget_entities(space: Space, ids: Sequence[str], source: str) -> Deleted:
    """Take back what a source said of entities: those that nobody else speaks of are gone."""
    deleted = Deleted()
    for batch in _batches(ids):
        match = f"UNWIND $ids AS id MATCH (n:{space.entity} {{id: id}}) WHERE {_ALSO.format('n')}"
        rows = space.write(f"{match} {_WITHOUT.format('n')}", ids=batch, source=source)
        deleted += Deleted(kept=rows[0][0])
        deleted += _delete(space, batch, only=f"WHERE {_ONLY.format('n')}", source=source)
    return deleted


def _forget_relations(space: Space, ids: list[str], source: str) -> Deleted:
    """Take back what a source said of the relations that start at entities."""
    match = f"UNWIND $ids AS id MATCH (:{space.entity} {{id: id}})-[r]->(:{space.entity}) WHERE"
    given = {"ids": ids, "source": source}

    def work(run: Run) -> Deleted:
        gone = run(f"{match} {_ONLY.format('r')} DELETE r RETURN count(*)", given)
        kept = run(f"{match} {_ALSO.format('r')} {_WITHOUT.format('r')}", given)
        return Deleted(relations=gone[0][0], kept=kept[0][0])

    return space.transact(work)


def _count(space: Space, cypher: str) -> int:
    return int(space.write(cypher, batch=_BATCH)[0][0])


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    return (list(ids[start : start + _BATCH]) for start in range(0, len(ids), _BATCH))
