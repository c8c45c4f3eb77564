"""Names as people write them, brought to one form, so that "Café  Müller!" and "cafe\u0301 müller" are looked up as the same."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["entity_id", "halves", "normalised", "split_id"]


_SHORTEST_HALVED: Final = 4
_LONGEST_HALVED: Final = 100


class _Spaced(dict[int, str | int | None]):
    """A table for `str.translate`, filled as characters are met: punctuation and controls to spaces, what has no width to nothing."""

    def __missing__(self, code: int) -> str | int | None:
        category = unicodedata.category(chr(code))
        value: str | int | None = code
        if category[0] in "PZ" or category == "Cc":
            value = " "
        elif category in ("Cf", "Cs"):
            value = None
        self[code] = value
        return value


_SPACED: Final = _Spaced()


def normalised(text: str) -> str:
    """Return a name as it is looked up: NFKC, casefolded, punctuation to spaces, white space collapsed.

    A name of nothing but punctuation keeps it, so the result is empty only for an empty or blank text.

    Example:
        >>> normalised("Schindler's  List"), normalised("Straße"), normalised("?!")
        ('schindler s list', 'strasse', '?!')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_SPACED).split()) or " ".join(folded.split()) or folded


def halves(text: str, length: int | None = None) -> tuple[str, str] | None:
    """Return the two halves of a normalised name, each with the name's length; None for names that are too short or too long for it.

    A name with one typo has one half intact, so two exact look-ups find it. A typo may change the length by one: whoever looks for
    the name tries the lengths around.

    Args:
        length: of the name that is looked for, at most one character off; None: that of the text.

    Example:
        >>> halves("jaws"), halves("jawws", 4)
        (('4<ja', '4>ws'), ('4<ja', '4>ws'))
    """
    length = length or len(text)
    if not _SHORTEST_HALVED <= length <= _LONGEST_HALVED:
        return None
    head = length // 2
    return f"{length}<{text[:head]}", f"{length}>{text[head - length :]}"


def entity_id(kind: str, name: str) -> str:
    """Return the id of an entity that is known by nothing but its kind and name, as in triples."""
    return f"{kind}:{name}"


def split_id(id: str) -> tuple[str, str]:  # noqa: A002
    """Return kind and name of an id like "person:Mel Gibson"; an id without a kind gives "" and itself."""
    kind, colon, name = id.partition(":")
    return (kind, name) if colon else ("", id)
