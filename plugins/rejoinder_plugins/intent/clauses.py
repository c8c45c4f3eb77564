"""Where a message may be cut into parts that say different things: at ends of sentences, and at words that add something."""

from __future__ import annotations

import re
from typing import Final

from rejoinder.payloads import Span

__all__ = ["clauses"]

_MOST: Final = 6
_FEWEST_WORDS: Final = 2
_MAX_CHARS: Final = 1000
_CUT: Final = re.compile(
    r"(?<=[.!?;\n])[\s\"')]{0,4}(?=\S)"
    r"|[,;]?\s{1,3}(?:and then|and also|and|also|plus|then|as well as|but|oh and|besides|in addition|additionally)[,:]?\s{1,3}"
    r"|,\s{1,3}",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"\w+")
_FIRST_FILLERS: Final = re.compile(
    r"(?:(?:and|also|plus|then|oh|but|so|secondly|second|finally|lastly)\b[,:]?\s+)+", re.IGNORECASE
)


def clauses(text: str) -> list[Span]:
    """Return the parts of a message, in order; the whole where it cannot be cut, or has more than a few parts.

    A part has at least two words; shorter ones stay with the part before them.

    Example:
        >>> text = "Where is my card? And how do I change my PIN"
        >>> [text[one.start : one.end] for one in clauses(text)]
        ['Where is my card?', 'how do I change my PIN']
    """
    text = text[:_MAX_CHARS]
    found: list[tuple[int, int]] = []
    begin = 0
    for match in [*_CUT.finditer(text), None]:
        end = len(text) if match is None else match.start()
        if match is None or len(_WORD.findall(text[begin:end])) >= _FEWEST_WORDS:
            found.append((begin, end))
            begin = end if match is None else match.end()
    if len(found) > 1 and len(_WORD.findall(text[slice(*found[-1])])) < _FEWEST_WORDS:
        found[-2:] = [(found[-2][0], found[-1][1])]
    if not 1 < len(found) <= _MOST:
        return [Span(start=0, end=len(text))]
    return [_trimmed(text, *one) for one in found]


def _trimmed(text: str, start: int, end: int) -> Span:
    filler = _FIRST_FILLERS.match(text, start, end)
    start = filler.end() if filler is not None and filler.end() < end else start
    own = text[start:end]
    return Span(start=start + len(own) - len(own.lstrip()), end=end - (len(own) - len(own.rstrip())))
