"""What people type for emphasis or in their own words, as a model would rather read it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from typing import Final

__all__ = ["cleaned", "has_held_letters"]

_WORD: Final = re.compile(r"\w+")
_RUN: Final = re.compile(r"([^\W\d_])\1{2,}")
_MOST_RUNS: Final = 4
_MOST_CHARS: Final = 2000
"""Characters up to which a message is a message; a longer one is left as it is."""
_INNER_CAPITAL: Final = re.compile(r"[a-z][A-Z]")
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}")
_SPACES: Final = re.compile(r"[ \t]{2,}")
_NO_THINGS: Final = re.compile(
    r"FACE|HEART|HAND|FINGER|THUMB|SMIL|PERSON|CAT\b|MONKEY|SYMBOL|MARK|SIGN\b|PARTY|FIRE|SPARKLE|TEARS|ANGER|SKULL|PILE|VARIATION|ARROW|"
    r"SQUARE|CIRCLE|STAR"
)


def cleaned(text: str, code_words: Mapping[str, str]) -> str:
    """Return a message without what only says how it is meant, and with a tenant's code words put into plain ones.

    Letters that were held down are let go ("heeelp"), flickering capitals are made small ("wHeRe Is"), an emoji of a thing becomes its
    name and any other is left out.

    Args:
        code_words: what words mean, by word; whole words are exchanged, whatever their case.

    Example:
        >>> cleaned("Heeelp, where is my \U0001f4e6 \U0001f621 from WH7?", {"wh7": "the northern warehouse"})
        'Help, where is my package from the northern warehouse?'
    """
    if len(text) > _MOST_CHARS:
        return text
    result = _in_plain_words(text, code_words) if code_words else text
    if not result.isascii():
        result = "".join(_without_emoji(sign) for sign in result)
    words = _LETTERS.findall(result)
    if 2 * sum(_INNER_CAPITAL.search(word) is not None for word in words) > len(words):
        result = result.lower()
    if has_held_letters(result):
        result = _WORD.sub(lambda match: _let_go(match.group()), result)
    return text if result == text else _SPACES.sub(" ", result).replace(" ?", "?").strip()


def has_held_letters(text: str) -> bool:
    """Tell whether letters were held down, so that `cleaned` has to know words, which the first time takes a moment."""
    return _RUN.search(text) is not None


def _in_plain_words(text: str, code_words: Mapping[str, str]) -> str:
    meanings = {word.casefold(): meaning for word, meaning in code_words.items()}
    pattern = _any_of(tuple(sorted(meanings, key=lambda word: (-len(word), word))))
    return pattern.sub(lambda match: meanings[match.group().casefold()], text)


@lru_cache(maxsize=256)
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)


def _without_emoji(sign: str) -> str:
    if sign in "\u200d\ufe0f":
        return ""
    if unicodedata.category(sign) != "So" and not "\U0001f3fb" <= sign <= "\U0001f3ff":
        return sign
    name = unicodedata.name(sign, "FACE")
    return " " if _NO_THINGS.search(name) else f" {name.lower()} "


def _let_go(word: str) -> str:
    """Return what a word with letters held down most likely is: each of them twice or once, whichever way makes a word."""
    runs = list(_RUN.finditer(word))[:_MOST_RUNS]
    if not runs:
        return word
    ways = []
    for lengths in product((2, 1), repeat=len(runs)):
        parts, end = [], 0
        for run, length in zip(runs, lengths, strict=True):
            parts += [word[end : run.start()], run.group(1) * length]
            end = run.end()
        ways.append("".join((*parts, word[end:])))
    from rejoinder.models.heads.english import english_words

    known = english_words()
    return min(ways, key=lambda way: known.get(way.lower(), len(known)))
