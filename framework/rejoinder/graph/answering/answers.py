"""From readings and ranked paths to an answer, or to none: the likeliest path that leads anywhere is followed."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.errors import InvalidInputError
from rejoinder.graph.answering.aggregates import attribute_named, number_of, picked
from rejoinder.graph.answering.paths import MAX_HOPS, parse_path, path_text
from rejoinder.graph.answering.walking import (
    MOST_FOUND,
    Found,
    Walk,
    names_of_values,
    numbers_of,
    related_to,
    steps_at,
    walk,
    walks_to,
)
from rejoinder.graph.answering.zero_shot import closest, phrases
from rejoinder.graph.storable import RESERVED

if TYPE_CHECKING:
    from rejoinder.graph.answering.aggregates import Bound
    from rejoinder.graph.answering.readings import Reading
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.graph.values import RelationPath, Step
    from rejoinder.models.learner import FloatArray, Prediction

THRESHOLD: Final = 0.35
"""Confidence below which the graph "doesn't know"."""

_SURE: Final = 0.9
"""A path that the ranker gives at least this much is not weighed against what the topic has: where it leads nowhere, nothing is known."""

_MOST_TRIED: Final = 8
_SAMPLE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A reading with a path for it; `score` is the probability that both are meant, in [0, 1]."""

    reading: Reading
    path: RelationPath
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphAnswer:
    """What the graph says.

    Attributes:
        text: the answer in words.
        confidence: probability that the question was understood, in [0, 1].
        candidate: how it was understood.
        entities: what was found, best first; of a count or a list, those that are named.
        total: how many there are; `more` says that there are even more.
        walks: how they are reached, one for each of the first entities; see `walking.Walk`.
    """

    text: str
    confidence: float
    candidate: Candidate
    entities: tuple[Found, ...]
    total: int
    more: bool = False
    walks: tuple[Walk, ...] = ()


def unsure(said: Mapping[str, Prediction | None]) -> tuple[str, ...]:
    """Return the masked questions of which the path ranker is not sure."""
    return tuple(
        text for text, found in said.items() if found is None or not found.accepted or found.confidence < _SURE
    )


def known_steps(graph: Graph, readings: Sequence[Reading]) -> dict[str, frozenset[Step]]:
    """Return the steps that the topics of readings can take; see `walking.steps_at`."""
    return steps_at(graph.space, sorted({reading.topic.id for reading in readings}))


def asked_in_words(steps: Mapping[str, frozenset[Step]], schema: GraphSchema) -> dict[str, Step]:
    """Return `zero_shot.phrases` for all steps of some topics."""
    return phrases({step for some in steps.values() for step in some}, schema)


def candidates_for(
    readings: Sequence[Reading],
    said: Mapping[str, Prediction | None],
    *,
    steps: Mapping[str, frozenset[Step]],
    asking: Mapping[str, Step],
    vectors: Mapping[str, FloatArray],
    max_hops: int = MAX_HOPS,
) -> list[Candidate]:
    """Return readings with paths, likeliest first.

    Args:
        readings: see `readings_of`.
        said: what the path ranker says of their masked questions.
        steps: of the topics of those that it is not sure of (`known_steps`); others need not be there.
        asking: `asked_in_words` of these steps.
        vectors: of all these questions and phrases.
        max_hops: longest path, 1 to 3.
    """
    found: dict[tuple[str, RelationPath, str], Candidate] = {}
    for reading in readings:
        at = steps.get(reading.topic.id)
        shares = _taught(said.get(reading.text), at, max_hops)
        if at is not None and reading.text in vectors:
            own = {phrase: step for phrase, step in asking.items() if step in at}
            for step, share in closest(reading.text, own, vectors).items():
                shares[(step,)] = max(share, shares.get((step,), 0.0))
        for path, share in shares.items():
            key = (reading.topic.id, path, repr(reading.wanted) + (reading.related.id if reading.related else ""))
            candidate = Candidate(reading=reading, path=path, score=min(1.0, reading.score * share))
            if key not in found or found[key].score < candidate.score:
                found[key] = candidate
    return sorted(found.values(), key=lambda one: (-one.score, path_text(one.path), one.reading.topic.id))


def answer_from(
    graph: Graph,
    candidates: Sequence[Candidate],
    *,
    threshold: float = THRESHOLD,
    most_named: int = 10,
    most_walks: int = 3,
) -> GraphAnswer | None:
    """Return the answer of the likeliest candidate that has one, or None: the graph doesn't know.

    Args:
        candidates: likeliest first.
        threshold: confidence below which nothing is answered, in [0, 1].
        most_named: most entities that the text names, >= 1.
        most_walks: most entities for which it is said how they are reached, >= 0.

    Raises:
        GraphUnavailableError, GraphQueryError: see `Space.read`.
    """
    for candidate in candidates[:_MOST_TRIED]:
        if candidate.score < threshold:
            break
        answer = _answer(graph, candidate, most_named, most_walks)
        if answer is not None:
            return answer
    return None


def walk_in_words(path: RelationPath, walked: Walk) -> str:
    """Return a walk as it is cited.

    Example:
        >>> walk_in_words(parse_path("directed_by"), Walk(names=("Braveheart", "Mel Gibson")))
        'Braveheart -directed_by-> Mel Gibson'
    """
    text = walked.names[0]
    for step, name in zip(path, walked.names[1:], strict=True):
        text += f" <-{step.relation}- {name}" if step.inverse else f" -{step.relation}-> {name}"
    return text


def listed(names: Sequence[str], total: int, *, more: bool = False) -> str:
    """Return names as a list in words, with how many are left out.

    Example:
        >>> listed(["A"], 1), listed(["A", "B", "C"], 3), listed(["A", "B"], 14)
        ('A', 'A, B and C', 'A, B and 12 more')
    """
    left = total - len(names)
    if left > 0:
        return f"{', '.join(names)} and {'at least ' if more else ''}{left} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _taught(said: Prediction | None, at: frozenset[Step] | None, max_hops: int) -> dict[RelationPath, float]:
    """Return the ranker's paths with their probabilities; where it is not sure, only those that the topic can begin, made to add up."""
    if said is None:
        return {}
    paths: dict[RelationPath, float] = {}
    for text, share in said.ranking:
        try:
            path = parse_path(text)
        except InvalidInputError:
            continue  # what was taught by hand need not be a path
        if len(path) <= max_hops:
            paths[path] = share
    trust = 1.0 if said.accepted else min(1.0, 2.0 * said.in_scope)
    if at is not None:
        lost = sum(share for path, share in paths.items() if path[0] not in at)
        left = max(1.0 - lost, 1e-9)
        paths = {path: share / left for path, share in paths.items() if path[0] in at} if lost < 1.0 else {}
    return {path: trust * share for path, share in paths.items()}


def _answer(graph: Graph, candidate: Candidate, most_named: int, most_walks: int) -> GraphAnswer | None:
    space, reading = graph.space, candidate.reading
    wanted = reading.wanted
    filtered = _filtered(graph, candidate)
    if filtered is None:
        return None
    found, more, over = filtered
    if reading.related is not None:
        kept = related_to(space, [one.id for one in found], reading.related.id)
        found = [one for one in found if one.id in kept]
    if not found and not wanted.count:
        return None
    shown = {one.id: one.name for one in found}
    if wanted.pick in ("commonest", "rarest"):
        best = picked({one.id: float(one.ways) for one in found}, wanted.pick)
        found = [one for one in found if one.id in best]
    elif wanted.pick != "all":
        numbers = _numbers(graph, found, wanted.attribute)
        if not numbers:
            return None
        best = picked(numbers, wanted.pick)
        found = [one for one in found if one.id in best]
        shown = {one.id: f"{one.name} ({_number(numbers[one.id], wanted.attribute)})" for one in found}
    total = len(found)
    names = [shown[one.id] for one in found[:most_named]]
    text = listed(names, total, more=more) if names else ""
    if wanted.count:
        many = f"{'more than ' if more else ''}{total}"
        text = f"{many}: {text}" if names else many
    ends = found[: min(most_named, most_walks)]
    walks = walks_to(space, reading.topic.id, candidate.path, ends, over=over) if ends else {}
    return GraphAnswer(
        text=text,
        confidence=candidate.score,
        candidate=candidate,
        entities=tuple(found[:most_named]),
        total=total,
        more=more,
        walks=tuple(walks[one.id] for one in ends if one.id in walks),
    )


def _filtered(graph: Graph, candidate: Candidate) -> tuple[list[Found], bool, Mapping[int, Collection[str]]] | None:
    """Return what is at the end of the path and fits the bounds, whether there is more, and what is passed (see `walk`).

    None: nothing is there, or nothing has such a number. A bound holds for what is found, or, where that has no such number, for the last
    entities on the way that have one: of "actors in X's films after 1990" the films.
    """
    start, path = candidate.reading.topic.id, candidate.path
    found = walk(graph.space, start, path, limit=MOST_FOUND + 1)
    at_end: list[tuple[Bound, dict[str, float]]] = []
    over: dict[int, frozenset[str]] = {}
    for bound in candidate.reading.wanted.bounds if found else ():
        numbers = _numbers(graph, found, bound.attribute)
        if numbers is not None:
            at_end.append((bound, numbers))
            continue
        for place in range(len(path) - 1, 0, -1):
            passed = walk(graph.space, start, path[:place], limit=MOST_FOUND, over=over)
            numbers = _numbers(graph, passed, bound.attribute) if passed else None
            if numbers is not None:
                over[place] = frozenset(one for one, number in numbers.items() if bound.holds(number))
                break
        else:
            return None
    if over:
        found = walk(graph.space, start, path, limit=MOST_FOUND + 1, over=over)
    elif not found:
        return None
    kept = [
        one
        for one in found[:MOST_FOUND]
        if all(one.id in numbers and bound.holds(numbers[one.id]) for bound, numbers in at_end)
    ]
    return kept, len(found) > MOST_FOUND, over


def _numbers(graph: Graph, found: Sequence[Found], attribute: str) -> dict[str, float] | None:
    """Return an attribute's value of each entity that has one; None where nothing in the graph has that attribute."""
    if not found:
        return {}
    ids = [one.id for one in found]
    properties, relations = names_of_values(graph.space, ids[:_SAMPLE])
    name = attribute_named(attribute, properties - RESERVED)
    if name is not None:
        return numbers_of(graph.space, ids, name)
    name = attribute_named(attribute, relations)
    if name is not None:
        return numbers_of(graph.space, ids, name, relation=True)
    own = {one.id: number for one in found if (number := number_of(one.name)) is not None}
    return own if len(own) == len(found) else None  # years and prices are numbers themselves


def _number(value: float, attribute: str) -> str:
    if attribute == "time":
        return str(int(value))
    return f"{int(value):,}" if math.isclose(value, round(value)) else f"{value:g}"
