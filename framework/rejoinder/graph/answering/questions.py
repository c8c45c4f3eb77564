"""A question with its topic taken out, as the path ranker reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPIC: Final = "X"
"""What stands in a masked question for the entity that it is about: the same for all, so that what is learned of one holds for all."""

MAX_CHARS: Final = 1000
"""Longer texts are no questions: nothing is looked up for them."""

_MARKED: Final = re.compile(r"\[([^\[\]]{1,500})\]")
_SPACE: Final = re.compile(r"\s+")
_END: Final = re.compile(r"[\s?!.]+$")


def marked_topic(question: str) -> tuple[int, int, str] | None:
    """Return where a question marks its topic by square brackets, brackets included, and the name in them; None: it does not, or twice.

    Example:
        >>> marked_topic("who directed [Braveheart]")
        (13, 25, 'Braveheart')
    """
    found = list(_MARKED.finditer(question))
    if len(found) != 1 or not found[0][1].strip():
        return None
    return found[0].start(), found[0].end(), found[0][1].strip()


def masked(question: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return a question with `TOPIC` in the place of some of its characters, in lower case, with single spaces and no mark at the end.

    Example:
        >>> masked("Who directed  Braveheart?", [(14, 24)])
        'who directed X'
    """
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans):
        parts += [question[at:start].casefold(), f" {TOPIC} "]
        at = end
    parts.append(question[at:].casefold())
    text = _SPACE.sub(" ", "".join(parts)).strip()
    return _END.sub("", re.sub(rf"\b{TOPIC} ('s|’s|[,;:.?!])", rf"{TOPIC}\1", text))
