"""From a passage to the words that answer: the sentences around what the reader points at, or those that share most with the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.errors import ModelError, ModelNotReadyError

from rejoinder_plugins.documents.settings import DocumentsSettings

if TYPE_CHECKING:
    from rejoinder.documents.index import IndexedPassage

READING: Final = "question_answering"
"""The task of the reader."""

_NO_VERSION: Final = "memory"
"""Begins the name of what only feedback taught: a reader of a few corrections points anywhere, and is sure of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """What answers, as a place in the passage.

    Attributes:
        start, end: characters [start, end) of the passage's text, whole sentences.
        span: the reader's own words within the passage; None: nobody read it.
        confidence: in [0, 1], the probability that the passage answers at all, by the reader; 1 without one.
    """

    start: int
    end: int
    span: tuple[int, int] | None = None
    confidence: float = 1.0


async def read(question: str, passage: IndexedPassage, context: Context) -> Extract:
    """Return what of a passage answers a question."""
    settings: DocumentsSettings = context.settings
    if passage.kind == "reply":
        return Extract(start=0, end=len(passage.text))
    said = await _said(question, passage.text, context) if settings.read else None
    if said is not None:
        (start, end), sure = said
        around = _sentences_around(passage.text, start, end)
        return Extract(start=around[0], end=around[1], span=(start, end), confidence=sure)
    start, end = _telling_sentences(question, passage.text, settings.max_sentences)
    return Extract(start=start, end=end)


async def _said(question: str, text: str, context: Context) -> tuple[tuple[int, int], float] | None:
    reader = context.models.learner(READING)
    if reader is None or not reader.size() or context.models.versions.get(READING, "").startswith(_NO_VERSION):
        return None
    try:
        said = await context.models.predict(READING, question, text)
    except ModelNotReadyError:
        return None
    except ModelError as error:
        context.logger.info("the passage is not read: %s", error)
        return None
    if said is None or not said.spans:
        return None
    best = said.spans[0]
    return (best.start, best.end), 1.0 if said.accepted else said.in_scope


def _sentences_around(text: str, start: int, end: int) -> tuple[int, int]:
    from rejoinder.documents.passages import sentence_spans

    touched = [(a, b) for a, b in sentence_spans(text) if a < end and start < b] or [(start, end)]
    return touched[0][0], touched[-1][1]


def _telling_sentences(question: str, text: str, most: int) -> tuple[int, int]:
    """Return the run of at most so many sentences that shares most words with a question; of equal ones the first.

    A list or table counts as one sentence: a row says little without the others.
    """
    from rejoinder.documents.words import terms_of

    sentences = _with_lines_joined(text)
    if len(sentences) <= most:
        return sentences[0][0], sentences[-1][1]
    asked = set(terms_of(question))
    words = [set(terms_of(text[start:end])) for start, end in sentences]

    def shared(first: int) -> tuple[int, int]:
        told = [len(asked & words[place]) for place in range(first, first + most)]
        return len(asked & set().union(*words[first : first + most])), told[0]

    best = max(range(len(sentences) - most + 1), key=lambda first: (*shared(first), -first))
    return sentences[best][0], sentences[best + most - 1][1]


def _with_lines_joined(text: str) -> list[tuple[int, int]]:
    """Return the sentences of a passage, the lines of a list or table together; the whole where there are none."""
    from rejoinder.documents.passages import sentence_spans

    joined: list[tuple[int, int]] = []
    for start, end in sentence_spans(text):
        if joined and text[joined[-1][1] : start] == "\n":
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined or [(0, len(text))]
