"""Relation paths as Cypher: where they lead, in how many ways, over whom, and what numbers are known of those found."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.errors import InvalidInputError
from rejoinder.graph.answering.aggregates import number_of
from rejoinder.graph.names import normalised
from rejoinder.graph.records import loaded
from rejoinder.graph.storable import KIND_PATTERN
from rejoinder.graph.values import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rejoinder.graph.space import Space
    from rejoinder.graph.values import RelationPath

MOST_FOUND: Final = 10_000
"""Most entities that a walk gives; counts of more say "more than"."""

_MOST_WALKS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entity, found at the end of a path or meant by a question.

    Attributes:
        ways: from how many entities before the last step it is reached: of how many of a director's films a genre is.
        before: the id of one of these.
    """

    id: str
    kind: str
    name: str
    ways: int = 1
    before: str = ""


def walk(
    space: Space,
    start: str,
    path: RelationPath,
    *,
    limit: int = 1000,
    over: Mapping[int, Collection[str]] | None = None,
) -> tuple[Found, ...]:
    """Return the entities at the end of a path, those reached in the most ways first, then by name; the start is left out at each step.

    Args:
        limit: most entities, 1 to `MOST_FOUND` + 1.
        over: the ids of the entities that may be passed after a step (1: the first); None: all.

    Raises:
        GraphUnavailableError, GraphQueryError: see `Space.read`.
    """
    last = len(path)
    over = over or {}
    lines = [
        *_steps(space, path, over),
        f"RETURN n{last}.id AS id, n{last}.kind AS kind, n{last}.name AS name, "
        f"count(DISTINCT n{last - 1}.id) AS ways, min(n{last - 1}.id) AS before",
        "ORDER BY ways DESC, name, id LIMIT $limit",
    ]
    rows = space.read("\n".join(lines), start=start, limit=min(max(limit, 1), MOST_FOUND + 1), **_kept(over))
    return tuple(Found(**dict(row)) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One way along a path.

    Attributes:
        names: of the entities passed, both ends included.
        sources: who said so of the last step.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...] = ()


def walks_to(
    space: Space,
    start: str,
    path: RelationPath,
    ends: Sequence[Found],
    *,
    over: Mapping[int, Collection[str]] | None = None,
) -> dict[str, Walk]:
    """Return one walk along a path to each of some entities that `walk` found, by their ids.

    Args:
        over: as `walk` had it.
    """
    over = over or {}
    last = len(path)
    lines = [
        f"UNWIND $pairs AS pair MATCH (n{last - 1}:{space.entity} {{id: pair[0]}})",
        f"MATCH {_arrow(path[-1], f'n{last - 1}', f'n{last}:{space.entity} {{id: pair[1]}}', 'r')}",
    ]
    for number in range(last - 1, 0, -1):
        before = f"n0:{space.entity} {{id: $start}}" if number == 1 else f"n{number - 1}:{space.entity}"
        lines.append(f"MATCH {_arrow(path[number - 1], before, f'n{number}')}" + _passing(number, over))
    names = ", ".join(f"n{number}.name" for number in range(last + 1))
    lines.append(f"RETURN pair[1], {names}, r.sources ORDER BY {names} LIMIT {_MOST_WALKS}")
    found: dict[str, Walk] = {}
    pairs = [[one.before, one.id] for one in ends]
    for row in space.read("\n".join(lines), start=start, pairs=pairs, **_kept(over)):
        id_, *passed, sources = row.values()
        found.setdefault(id_, Walk(names=tuple(passed), sources=tuple(sources or ())))
    return found


def steps_at(space: Space, ids: Sequence[str]) -> dict[str, frozenset[Step]]:
    """Return the steps that each of these entities can take: the names of its relations, and whether it is their object."""
    found: dict[str, set[Step]] = defaultdict(set)
    for inverse, arrow in ((False, "-[r]->"), (True, "<-[r]-")):
        rows = space.read(
            f"{_each(space)} MATCH (n){arrow}(:{space.entity}) RETURN DISTINCT n.id AS id, type(r) AS name",
            ids=list(ids),
        )
        for row in rows:
            found[row["id"]].add(Step(relation=row["name"], inverse=inverse))
    return {one: frozenset(found[one]) for one in ids}


def shared_values(space: Space, names: Sequence[str]) -> list[tuple[Found, int]]:
    """Return the entities with these names to which relations lead, with how many; those of the first name first."""
    rows = space.read(
        f"UNWIND range(0, size($texts) - 1) AS place MATCH (m:{space.name} {{text: $texts[place]}}) "
        f"MATCH (n:{space.entity} {{id: m.entity}})<-[r]-() "
        "RETURN n.id AS id, n.kind AS kind, n.name AS name, place, count(r) AS shared ORDER BY place, shared DESC, id",
        texts=[normalised(name) for name in names],
    )
    return [(Found(id=row["id"], kind=row["kind"], name=row["name"]), row["shared"]) for row in rows]


def related_to(space: Space, ids: Sequence[str], other: str) -> frozenset[str]:
    """Return which of these entities are joined to another by any relation."""
    rows = space.read(
        f"{_each(space)} MATCH (n)--(o:{space.entity} {{id: $other}}) RETURN DISTINCT n.id AS id",
        ids=list(ids),
        other=other,
    )
    return frozenset(row["id"] for row in rows)


def names_of_values(space: Space, ids: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return what is known of some of these entities: the names of their own properties, and of relations that lead away from them."""
    properties = space.read(f"{_each(space)} UNWIND keys(n) AS name RETURN DISTINCT name", ids=list(ids))
    relations = steps_at(space, ids)
    leading = {step.relation for steps in relations.values() for step in steps if not step.inverse}
    return frozenset(row["name"] for row in properties), frozenset(leading)


def numbers_of(space: Space, ids: Sequence[str], name: str, *, relation: bool = False) -> dict[str, float]:
    """Return the number that each of some entities has; the largest of several.

    Args:
        name: of a property, or of a relation that leads away from them: then the number is the name of where it leads.
    """
    if relation:
        arrow = _arrow(Step(relation=name), "n", f"v:{space.entity}")
        rows = space.read(f"{_each(space)} MATCH {arrow} RETURN n.id AS id, v.name AS value", ids=list(ids))
    else:
        rows = space.read(f"{_each(space)} RETURN n.id AS id, n[$name] AS value", ids=list(ids), name=name)
    numbers: dict[str, float] = {}
    for row in rows:
        number = number_of(loaded(row["value"]))
        if number is not None:
            numbers[row["id"]] = max(number, numbers.get(row["id"], number))
    return numbers


def leading_to(space: Space, start: str, ends: Sequence[str], *, max_hops: int) -> dict[RelationPath, int]:
    """Return the relation paths that lead from an entity to any of some others, with how many of these they reach.

    They are looked for from both ends, so that it takes as long as the smaller of them has relations.

    Args:
        max_hops: length of the longest path, 1 to 3.
    """
    found: dict[RelationPath, int] = {}
    label = space.entity
    hop, names = "", []
    for number in range(1, max_hops + 1):
        hop += f"-[r{number}]-(n{number}:{label})"
        names += [f"type(r{number}) AS t{number}", f"startNode(r{number}).id = n{number - 1}.id AS f{number}"]
        passing = "".join(f" AND n{one}.id <> $start" for one in range(1, number + 1))
        rows = space.read(
            f"MATCH (n0:{label} {{id: $start}}){hop} WHERE n{number}.id IN $ends{passing} "
            f"RETURN DISTINCT {', '.join(names)}, count(DISTINCT n{number}.id) AS reached ORDER BY reached DESC LIMIT 200",
            start=start,
            ends=list(ends),
        )
        for row in rows:
            path = tuple(Step(relation=row[f"t{one}"], inverse=not row[f"f{one}"]) for one in range(1, number + 1))
            found[path] = row["reached"]
    return found


def names_of(space: Space) -> list[tuple[str, str]]:
    """Return (id, name) of all entities of a graph."""
    return [
        (row["id"], row["name"]) for row in space.read(f"MATCH (n:{space.entity}) RETURN n.id AS id, n.name AS name")
    ]


def triples_of(space: Space) -> list[tuple[str, str, str]]:
    """Return all relations of a graph as (subject, relation, object) by ids, for a `Snapshot`."""
    rows = space.read(f"MATCH (a:{space.entity})-[r]->(b:{space.entity}) RETURN a.id AS a, type(r) AS r, b.id AS b")
    return [(row["a"], row["r"], row["b"]) for row in rows]


def _each(space: Space) -> str:
    """Return the start of a query that looks up each of `$ids` by the index."""
    return f"UNWIND $ids AS each MATCH (n:{space.entity} {{id: each}})"


def _steps(space: Space, path: RelationPath, over: Collection[int]) -> list[str]:
    """Return clauses that go along a path step by step, each from the different entities that the one before reached."""
    lines = [f"MATCH (n0:{space.entity} {{id: $start}})"]
    for number, step in enumerate(path, start=1):
        if number > 1:
            lines.append(f"WITH DISTINCT n{number - 1}")
        lines.append(
            f"MATCH {_arrow(step, f'n{number - 1}', f'n{number}:{space.entity}')} WHERE n{number}.id <> $start"
            + _passing(number, over, "AND")
        )
    return lines


def _passing(number: int, over: Collection[int], word: str = "WHERE") -> str:
    """Return the condition on the entity after a step; `_kept` has its parameters."""
    return f" {word} n{number}.id IN $over{number}" if number in over else ""


def _kept(over: Mapping[int, Collection[str]]) -> dict[str, list[str]]:
    return {f"over{number}": sorted(ids) for number, ids in over.items()}


def _arrow(step: Step, before: str, after: str, name: str = "") -> str:
    if not re.fullmatch(KIND_PATTERN, step.relation):
        raise InvalidInputError(
            f"{step.relation[:200]!r} is no name of a relation: expected letters a to z, digits and '_', a letter first"
        )
    left, right = ("<-", "-") if step.inverse else ("-", "->")
    return f"({before}){left}[{name}:`{step.relation}`]{right}({after})"
