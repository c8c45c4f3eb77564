"""Words as the lexical side of retrieval compares them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["STOP_WORDS", "stem", "terms_of"]

_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""A run of letters and digits; of scripts that put no spaces between words, each character."""

STOP_WORDS: Final = frozenset(
    word
    for words in (
        "a an the i my me we us our you your he she it its they them their his her this that these those is are am was were be been",
        "being do does did done has have had having can could will would shall should may might must of in on at for to from by with",
        "about into than then as and or but if not no so what which who whom whose when where why how there here please also just",
    )
    for word in words.split()
)
_ENDINGS: Final = (
    "ations",
    "ation",
    "ments",
    "ment",
    "ings",
    "ing",
    "ies",
    "ied",
    "ers",
    "er",
    "ed",
    "es",
    "s",
    "ly",
    "e",
    "y",
)


def terms_of(text: str) -> list[str]:
    """Return a text's words in order: lower case, without English endings, and without the commonest English words.

    A text of common words only keeps them, so that it can be found at all.

    Example:
        >>> terms_of("How are the card payments processed?")
        ['card', 'pay', 'process']
    """
    words = [word.casefold() for word in _WORD.findall(text)]
    telling = [word for word in words if word not in STOP_WORDS]
    return [stem(word) for word in telling or words]


@lru_cache(maxsize=1 << 17)
def stem(word: str) -> str:
    """Return a word without its ending, so that forms of one word are equal; words of other scripts, and numbers, stay.

    Example:
        >>> {stem(word) for word in ("refund", "refunds", "refunded", "refunding")}
        {'refund'}
    """
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
