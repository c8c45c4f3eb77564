"""The words of a text that say what it is about, and what they have in common with their other forms."""

from __future__ import annotations

import re
from typing import Final

from rejoinder.graph.common_words import PLAIN_WORDS, STOP_WORDS
from rejoinder.graph.spans import words_of
from rejoinder.word_sets import word_set

__all__ = ["content_words", "stem"]


_ASKING: Final = word_set(
    "already anything bit buy cheaper dislike else enjoy enjoyed fan film films funnier gift hate hated hello hey item items "
    "like liked longer love loved maybe minutes mood movie movies never newer nice nothing older others please present prefer "
    "product products recommend recommendation recommendations really shorter show shows similar someone something suggest "
    "suggestion suggestions sure thank thanks today tonight watch watched watching who whom yeah yes"
)
_IGNORED: Final = STOP_WORDS | PLAIN_WORDS | _ASKING
_ENDINGS: Final = re.compile(r"(?:ings?|ers?|ed|es|s|e|y|ies|ied)$")


def content_words(text: str) -> dict[str, str]:
    """Return the words of a text that are neither function words nor words for asking, each as it stands there, by its stem."""
    found: dict[str, str] = {}
    for word in words_of(text):
        if len(word.text) > 2 and not word.text.isdigit() and word.text not in _IGNORED:
            found.setdefault(stem(word.text), word.text)
    return found


def stem(word: str) -> str:
    """Return what is left of a word without its ending, at least three letters.

    Example:
        >>> stem("fishes"), stem("fishing"), stem("comedies"), stem("comedy")
        ('fish', 'fish', 'comed', 'comed')
    """
    for _ in range(2):
        found = _ENDINGS.search(word)
        if found is None or found.start() < 3:
            return word
        word = word[: found.start()].removesuffix("i") if found.start() > 3 else word[: found.start()]
    return word
