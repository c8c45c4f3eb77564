"""What a dialogue says of somebody's tastes: items named, in which mood, and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rejoinder_recommendation.conversation.title_linking import TitleLink, TitleLinker

__all__ = ["TasteReader", "Tastes", "speaks_against"]

_CLAUSE_ENDS: Final = re.compile(r"[.!?;]|\bbut\b", re.IGNORECASE)
_NEGATIVE: Final = re.compile(
    r"\b(?:not (?:a |really |like|into|this|that|so|my)|"
    r"(?:did|do|does|was|is|were)n['’]?t (?:really |much |care|like|love|enjoy|into|good|a fan)|"
    r"hate[ds]?|dislike[ds]?|boring|awful|terrible|horrible|worst|bad|overrated|"
    r"anything but|except|other than|instead of|nothing like|no more)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Tastes:
    """What was said so far.

    Attributes:
        liked: ids of items named without a word against them, in the order of the dialogue.
        disliked: ids of items that were spoken against.
        words: what was said, the latest last.
    """

    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    words: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """All items named."""
        return (*self.liked, *self.disliked)


class TasteReader:
    """Reads a dialogue line by line.

    Args:
        characters: of the last lines that are kept as words.
    """

    def __init__(self, linker: TitleLinker, *, characters: int = 600) -> None:
        self._linker = linker
        self._characters = characters
        self._moods: dict[str, bool] = {}
        self._said: list[str] = []

    def hear(self, line: str) -> tuple[TitleLink, ...]:
        """Take the next line; return the titles in it."""
        links = self._linker.link(line)
        for link in links:
            against = speaks_against(line, link)
            if against or link.item not in self._moods:
                self._moods[link.item] = not against
        self._said.append(line)
        return links

    @property
    def tastes(self) -> Tastes:
        """What was said up to now."""
        return Tastes(
            liked=tuple(item for item, good in self._moods.items() if good),
            disliked=tuple(item for item, good in self._moods.items() if not good),
            words="\n".join(self._said)[-self._characters :],
        )


def speaks_against(text: str, link: TitleLink) -> bool:
    """Say whether the clause around a title speaks against it."""
    starts = [found.end() for found in _CLAUSE_ENDS.finditer(text, 0, link.start)]
    end = _CLAUSE_ENDS.search(text, link.end)
    before = text[starts[-1] if starts else 0 : link.start]
    after = text[link.end : end.start() if end else len(text)]
    return bool(_NEGATIVE.search(before) or _NEGATIVE.search(after))
