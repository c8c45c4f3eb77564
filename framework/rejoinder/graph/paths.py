"""How two entities are connected: the shortest ways between them, found from both ends.

What is around either end is read level by level, always on the side where less is to be read, so that an entity with very many
relations is reached from its neighbours and seldom read itself. All ways of up to `max_hops` relations are in what was read.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, overload

from rejoinder.errors import InvalidInputError
from rejoinder.graph.reading import check_limit, entities
from rejoinder.graph.records import relation_of
from rejoinder.graph.values import Path, Relation

if TYPE_CHECKING:
    from rejoinder.graph.space import Space

__all__ = ["Paths", "paths"]

_MAX_HOPS: Final = 4
_MAX_PATHS: Final = 100
_PER_ENTITY: Final = 1000
"""Relations of one entity that are read."""
_PER_LEVEL: Final = 20_000
"""Relations that are read at one distance from an end."""
_TIME_S: Final = 3.0
"""After so long nothing more is read."""


@dataclass(frozen=True, slots=True)
class Paths(Sequence[Path]):
    """Paths, shortest first.

    Attributes:
        truncated: whether there may be more, or shorter ones through entities with very many relations.
    """

    found: tuple[Path, ...]
    truncated: bool = False

    @overload
    def __getitem__(self, place: int) -> Path: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Path, ...]: ...

    def __getitem__(self, place: int | slice) -> Path | tuple[Path, ...]:
        return self.found[place]

    def __len__(self) -> int:
        return len(self.found)


class _Edge(NamedTuple):
    """A relation as it is met from one of its ends."""

    relation: str
    out: bool
    there: str


class _Side:
    """What was read around one end."""

    def __init__(self, end: str) -> None:
        self.depth = 0
        self.frontier = [end]
        self.seen = {end}
        self.met = 1
        """Relations met at the last level: about the work of the next."""


def paths(space: Space, start: str, end: str, *, max_hops: int = 3, limit: int = 10) -> Paths:
    """Return ways from one entity to another on which none is met twice, shortest first, then by the relations and ids on the way.

    Relations are followed in both directions. Entities with more than 1,000 relations are read in part, and reading ends after
    three seconds: then what was found is given, as truncated.

    Args:
        max_hops: most relations of a path, 1 to 4.
        limit: most paths, 1 to 100.
    Raises:
        InvalidInputError: an argument is out of range.
    """
    check_limit(limit, most=_MAX_PATHS)
    if not 1 <= max_hops <= _MAX_HOPS:
        raise InvalidInputError(f"max_hops: got {max_hops}, expected 1 to {_MAX_HOPS}")
    if start == end:
        return Paths(())
    known: dict[str, set[_Edge]] = defaultdict(set)
    sides = (_Side(start), _Side(end))
    give_up = time.monotonic() + _TIME_S
    partly = False
    found: list[list[tuple[str, _Edge]]] = []
    for hops in range(1, max_hops + 1):
        side = min(sides, key=lambda one: one.met)
        partly |= _widen(space, side, known)
        found = list(_walks(known, start, end, hops, limit + 1))
        if len(found) > limit or not side.frontier:
            break
        if time.monotonic() > give_up:
            partly |= hops < max_hops
            break
    return Paths(_filled(space, start, found[:limit]), truncated=partly or len(found) > limit)


def _widen(space: Space, side: _Side, known: dict[str, set[_Edge]]) -> bool:
    """Read one level more of a side; return whether something was left out."""
    rows = space.read(
        f"UNWIND $ids AS id MATCH (a:{space.entity} {{id: id}}) "
        f"CALL {{ WITH a MATCH (a)-[r]-(b:{space.entity}) WITH a, r, b LIMIT $each "
        "RETURN type(r) AS name, startNode(r) = a AS out, b.id AS there } "
        "RETURN id, name, out, there LIMIT $all",
        ids=side.frontier,
        each=_PER_ENTITY,
        all=_PER_LEVEL,
    )
    of: dict[str, int] = defaultdict(int)
    new: dict[str, None] = {}
    for here, name, out, there in rows:
        of[here] += 1
        known[here].add(_Edge(name, out, there))
        known[there].add(_Edge(name, not out, here))
        if there not in side.seen:
            new[there] = None
    side.seen.update(new)
    side.frontier = sorted(new)
    side.depth += 1
    side.met = len(rows)
    return len(rows) >= _PER_LEVEL or any(count >= _PER_ENTITY for count in of.values())


def _walks(
    known: dict[str, set[_Edge]], start: str, end: str, most: int, limit: int
) -> Iterator[list[tuple[str, _Edge]]]:
    """Yield ways of up to `most` relations among the known ones, as the entities left and the relations taken."""
    left = _distances(known, end, most)
    if start not in left:
        return
    count = 0

    def go(here: str, way: list[tuple[str, _Edge]], hops: int) -> Iterator[list[tuple[str, _Edge]]]:
        if here == end:
            if hops == 0:
                yield list(way)
            return
        met = {one for one, _ in way}
        fitting = (
            edge
            for edge in known[here]
            if edge.there != here and edge.there not in met and left.get(edge.there, hops) <= hops - 1
        )
        for edge in sorted(fitting):
            way.append((here, edge))
            yield from go(edge.there, way, hops - 1)
            way.pop()

    for hops in range(left[start], most + 1):
        for way in go(start, [], hops):
            yield way
            count += 1
            if count >= limit:
                return


def _distances(known: dict[str, set[_Edge]], end: str, most: int) -> dict[str, int]:
    """How many known relations each entity is away from the end, as far as `most`."""
    left = {end: 0}
    waiting = deque([end])
    while waiting:
        here = waiting.popleft()
        if left[here] < most:
            for edge in known[here]:
                if edge.there not in left:
                    left[edge.there] = left[here] + 1
                    waiting.append(edge.there)
    return left


def _filled(space: Space, start: str, found: Sequence[list[tuple[str, _Edge]]]) -> tuple[Path, ...]:
    """Read the entities and relations of ways; those that somebody has deleted meanwhile fall out."""
    if not found:
        return ()
    there = entities(space, [start, *(edge.there for way in found for _, edge in way)])
    known = _relations(space, [step for way in found for step in way])
    filled = []
    for way in found:
        ids = [start, *(edge.there for _, edge in way)]
        keys = [_key(*step) for step in way]
        if all(one in there for one in ids) and all(key in known for key in keys):
            filled.append(Path(entities=tuple(there[one] for one in ids), relations=tuple(known[key] for key in keys)))
    return tuple(filled)


def _relations(space: Space, steps: Iterable[tuple[str, _Edge]]) -> dict[tuple[str, str, str], Relation]:
    keys = list(dict.fromkeys(_key(*step) for step in steps))
    rows = space.read(
        f"UNWIND $keys AS key MATCH (a:{space.entity} {{id: key[0]}}) MATCH (b:{space.entity} {{id: key[2]}}) "
        "MATCH (a)-[r]->(b) WHERE type(r) = key[1] RETURN key, properties(r)",
        keys=[list(key) for key in keys],
    )
    return {(row[0][0], row[0][1], row[0][2]): relation_of(row[1], *row[0]) for row in rows}


def _key(here: str, edge: _Edge) -> tuple[str, str, str]:
    return (here, edge.relation, edge.there) if edge.out else (edge.there, edge.relation, here)
