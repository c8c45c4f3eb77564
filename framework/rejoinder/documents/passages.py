"""Cut what a file says into passages: by its structure first, by sentences where a paragraph is too long, by words where a sentence is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rejoinder.documents.content import Block, Content

__all__ = ["MAX_PASSAGE_TOKENS", "Cut", "Passage", "TokenCount", "about_tokens", "cut", "sentence_spans"]

TokenCount = Callable[[Sequence[str]], Sequence[int]]
"""How many tokens of the encoder each text takes, special ones left out."""

MAX_PASSAGE_TOKENS: Final = 128

_MAX_HEADINGS: Final = 6
_MAX_HEADING_CHARS: Final = 300
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=\S)|(?<=[。！？])|\n+")
_ABBREVIATED: Final = re.compile(
    r"(?:^|\s)(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|No|Art|Inc|Ltd|Co|Corp|e\.g|i\.e|ca|cf)\.$"
)
_WORD_OR_CHARACTER: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A part of a document that can be found and cited.

    Attributes:
        start, end: characters [start, end) of the document's text.
        headings: the headings above it, outermost first; of a reply, the question that it answers comes last.
        kind: "reply" for what somebody answered in the past, or an FAQ does: it is said as it stands.
    """

    start: int
    end: int
    headings: tuple[str, ...] = ()
    kind: Literal["text", "reply"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A document's text, as it is stored and cited, and its passages in order."""

    text: str
    passages: tuple[Passage, ...]


def about_tokens(texts: Sequence[str]) -> list[int]:
    """Return about how many word pieces texts take, where no encoder is there to say: each word counts by its length.

    Example:
        >>> about_tokens(["Refunds take five days."])
        [6]
    """
    return [sum(max(1, math.ceil(len(word) / 6)) for word in _WORD_OR_CHARACTER.findall(text)) for text in texts]


def cut(content: Content, *, tokens: TokenCount = about_tokens, most_tokens: int = MAX_PASSAGE_TOKENS) -> Cut:
    """Put a document's blocks into one text, and cut it into passages.

    A passage never crosses a heading. Blocks under one heading are put together while they fit, so that a list or the rows of a table stay
    with the sentence before them; one that is too long is cut at ends of sentences, and a sentence that is too long between words.

    Args:
        tokens: counts what the encoder reads.
        most_tokens: of one passage, >= 8; its headings come on top.
    """
    text, placed = _written(content)
    passages: list[Passage] = []
    for headings, blocks in _sections(placed):
        fitting = _pieces(text, [(start, end) for _, start, end in blocks], tokens, most_tokens)
        kind: Literal["text", "reply"] = "reply" if blocks[0][0].kind == "reply" else "text"
        passages += [
            Passage(start=start, end=end, headings=headings, kind=kind)
            for start, end in _packed(text, fitting, tokens, most_tokens)
        ]
    return Cut(text=text, passages=tuple(passages))


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return the characters [start, end) of each sentence or line of a text, in order, without the white space around it.

    Example:
        >>> [("Dr. No came. He left."[start:end]) for start, end in sentence_spans("Dr. No came. He left.")]
        ['Dr. No came.', 'He left.']
    """
    spans = []
    begin = 0
    for mark in [*_SENTENCE_END.finditer(text), None]:
        end = len(text) if mark is None else mark.start()
        if mark is not None and "\n" not in mark.group() and _ABBREVIATED.search(text[max(0, end - 12) : end]):
            continue
        part = text[begin:end]
        if part.strip():
            left = len(part) - len(part.lstrip())
            spans.append((begin + left, begin + len(part.rstrip())))
        begin = end if mark is None else mark.end()
    return spans


def _written(content: Content) -> tuple[str, list[tuple[Block, int, int]]]:
    """Return the document's text, and each block with its place in it."""
    parts: list[str] = []
    placed: list[tuple[Block, int, int]] = []
    at = 0
    before: Block | None = None
    for block in content.blocks:
        said = block.text.strip()
        if not said:
            continue
        if before is not None:
            gap = "\n" if block.kind == before.kind and block.kind in ("item", "row") else "\n\n"
            parts.append(gap)
            at += len(gap)
        parts.append(said)
        placed.append((block, at, at + len(said)))
        at += len(said)
        before = block
    return "".join(parts), placed


def _sections(
    placed: Sequence[tuple[Block, int, int]],
) -> Iterator[tuple[tuple[str, ...], list[tuple[Block, int, int]]]]:
    """Yield runs of blocks under the same headings; a reply is a run of its own, below its question."""
    path: list[tuple[int, str]] = []
    run: list[tuple[Block, int, int]] = []
    question = ""
    for block, start, end in placed:
        headings = tuple(text for _, text in path[-_MAX_HEADINGS:])
        if block.kind in ("heading", "question", "reply") and run:
            yield headings, run
            run = []
        if block.kind == "heading":
            path = [(level, text) for level, text in path if level < block.level]
            path.append((block.level, " ".join(block.text.split())[:_MAX_HEADING_CHARS]))
            question = ""
        elif block.kind == "question":
            question = " ".join(block.text.split())[:_MAX_HEADING_CHARS]
        elif block.kind == "reply":
            yield (*headings, *((question,) if question else ())), [(block, start, end)]
        else:
            run.append((block, start, end))
    if run:
        yield tuple(text for _, text in path[-_MAX_HEADINGS:]), run


def _pieces(text: str, spans: Sequence[tuple[int, int]], tokens: TokenCount, most_tokens: int) -> list[tuple[int, int]]:
    """Return spans of at most so many tokens: those that fit as they are, the others cut at sentences and packed, or between words."""
    found: list[tuple[int, int]] = []
    for (start, end), count in zip(spans, tokens([text[a:b] for a, b in spans]), strict=True):
        if count <= most_tokens:
            found.append((start, end))
            continue
        sentences = [(start + a, start + b) for a, b in sentence_spans(text[start:end])]
        if len(sentences) > 1:
            fitting = _pieces(text, sentences, tokens, most_tokens)
            found += _packed(text, fitting, tokens, most_tokens)
        else:
            found += _between_words(text, (start, end), count, most_tokens, tokens)
    return found


def _between_words(
    text: str, span: tuple[int, int], count: int, most_tokens: int, tokens: TokenCount
) -> list[tuple[int, int]]:
    start, end = span
    marks = [found.end() for found in _WORD_OR_CHARACTER.finditer(text, start, end)]
    each = max(1, len(marks) * most_tokens // (count + 1))
    if len(marks) <= 1 or each >= len(marks):
        half = start + (end - start) // 2
        if count <= most_tokens or half == start:
            return [span]
        halves = [(start, half), (half, end)]
        own = tokens([text[a:b] for a, b in halves])
        return [
            piece
            for one, size in zip(halves, own, strict=True)
            for piece in _between_words(text, one, size, most_tokens, tokens)
        ]
    found: list[tuple[int, int]] = []
    begin = start
    for place in range(each - 1, len(marks) + each - 1, each):
        stop = marks[min(place, len(marks) - 1)] if place < len(marks) - 1 else end
        if stop > begin:
            found.append(_stripped(text, begin, stop))
        begin = stop
    counts = tokens([text[a:b] for a, b in found])
    return [
        piece
        for one, own in zip(found, counts, strict=True)
        for piece in ([one] if own <= most_tokens else _between_words(text, one, own, most_tokens, tokens))
    ]


def _packed(text: str, spans: Sequence[tuple[int, int]], tokens: TokenCount, most_tokens: int) -> list[tuple[int, int]]:
    """Put neighbours together while they fit."""
    counts = tokens([text[start:end] for start, end in spans])
    packed: list[tuple[int, int]] = []
    used = 0
    for (start, end), count in zip(spans, counts, strict=True):
        if packed and used + count <= most_tokens:
            packed[-1] = (packed[-1][0], end)
            used += count
        else:
            packed.append((start, end))
            used = count
    return packed


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))
