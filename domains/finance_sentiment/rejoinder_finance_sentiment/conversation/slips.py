"""Slips of the pen in words for a time: "this weak", "yesterdy", "on Tusday"."""

from __future__ import annotations

import re
from typing import Final

from rejoinder.graph.common_words import STOP_WORDS

__all__ = ["mended"]

_UNITS: Final = ("week", "month", "quarter", "year")
_DAYS: Final = ("yesterday", "today", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = ("january", "february", "august", "september", "october", "november", "december")
_UNIT_AFTER: Final = re.compile(r"(?<=\bthis |\blast |\bpast )[a-z]{3,8}\b", re.IGNORECASE)
_WORD: Final = re.compile(r"\b[a-z]{4,10}\b", re.IGNORECASE)


def mended(text: str, plain: frozenset[str]) -> str:
    """Return a text with words for a time as they are meant, where one letter is wrong, too many or missing, or two are swapped.

    Args:
        plain: words that are no slips. After "this" and "last" a unit of time is meant in any case.

    Example:
        >>> mended("how was acme this weak, and yesterdy?", frozenset())
        'how was acme this week, and yesterday?'
    """
    text = _UNIT_AFTER.sub(lambda match: _closest(match.group(), _UNITS), text)
    return _WORD.sub(
        lambda match: (
            match.group() if match.group().casefold() in plain else _closest(match.group(), (*_DAYS, *_MONTHS))
        ),
        text,
    )


def _closest(word: str, choices: tuple[str, ...]) -> str:
    from rapidfuzz.distance import OSA

    small = word.casefold()
    if small in STOP_WORDS or small.removesuffix("s") in choices:
        return word
    near = [one for one in choices if one[0] == small[0] and OSA.distance(small, one, score_cutoff=1) <= 1]
    return near[0] if len(near) == 1 else word
