"""An e-mail address or a phone number in a message, for people to call back."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["find_contact"]

_EMAIL: Final = re.compile(r"[\w.+'-]{1,64}@(?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24}\b")
_PHONE: Final = re.compile(r"(?<![\w-])\+?(?:\(\d{1,5}\)|\d)(?:[ ./()-]{0,2}\d){5,14}(?!\w)")


def find_contact(text: str) -> str | None:
    """Return the first e-mail address, else the first phone number (6 to 15 digits, as E.164 allows), in a text.

    Example:
        >>> [find_contact(text) for text in ("ana@shop.example please", "call me: +351 21 123 4567", "no")]
        ['ana@shop.example', '+351 21 123 4567', None]
    """
    found = _EMAIL.search(text) or _PHONE.search(text)
    return None if found is None else found[0].strip()
