"""Whether what one tenant's graph holds still fits the schema that its domains declare: it was checked when written, by the schema then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.errors import GraphSchemaError
from rejoinder.graph import reading
from rejoinder.graph.records import relation_of
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.values import Entity, Relation

if TYPE_CHECKING:
    from rejoinder.graph.space import Space

__all__ = ["Checked", "check"]

_BATCH: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a look at the whole graph found.

    Attributes:
        checked: entities and relations that were looked at.
        misfits: how many of them do not fit.
        reasons: why, of the first.
    """

    checked: int
    misfits: int
    reasons: tuple[str, ...]


def check(space: Space, schema: GraphSchema, *, limit: int = 100) -> Checked:
    """Look at each entity and relation, in order of ids; changes nothing.

    Args:
        limit: most reasons that are kept.
    Raises:
        GraphUnavailableError, GraphError: the server failed.
    """
    checked = 0
    wrong: list[str] = []
    ids = sorted(row[0] for row in space.read(f"MATCH (n:{space.entity}) RETURN n.id"))
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        for entity in reading.entities(space, batch).values():
            checked += 1
            wrong += _misfit(schema, entity)
        rows = space.read(
            f"UNWIND $ids AS id MATCH (a:{space.entity} {{id: id}})-[r]->(b:{space.entity}) "
            "RETURN a.id, type(r), b.id, properties(r), a.kind, b.kind",
            ids=batch,
        )
        for row in sorted(rows, key=lambda row: (row[0], row[1], row[2])):
            checked += 1
            wrong += _misfit(schema, relation_of(row[3], row[0], row[1], row[2]), row[4], row[5])
    return Checked(checked=checked, misfits=len(wrong), reasons=tuple(wrong[:limit]))


def _misfit(schema: GraphSchema, one: Entity | Relation, *kinds: str) -> list[str]:
    try:
        if isinstance(one, Entity):
            schema.check_entity(one)
        else:
            schema.check_relation(one)
            schema.check_ends(one, *kinds)
    except GraphSchemaError as error:
        return [str(error)]
    return []
