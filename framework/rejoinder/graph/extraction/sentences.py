"""Documents to sentences, with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Document", "Sentence", "sentences_of"]

_END: Final = re.compile(r"(?:[.!?…]['\"”’)\]]*(?=\s|$))|[。！？]['\"”’)\]]*|\n\s*\n|\n(?=\s*[-*•]\s)")
_ABBREVIATION: Final = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|Inc|Ltd|Co|Corp|e\.g|i\.e|ca)\.)$")
_MOST_CHARACTERS: Final = 600


@dataclass(frozen=True, slots=True)
class Document:
    """A text, and what it is called: its id becomes the source of what is accepted from it."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence: its text, and where in the document it begins (characters)."""

    text: str
    start: int


def sentences_of(text: str) -> list[Sentence]:
    """Return the sentences of a text, in order; those of more than 600 characters are no sentences and are left out.

    Example:
        >>> [one.text for one in sentences_of("Dr. No came first. Then came others!")]
        ['Dr. No came first.', 'Then came others!']
    """
    found = []
    begin = 0
    for match in [*_END.finditer(text), None]:
        end = len(text) if match is None else match.end()
        if match is not None and _goes_on(text, begin, match):
            continue
        part = text[begin:end]
        stripped = part.strip()
        if stripped and len(stripped) <= _MOST_CHARACTERS:
            found.append(Sentence(stripped, begin + len(part) - len(part.lstrip())))
        begin = end
    return found


def _goes_on(text: str, begin: int, mark: re.Match[str]) -> bool:
    """Whether a mark ends no sentence: a small letter follows, as after a name that has the mark, or it ends an abbreviation."""
    after = text[mark.end() :].lstrip()
    if not after or mark.group()[0] not in ".!?…":
        return False
    return after[0].islower() or (
        mark.group()[0] == "." and _ABBREVIATION.search(text[begin : mark.start() + 1]) is not None
    )
