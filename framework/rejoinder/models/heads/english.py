"""English words and how common they are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMON", "english_words"]

COMMON: Final = 12_000
"""Places in `english_words` up to which a word is common."""

_LEAST: Final = 200
"""Times that a word must occur in what the list was counted on: rarer ones are as often slips as words."""


@lru_cache(maxsize=1)
def english_words() -> Mapping[str, int]:
    """Return the lower-cased words of English, the commonest first, each with its place in that order, from 0.

    Read once in a process, in about half a second. Source: the English list of the package pyspellchecker, counted on film subtitles.
    """
    from spellchecker import SpellChecker

    counts = SpellChecker(language="en").word_frequency.dictionary
    words = sorted(
        (word for word in counts if counts[word] >= _LEAST and word.isalpha()), key=lambda word: (-counts[word], word)
    )
    return {word: place for place, word in enumerate(words)}
