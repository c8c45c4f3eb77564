"""What a person's word on an answer teaches: which path a question asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.graph.answering.paths import path_text
from rejoinder.graph.answering.readings import readings_of
from rejoinder.graph.answering.walking import leading_to, walk

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph

MOST_NAMES: Final = 20
MOST_PATHS: Final = 20

LEAST_FIT: Final = 0.2
"""F1 of what a path leads to against the names in a correction; people name one of several right answers, seldom all."""

_MOST_READINGS: Final = 3

_APART: Final = re.compile(r"\s*(?:[,;|\n]|\band\b|\bund\b|\bet\b|\by\b|&)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A path by which a masked question leads to the right answers; `fit` is the F1 in [0, 1]."""

    text: str
    path: str
    fit: float


def question_about(graph: Graph, question: str, topic: str) -> str | None:
    """Return a question as it was masked when it was answered about a topic; None where it can no longer be read like that.

    Words such as "it" are taken to mean the topic.

    Raises:
        GraphUnavailableError, GraphQueryError: see `rejoinder.graph.space.Space.read`.
    """
    return next((one.text for one in readings_of(graph, question, context=(topic,)) if one.topic.id == topic), None)


def explanations_of(graph: Graph, question: str, answer: str, *, max_hops: int = 3) -> tuple[Explanation, ...]:
    """Return the paths that lead from a question's topic to what a person said is the answer, best first; () where none is found.

    Args:
        answer: one name or several, as people write lists.
        max_hops: longest path, 1 to 3.

    Raises:
        GraphUnavailableError, GraphQueryError: see `rejoinder.graph.space.Space.read`.
    """
    named = _named(graph, answer)
    if not named:
        return ()
    ends = sorted({id_ for ids in named for id_ in ids})
    found: list[Explanation] = []
    for reading in readings_of(graph, question)[:_MOST_READINGS]:
        paths = leading_to(graph.space, reading.topic.id, ends, max_hops=max_hops)
        likely = sorted(paths, key=lambda path: (-paths[path], len(path), path_text(path)))[:MOST_PATHS]
        for path in likely:
            reached = {one.id for one in walk(graph.space, reading.topic.id, path)}
            hit = sum(not reached.isdisjoint(ids) for ids in named)
            fit = 2 * hit / (len(reached) + len(named))
            if fit >= LEAST_FIT:
                found.append(Explanation(text=reading.text, path=path_text(path), fit=fit))
    return tuple(sorted(found, key=lambda one: (-one.fit, one.path.count("/"), one.path)))


def _named(graph: Graph, answer: str) -> list[frozenset[str]]:
    """Return for each name in an answer the entities that it may be; [] where less than half of the names are known."""
    whole = graph.named(answer[:1000].strip().rstrip("."))
    if whole:
        return [frozenset(one.id for one in whole)]
    names = [name for name in _APART.split(answer.strip().rstrip(".")) if name][:MOST_NAMES]
    known = [frozenset(one.id for one in graph.named(name[:1000])) for name in names]
    found = [ids for ids in known if ids]
    return found if 2 * len(found) >= len(names) else []
