"""Texts cut into words, and the runs of words that may be names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from rejoinder.graph.names import normalised

__all__ = ["Span", "Word", "marked_parts", "spans_of", "words_of"]

_MOST_CHARS: Final = 10_000
_MOST_WORDS: Final = 200
_LONGEST: Final = 12
"""Words of the longest name that is looked for."""
_CJK: Final = re.compile("[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_MARKED: Final = re.compile(
    '\\[([^\\[\\]]+)\\]|"([^"]+)"|“([^“”]+)”|«([^«»]+)»|「([^「」]+)」|『([^『』]+)』|《([^《》]+)》'
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, or one character of a script that writes none apart.

    Attributes:
        start, end: characters [start, end) of the text.
        text: normalised.
        apart: whether something separates it from the word before.
    """

    start: int
    end: int
    text: str
    apart: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Words [first, last) of a text, as a name would be looked up."""

    first: int
    last: int
    text: str


def words_of(text: str) -> tuple[Word, ...]:
    """Return the words of a text in order, the first 200 of its first 10,000 characters."""
    text = text[:_MOST_CHARS]
    words: list[Word] = []
    start = -1
    before = -1
    for place in range(len(text) + 1):
        kind = _kind(text[place]) if place < len(text) else "gap"
        if start >= 0 and kind in ("gap", "single"):
            words.append(_word(text, start, place, before))
            before = place
            start = -1
        if kind == "single":
            words.append(_word(text, place, place + 1, before))
            before = place + 1
        elif kind == "word" and start < 0:
            start = place
        if len(words) >= _MOST_WORDS:
            break
    return tuple(word for word in words if word.text)


def spans_of(words: tuple[Word, ...], *, longest: int = _LONGEST) -> Iterator[Span]:
    """Yield all runs of words, those that begin first first, short ones before long ones."""
    for first in range(len(words)):
        text = words[first].text
        yield Span(first, first + 1, text)
        for last in range(first + 1, min(first + longest, len(words))):
            word = words[last]
            text = f"{text} {word.text}" if word.apart else text + word.text
            yield Span(first, last + 1, text)


def marked_parts(text: str) -> list[tuple[int, int]]:
    """Return the parts of a text that stand in square brackets or quotation marks, without these."""
    return [found.span(group) for found in _MARKED.finditer(text) if (group := found.lastindex)]


def _word(text: str, start: int, end: int, before: int) -> Word:
    return Word(start, end, normalised(text[start:end]), apart=start != before)


@lru_cache(maxsize=4096)
def _kind(character: str) -> Literal["gap", "single", "word", "nothing"]:
    """Say whether a character parts words, is one, belongs to one, or has no width."""
    if _CJK.match(character):
        return "single"
    category = unicodedata.category(character)
    if category in ("Cf", "Cs"):
        return "nothing"
    return "gap" if category[0] in "PZ" or category == "Cc" else "word"
