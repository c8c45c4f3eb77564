"""Entities and what is around them, read from one tenant's graph.

Every list is ordered by what it holds, so that both servers give the same. Of an entity with more relations than `SCANNED` only so many
are looked at, those that the server comes to first: the answer stays quick, and says that it is truncated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rejoinder.errors import InvalidInputError
from rejoinder.graph.names import normalised
from rejoinder.graph.records import entity_of, relation_of
from rejoinder.graph.storable import KIND_PATTERN, shown
from rejoinder.graph.values import Entity, Neighbourhood, Relation, RelationPath

if TYPE_CHECKING:
    from rejoinder.graph.space import Space

__all__ = [
    "MAX_LIMIT",
    "SCANNED",
    "Edge",
    "GraphStats",
    "check_limit",
    "count",
    "entities",
    "entity",
    "follow",
    "named",
    "neighbourhood",
    "relations_from",
    "stats",
    "types",
]

MAX_LIMIT: Final = 1000
MAX_HOPS: Final = 3
MAX_STEPS: Final = 4
MAX_FOLLOWED: Final = 100_000
SCANNED: Final = 2000
"""Relations of one entity that are looked at for a neighbourhood."""

_IDS_A_QUERY: Final = 5000
_TYPE: Final = re.compile(KIND_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStats:
    """How much a graph holds.

    Attributes:
        kinds: entities by kind, most first.
        relations: relations by name, most first.
    """

    entities: int
    relations: int
    kinds: Mapping[str, int]
    relation_names: Mapping[str, int]


class Edge(NamedTuple):
    """A relation as it is met from its subject: ids of both ends, and what the object is called and is."""

    subject: str
    relation: str
    object: str
    name: str
    kind: str


def entity(space: Space, id: str) -> Entity | None:  # noqa: A002
    """Return an entity; None: there is none of this id."""
    rows = space.read(f"MATCH (e:{space.entity} {{id: $id}}) RETURN properties(e)", id=id)
    return entity_of(rows[0][0]) if rows else None


def entities(space: Space, ids: Iterable[str]) -> dict[str, Entity]:
    """Return the entities among these ids that are there, by id, in the order asked."""
    wanted = list(dict.fromkeys(ids))
    found = {}
    for start in range(0, len(wanted), _IDS_A_QUERY):
        rows = space.read(
            f"UNWIND $ids AS id MATCH (e:{space.entity} {{id: id}}) RETURN properties(e)",
            ids=wanted[start : start + _IDS_A_QUERY],
        )
        found.update({row[0]["id"]: entity_of(row[0]) for row in rows})
    return {one: found[one] for one in wanted if one in found}


def named(space: Space, text: str, *, kinds: Sequence[str] = (), limit: int = 100) -> tuple[Entity, ...]:
    """Return the entities that have this name or alias, however case, accents' encoding and punctuation are written.

    Those called so come before those that have it as an alias; then by kind and id.

    Args:
        kinds: only these; none: all.
        limit: most entities, 1 to 1000.
    """
    check_limit(limit)
    rows = space.read(
        f"MATCH (n:{space.name} {{text: $text}}) MATCH (e:{space.entity} {{id: n.entity}}) "
        "WHERE size($kinds) = 0 OR e.kind IN $kinds "
        "WITH e, min(CASE WHEN n.alias THEN 1 ELSE 0 END) AS alias, e.kind AS kind, e.id AS id "
        "ORDER BY alias, kind, id LIMIT $limit RETURN properties(e)",
        text=normalised(text),
        kinds=list(kinds),
        limit=limit,
    )
    return tuple([entity_of(row[0]) for row in rows])


def relations_from(space: Space, ids: Iterable[str], *, each: int = 200) -> tuple[Edge, ...]:
    """Return the relations that start at these entities, by subject, relation and object.

    Args:
        each: most relations of one entity; of more, those that the server comes to first.
    """
    found: list[Edge] = []
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), _IDS_A_QUERY):
        rows = space.read(
            f"UNWIND $ids AS id MATCH (a:{space.entity} {{id: id}}) "
            f"CALL {{ WITH a MATCH (a)-[r]->(b:{space.entity}) WITH r, b LIMIT $each "
            "RETURN type(r) AS relation, b.id AS object, b.name AS name, b.kind AS kind } "
            "RETURN id, relation, object, name, kind",
            ids=wanted[start : start + _IDS_A_QUERY],
            each=each,
        )
        found += [Edge(*row.values()) for row in rows]
    return tuple(sorted(found))


def neighbourhood(
    space: Space,
    id: str,  # noqa: A002
    *,
    hops: int = 1,
    limit: int = 50,
    relations: Sequence[str] = (),
) -> Neighbourhood:
    """Return what lies around an entity, nearest first, then by relation, direction and id; nothing where there is no such entity.

    The relations at an entity come before those at its neighbours, up to the limit; each is given once.

    Args:
        hops: how far away, 1 to 3.
        limit: most relations, 1 to 1000.
        relations: only relations of these names are followed; none: all.
    Raises:
        InvalidInputError: hops, limit or a relation's name is out of range.
    """
    check_limit(limit)
    if not 1 <= hops <= MAX_HOPS:
        raise InvalidInputError(f"hops: got {hops}, expected 1 to {MAX_HOPS}")
    first = space.read(
        f"MATCH (a:{space.entity} {{id: $id}}) "
        f"OPTIONAL MATCH (a)-[r{types(relations)}]-(b:{space.entity}) WITH a, r, b LIMIT $scanned "
        "WITH a, r, b, type(r) AS name, startNode(r) = a AS out, b.id AS other ORDER BY name, out, other LIMIT $rows "
        "RETURN properties(a), name, out, properties(r), properties(b)",
        id=id,
        rows=limit + 1,
        scanned=SCANNED,
    )
    if not first:
        return Neighbourhood(entities=(), relations=())
    around = {id: entity_of(first[0][0])}
    found: dict[tuple[str, str, str], Relation] = {}
    rows = [(id, *row.values()[1:]) for row in first] if first[0][1] is not None else []
    truncated = len(rows) > limit
    _take(rows[:limit], around, found)
    done = [id]
    for _ in range(1, hops):
        frontier = [one for one in around if one not in done]
        if truncated or not frontier:
            break
        room = limit - len(found)
        more = space.read(
            f"UNWIND $frontier AS id MATCH (a:{space.entity} {{id: id}}) "
            f"CALL {{ WITH a MATCH (a)-[r{types(relations)}]-(b:{space.entity}) WITH a, r, b LIMIT $scanned "
            "WITH a, r, b, type(r) AS name, startNode(r) = a AS out, b.id AS other "
            "WHERE NOT other IN $done AND (NOT other IN $frontier OR a.id <= other) "
            "RETURN r, b, name, out, other ORDER BY name, out, other LIMIT $rows } "
            "WITH id, name, out, r, b LIMIT $rows RETURN id, name, out, properties(r), properties(b)",
            frontier=frontier,
            done=done,
            rows=room + 1,
            scanned=SCANNED // 4,
        )
        truncated = len(more) > room
        done = list(around)
        _take(more[:room], around, found)
    return Neighbourhood(entities=tuple(around.values()), relations=tuple(found.values()), truncated=truncated)


def follow(space: Space, start: str, path: RelationPath, *, limit: int = 1000) -> tuple[Entity, ...]:
    """Return where a relation path leads from an entity, distinct; first what most walks lead to, then by name and id.

    The start itself is left out at each step, so that (directed_by, ^directed_by) gives the other films of a film's directors.

    Args:
        path: 1 to 4 steps.
        limit: most entities, 1 to 100,000.
    Raises:
        InvalidInputError: the path is empty, too long, or has a name that no relation can have; or the limit is out of range.
        GraphQueryError: it leads to so many that the server's time ran out.
    """
    check_limit(limit, most=MAX_FOLLOWED)
    if not 1 <= len(path) <= MAX_STEPS:
        raise InvalidInputError(f"path: got {len(path)} steps, expected 1 to {MAX_STEPS}")
    parts = [f"MATCH (e0:{space.entity} {{id: $start}}) WITH e0, 1 AS walks "]
    for place, step in enumerate(path):
        walked = f"-[{types((step.relation,))}]-"
        walked = f"<{walked}" if step.inverse else f"{walked}>"
        here, there = f"e{place}", f"e{place + 1}"
        parts.append(
            f"MATCH ({here}){walked}({there}:{space.entity}) WHERE {there}.id <> $start "
            f"WITH {there}, sum(walks) AS walks "
        )
    last = f"e{len(path)}"
    parts.append(f"ORDER BY walks DESC, {last}.name, {last}.id LIMIT $limit RETURN properties({last})")
    rows = space.read("".join(parts), start=start, limit=limit)
    return tuple([entity_of(row[0]) for row in rows])


def count(space: Space, *, kind: str | None = None) -> int:
    """Return how many entities there are, or how many of a kind."""
    if kind is None:
        rows = space.read(f"MATCH (e:{space.entity}) RETURN count(e)")
    else:
        rows = space.read(f"MATCH (e:{space.entity} {{kind: $kind}}) RETURN count(e)", kind=kind)
    return int(rows[0][0])


def stats(space: Space) -> GraphStats:
    """Return how many entities of each kind and relations of each name there are; reads the whole graph."""
    kinds = space.read(
        f"MATCH (e:{space.entity}) WITH e.kind AS kind, count(*) AS n RETURN kind, n ORDER BY n DESC, kind"
    )
    relations = space.read(
        f"MATCH (:{space.entity})-[r]->(:{space.entity}) WITH type(r) AS name, count(*) AS n "
        "RETURN name, n ORDER BY n DESC, name"
    )
    return GraphStats(
        entities=sum(row[1] for row in kinds),
        relations=sum(row[1] for row in relations),
        kinds={row[0]: row[1] for row in kinds},
        relation_names={row[0]: row[1] for row in relations},
    )


def types(relations: Sequence[str]) -> str:
    """Return the part of a pattern that says which relations fit, such as ":directed_by|written_by"; "" for any.

    Raises:
        InvalidInputError: a name is none that a relation can have.
    """
    for name in relations:
        if not isinstance(name, str) or not _TYPE.fullmatch(name):
            raise InvalidInputError(f"{shown(name)} is no name of a relation: expected {KIND_PATTERN}")
    return f":{'|'.join(relations)}" if relations else ""


def check_limit(limit: int, *, most: int = MAX_LIMIT) -> None:
    """Check a limit.

    Raises:
        InvalidInputError: it is below 1 or above the most.
    """
    if not 1 <= limit <= most:
        raise InvalidInputError(f"limit: got {limit}, expected 1 to {most}")


def _take(
    rows: Iterable[Sequence[Any]], around: dict[str, Entity], found: dict[tuple[str, str, str], Relation]
) -> None:
    """Add rows of id, relation's name, whether it leads away, its properties, and the properties of the other entity."""
    for id_, name, out, relation, other in rows:
        there = other["id"]
        subject, object_ = (id_, there) if out else (there, id_)
        found[subject, name, object_] = relation_of(relation, subject, name, object_)
        if there not in around:
            around[there] = entity_of(other)
