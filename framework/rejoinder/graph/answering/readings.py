"""How a question may be meant: which entity it is about, what it asks of it, and what else it names as a filter."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rejoinder.graph.answering.aggregates import Wanted, singulars, wanted_in
from rejoinder.graph.answering.questions import MAX_CHARS, marked_topic, masked
from rejoinder.graph.answering.walking import Found, shared_values
from rejoinder.graph.schema import THING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rejoinder.graph.graph import Graph
    from rejoinder.graph.values import Entity

MOST_TOPICS: Final = 5
MOST_READINGS: Final = 6

_LEAST_SHARED: Final = 20
"""In a graph without kinds, a word such as "comedies" is a filter only if so many things are related to what it names: "films" is not."""

_OVERLOOKED: Final = 0.5
"""Factor for a reading that makes nothing of another entity which the question names."""

_BESIDE: Final = 0.8
"""Least score of a link, as a share of the topic's, to count as something else that the question names."""

_ANYTHING: Final = "things"
"""What stands for a word that is a filter: "which comedies did X direct" asks for the things that X directed."""

_FILTER_BEFORE: Final = re.compile(
    r"(?:\b(?:and|that|which|who)\s+)?(?:\b(?:is|are|was|were)\s+)?"
    r"\b(?:in|of|with|from|by|about|for|starring|featuring|at)\s+(?:the\s+)?(?:(?:genre|language|tag|kind|category|topic)\s+)?$",
    re.IGNORECASE,
)
_FILTER_AFTER: Final = re.compile(r"\s+(?:genre|language|tag)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to take a question.

    Attributes:
        topic: the entity that it is about.
        score: how far to trust that, in [0, 1].
        wanted: what it wants; `wanted.text` is the masked question whose path is looked for.
        related: an entity that all found must be related to; None: no such filter.
    """

    topic: Found
    score: float
    wanted: Wanted
    related: Found | None = None

    @property
    def text(self) -> str:
        """The masked question."""
        return self.wanted.text


def readings_of(
    graph: Graph, question: str, *, context: Sequence[str] = (), languages: Sequence[str] = ("en",)
) -> tuple[Reading, ...]:
    """Return how a question may be meant, likeliest first, at most `MOST_READINGS`; () where it names nothing that the graph knows.

    Args:
        question: what was asked; a topic in square brackets is taken for the topic.
        context: ids of entities that were spoken of before, latest first.
        languages: whose words for counting, picking and filtering are understood.

    Raises:
        GraphUnavailableError, GraphQueryError: see `Space.read`.
    """
    if not question.strip() or len(question) > MAX_CHARS:
        return ()
    spans = _topics(graph, question, context)
    best = max((one.score for one in spans), default=0.0)
    values: dict[str, Found | None] = {}
    found: list[Reading] = []
    for one in spans:
        wanted = wanted_in(masked(question, [(one.start, one.end)]), languages=languages)
        others = [other for other in spans if not _overlap(one, other) and other.score >= _BESIDE * best]
        filtered: list[Reading] = []
        for other in others:
            text = _without(question, one, other)
            if text is not None:
                less = wanted_in(text, languages=languages)
                filtered.append(Reading(topic=one.entity, score=one.score, wanted=less, related=other.entity))
        if wanted.value and wanted.value not in values:
            values[wanted.value] = _value(graph, wanted.value)
        value = values.get(wanted.value)
        if value is not None and value.id != one.entity.id:
            text = re.sub(rf"\b{re.escape(wanted.value)}\b", _ANYTHING, wanted.text, count=1)
            less = replace(wanted, text=text)
            filtered.append(Reading(topic=one.entity, score=one.score, wanted=less, related=value))
        share = _OVERLOOKED if others or filtered else 1.0
        found += [*filtered, Reading(topic=one.entity, score=one.score * share, wanted=wanted)]
    return tuple(sorted(found, key=lambda reading: -reading.score)[:MOST_READINGS])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    entity: Found
    start: int
    end: int
    score: float


def _topics(graph: Graph, question: str, context: Sequence[str]) -> list[_Span]:
    marked = marked_topic(question)
    if marked is not None:
        start, end, name = marked
        named = graph.named(name, limit=MOST_TOPICS)
        exact = [entity for entity in named if name == entity.name] or list(named)
        if exact:
            return [_Span(entity=_found(entity), start=start, end=end, score=1.0) for entity in exact]
        return [
            _Span(entity=_found(link.entity), start=start, end=end, score=link.score)
            for link in graph.link(name, limit=MOST_TOPICS)
        ]
    return [
        _Span(entity=_found(link.entity), start=link.start, end=link.end, score=link.score)
        for link in graph.link(question, context=context, limit=2 * MOST_TOPICS)
    ]


def _value(graph: Graph, word: str) -> Found | None:
    """Return what a word names, if that is a value that many share, and no kind of entity."""
    if any(word in singulars(kind) or kind in singulars(word) for kind in _kinds(graph)):
        return None
    for entity, shared in shared_values(graph.space, singulars(word)):
        if shared >= (_LEAST_SHARED if entity.kind == THING else 1):
            return entity
    return None


def _kinds(graph: Graph) -> set[str]:
    return {word.casefold() for name, kind in graph.schema.kinds.items() for word in (name, kind.title) if word}


def _without(question: str, topic: _Span, other: _Span) -> str | None:
    """Return the masked question without the words of a filter, such as "that are in German"; None where the other is no filter."""
    phrase = _FILTER_BEFORE.search(question[: other.start])
    if phrase is None:
        return None
    begins = phrase.start()
    if topic.start < other.start and begins < topic.end:
        begins = topic.end
    tail = _FILTER_AFTER.match(question[other.end :])
    ends = other.end + (tail.end() if tail else 0)
    shift = ends - begins
    start = topic.start if topic.start < begins else topic.start - shift
    return masked(question[:begins] + question[ends:], [(start, start + topic.end - topic.start)])


def _overlap(one: _Span, other: _Span) -> bool:
    return one.start < other.end and other.start < one.end


def _found(entity: Entity) -> Found:
    return Found(id=entity.id, kind=entity.kind, name=entity.name)
