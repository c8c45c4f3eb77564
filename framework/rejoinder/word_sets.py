"""Sets of words, written as one text."""

from __future__ import annotations

__all__ = ["word_set"]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, which spaces part.

    Example:
        >>> sorted(word_set("to be or not to be"))
        ['be', 'not', 'or', 'to']
    """
    return frozenset(text.split())
