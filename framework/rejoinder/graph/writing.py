"""Entities and relations, written to one tenant's graph in batches.

An upsert says what an entity or relation is: kind, name, aliases, description and properties are replaced as a whole, sources are united
(`rejoinder.graph.provenance`). Upserting the same again changes nothing, and many may upsert at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import GraphSchemaError, InvalidInputError
from rejoinder.graph.batches import Counts, EntityBatches, Key, RelationBatches
from rejoinder.graph.names import split_id
from rejoinder.graph.provenance import said_by, tidied, together, united
from rejoinder.graph.schema import THING, GraphSchema
from rejoinder.graph.storable import check_source, check_time, relation_place, shown
from rejoinder.graph.values import Entity, Relation

if TYPE_CHECKING:
    from rejoinder.graph.space import Space

__all__ = ["MAX_BATCH", "Counts", "Refused", "WriteReport", "Writer", "upsert"]

MAX_BATCH: Final = 10_000
_MAX_CHARS: Final = 4_000_000
"""Characters of descriptions and properties that are sent at once."""
_KNOWN: Final = 500_000
"""Ids of which a writer remembers the kind."""
_IDS_A_QUERY: Final = 5000

Refused = Callable[[Relation, Any, GraphSchemaError], None]
"""Told of a relation that cannot be written, with what was handed over with it, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """What an upsert changed."""

    entities: Counts = field(default_factory=Counts)
    relations: Counts = field(default_factory=Counts)

    @property
    def changed(self) -> int:
        """How many entities and relations were created or updated."""
        return sum(one.created + one.updated for one in (self.entities, self.relations))


def upsert(
    space: Space,
    schema: GraphSchema,
    entities: Iterable[Entity] = (),
    relations: Iterable[Relation] = (),
    *,
    source: str | None,
    time: datetime | None = None,
    bare: bool = False,
    batch: int = 1000,
    progress: Callable[[int], None] | None = None,
) -> WriteReport:
    """Write entities, then relations between them or others that are there.

    Args:
        source: who says so; None: each says its own `sources`, and nothing is added.
        time: when, for those that say no time themselves, with a time zone.
        bare: whether entities that relations name and that are not there are made of their ids: "person:Mel Gibson" becomes
            a person of that name. Never one of a kind with required properties: such must be there.
        batch: how many are written in one transaction, 1 to 10,000.
        progress: told how many more are written, after each batch.
    Raises:
        GraphSchemaError: one does not fit the schema or cannot be stored, or a relation's end is not there. Batches before it are written.
        InvalidInputError: `batch` is out of range.
        GraphUnavailableError, GraphError: the server failed. What is written stays; upserting all of it again completes it.
    """
    writer = Writer(space, schema, source=source, time=time, bare=bare, batch=batch, progress=progress)
    for entity in entities:
        writer.add_entity(entity)
    writer.flush()
    for relation in relations:
        writer.add_relation(relation)
    return writer.close()


class Writer:
    """Collects entities and relations, checks them, and writes them batch by batch; entities before the relations that need them.

    Args:
        refused: told of relations that turn out not to fit when their batch is written; None: that raises.
        source, time, bare, batch, progress: as of `upsert`.
    """

    def __init__(
        self,
        space: Space,
        schema: GraphSchema,
        *,
        source: str | None,
        time: datetime | None = None,
        bare: bool = False,
        batch: int = 1000,
        progress: Callable[[int], None] | None = None,
        refused: Refused | None = None,
    ) -> None:
        if source is not None:
            check_source(source)
        check_time(time)
        if isinstance(batch, bool) or not 1 <= batch <= MAX_BATCH:
            raise InvalidInputError(f"batch: got {batch}, expected 1 to {MAX_BATCH}")
        self._space = space
        self._schema = schema
        self._source = source
        self._time = time
        self._bare = bare
        self._batch = batch
        self._progress = progress
        self._refused = refused
        self._entities: dict[str, Entity] = {}
        self._bare_ids: set[str] = set()
        self._chars = 0
        self._relations: dict[str, dict[Key, tuple[Relation, Any]]] = {}
        self._waiting = 0
        self._kinds: dict[str, str] = {}
        self._told: set[tuple[str, tuple[str, ...]]] = set()
        self._to_entities = EntityBatches(space)
        self._to_relations: dict[str, RelationBatches] = {}
        self._report = WriteReport()

    def add_entity(self, entity: Entity) -> None:
        """Take an entity, and write a batch when there is one.

        Raises:
            GraphSchemaError: it does not fit; nothing of it is taken.
            GraphUnavailableError, GraphError: as of `upsert`.
        """
        entity = said_by(entity, self._source, self._time)
        self._schema.check_entity(entity)
        self._take(tidied(entity), bare=False)

    def add_relation(self, relation: Relation, *, ends: tuple[Entity, Entity] | None = None, row: Any = None) -> None:
        """Take a relation, and write a batch when there is one.

        Args:
            ends: what to make of its subject and object where they are not there; None: as `bare` says.
            row: handed to `refused` with it.

        Raises:
            GraphSchemaError: it does not fit, which is also found later, when its batch is written.
            GraphUnavailableError, GraphError: as of `upsert`.
        """
        relation = said_by(relation, self._source, self._time)
        self._schema.check_relation(relation)
        relation = tidied(relation)
        if self._bare and ends is None:
            ends = self._bare_ends(relation)
        for end in ends or ():
            self._add_bare(end, relation)
        waiting = self._relations.setdefault(relation.name, {})
        key = (relation.subject, relation.object)
        before = waiting.get(key)
        if before is not None:
            relation = together(before[0], relation)
            self._waiting -= 1
        waiting[key] = (relation, row)
        self._waiting += 1
        self._chars += _weight(relation)
        if len(waiting) >= self._batch:
            self._write_relations(relation.name)
        elif self._waiting >= 16 * self._batch or self._chars > _MAX_CHARS:
            self._write_relations(max(self._relations, key=lambda name: len(self._relations[name])))

    def flush(self) -> None:
        """Write all that was taken.

        Raises:
            GraphSchemaError, GraphUnavailableError, GraphError: as of `upsert`.
        """
        self._write_entities()
        for name in sorted(self._relations):
            self._write_relations(name)

    def close(self) -> WriteReport:
        """Write what is left, and return what was changed.

        Raises:
            GraphSchemaError, GraphUnavailableError, GraphError: as of `upsert`.
        """
        self.flush()
        return self._report

    def _add_bare(self, end: Entity, relation: Relation) -> None:
        told = (end.id, relation.sources)
        if told in self._told or not self._schema.may_be_bare(end.kind):
            return
        end = replace(end, sources=relation.sources, time=relation.time, confidence=relation.confidence)
        self._schema.check_entity(end)
        if len(self._told) >= _KNOWN:
            self._told.clear()
        self._told.add(told)
        self._take(end, bare=True)

    def _bare_ends(self, relation: Relation) -> tuple[Entity, Entity]:
        declared = self._schema.relation(relation.name)
        return (
            self._bare_end(relation.subject, declared.domain if declared else ()),
            self._bare_end(relation.object, declared.range if declared else ()),
        )

    def _bare_end(self, id: str, allowed: tuple[str, ...]) -> Entity:  # noqa: A002
        kind, name = split_id(id)
        if name and (kind in self._schema.kinds or kind == THING):
            return Entity(id=id, kind=kind, name=name)
        if len(allowed) != 1 and not self._schema.open:
            raise GraphSchemaError(
                f"entity {shown(id)}: its kind is not known; begin its id with a kind, as in 'kind:name'"
            )
        return Entity(id=id, kind=allowed[0] if len(allowed) == 1 else THING, name=id)

    def _take(self, entity: Entity, *, bare: bool) -> None:
        waiting = self._entities.get(entity.id)
        if waiting is None:
            if bare:
                self._bare_ids.add(entity.id)
        elif entity.id in self._bare_ids and not bare:
            self._bare_ids.discard(entity.id)
            entity = replace(entity, sources=united(waiting.sources, entity.sources))
        else:
            entity = together(waiting, entity, bare=bare)
        self._entities[entity.id] = entity
        self._chars += _weight(entity)
        if len(self._entities) >= self._batch or self._chars > _MAX_CHARS:
            self._write_entities()

    def _write_entities(self) -> None:
        if not self._entities:
            return
        batch, bare = self._entities, frozenset(self._bare_ids)
        self._entities, self._bare_ids, self._chars = {}, set(), 0
        settled = self._to_entities.settle(batch, bare)
        if len(self._kinds) + len(batch) > _KNOWN:
            self._kinds.clear()
        self._kinds.update((id_, entity.kind) for id_, entity in settled.there.items())
        self._report = replace(self._report, entities=self._report.entities + settled.counts)
        self._tell(len(batch))

    def _write_relations(self, name: str) -> None:
        self._write_entities()
        waiting = self._relations.pop(name, None)
        if not waiting:
            return
        self._waiting -= len(waiting)
        self._chars = 0
        batch = self._with_ends(waiting)
        if batch:
            settled = self._to_relations.setdefault(name, RelationBatches(self._space, name)).settle(batch)
            for key in sorted(settled.gone):
                self._refuse(*waiting[key], self._dangling(waiting[key][0], key[0]))
            self._report = replace(self._report, relations=self._report.relations + settled.counts)
        self._tell(len(waiting))

    def _with_ends(self, waiting: dict[Key, tuple[Relation, Any]]) -> dict[Key, Relation]:
        """The relations whose ends are there and of kinds that fit."""
        kinds = self._kinds_of({id_ for key in waiting for id_ in key})
        batch = {}
        for key, (relation, row) in waiting.items():
            missing = next((id_ for id_ in key if id_ not in kinds), None)
            try:
                if missing is not None:
                    raise self._dangling(relation, missing)
                self._schema.check_ends(relation, kinds[key[0]], kinds[key[1]])
            except GraphSchemaError as error:
                self._refuse(relation, row, error)
                continue
            batch[key] = relation
        return batch

    def _kinds_of(self, ids: set[str]) -> dict[str, str]:
        kinds = {id_: self._kinds[id_] for id_ in ids if id_ in self._kinds}
        unknown = sorted(ids - kinds.keys())
        for start in range(0, len(unknown), _IDS_A_QUERY):
            rows = self._space.read(
                f"UNWIND $ids AS id MATCH (n:{self._space.entity} {{id: id}}) RETURN n.id, n.kind",
                ids=unknown[start : start + _IDS_A_QUERY],
            )
            kinds.update((row[0], row[1]) for row in rows)
        if len(self._kinds) + len(unknown) > _KNOWN:
            self._kinds.clear()
        self._kinds.update(kinds)
        return kinds

    def _dangling(self, relation: Relation, id: str) -> GraphSchemaError:  # noqa: A002
        return GraphSchemaError(
            f"{relation_place(relation)}: there is no entity {shown(id)}; write it first, or let bare entities be made"
        )

    def _refuse(self, relation: Relation, row: Any, error: GraphSchemaError) -> None:
        if self._refused is None:
            raise error
        self._refused(relation, row, error)

    def _tell(self, more: int) -> None:
        if self._progress is not None:
            self._progress(more)


def _weight(one: Entity | Relation) -> int:
    weight = 0 if isinstance(one, Relation) else len(one.description)
    for value in one.properties.values():
        if isinstance(value, str):
            weight += len(value)
        elif isinstance(value, tuple | list):
            weight += sum(len(part) if isinstance(part, str) else 8 for part in value)
    return weight
