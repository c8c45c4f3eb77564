"""Which of the things that were listed last a message points to."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from rejoinder.slots.formats import read
from rejoinder.slots.kinds import Slot

__all__ = ["places_named", "says_yes"]

_WORDS: Final = (
    "first|1st",
    "second|2nd",
    "third|3rd",
    "fourth|4th",
    "fifth|5th",
    "sixth|6th",
    "seventh|7th",
    "eighth|8th",
)
_ORDINALS: Final = tuple(
    re.compile(
        rf"(?<![\w-])(?:{words}|#{number}|(?:number|no\.?|rule|alert|option)\s+{number}|{number}[.)]?(?=\s*$))(?![\w-])",
        re.IGNORECASE,
    )
    for number, words in enumerate(_WORDS, 1)
)
_LAST: Final = re.compile(r"\b(?:the|my)\s+last\b|\blast\s+one\b", re.IGNORECASE)
_ALL: Final = re.compile(r"\b(?:all|every|everything|both)\b", re.IGNORECASE)
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_YES_NO: Final = Slot(type="yes_no", title="yes or no")


def places_named(text: str, size: int) -> tuple[int, ...]:
    """Return the places (0 is the first) of a list of this size that a text names.

    Example:
        >>> places_named("remove the second one", 3), places_named("all of them", 2), places_named("that one", 2)
        ((1,), (0, 1), ())
    """
    if _ALL.search(text):
        return tuple(range(size))
    found = [place for place, pattern in enumerate(_ORDINALS[:size]) if pattern.search(text)]
    if not found and size and _LAST.search(text):
        found = [size - 1]
    return tuple(found)


def says_yes(text: str) -> bool | None:
    """Return whether a message means yes or no; None: neither."""
    said = read(_YES_NO, text, _ANY_TIME)
    return said if isinstance(said, bool) else None
