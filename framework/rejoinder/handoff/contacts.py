"""An e-mail address or a phone number in a message, for people to call back."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["find_contact"]

_EMAIL: Final = re.compile(r"[\w.+'-]{1,64}@(?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24}\b")
_PHONE: Final = re.compile(r"(?<![\w-])\+?(?:\(\d{1,5}\)|\d)(?:[ ./()-]{0,2}\d){5,14}(?!\w)")
_DATE: Final = re.compile(r"(?:\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|(?:19|20)\d\d[ ./-]\d{1,2}[ ./-]\d{1,2})(?!\d)")
_DIALLED: Final = re.compile(r"\+|\(?0")
_OF_SOMETHING: Final = re.compile(
    r"(?:#|\b(?:orders?|purchase|parcel|package|tracking|invoice|bill|ticket|case|reference|ref|customer|account|card|iban|date)\b)"
    r"[^\w+]*(?:(?:number|no|nr|id|is|was)\b[^\w+]*){0,3}$",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"\b(?:number|nr)\b[^\w+]*(?:is\b[^\w+]*)?$", re.IGNORECASE)
_OF_A_PHONE: Final = re.compile(
    r"\b(?:phone|telephone|mobile|cell|tel|whatsapp|call|reach|ring|text|my number)\b", re.IGNORECASE
)
_NEAR: Final = 60
"""Characters before a number that tell what it is of."""
_SHORT: Final = 200
"""Characters up to which a message may say little else than a number."""
_LITTLE: Final = re.compile(
    r"(?:my|the|a|phone|telephone|mobile|cell|tel|number|no|nr|is|it|its|s|this|that|here|call|me|back|at|on|under|you|can|could|reach|"
    r"please|thanks|thank|ok|okay|yes|sure|i|m|im|or|and)"
)


def find_contact(text: str) -> str | None:
    """Return the first e-mail address, else the first phone number (6 to 15 digits, as E.164 allows), in a text.

    Digits are a phone number where they begin as one is dialled (`+` or 0), or where the message says little else; never a date, and
    never the number of an order or the like.

    Example:
        >>> [find_contact(text) for text in ("ana@shop.example please", "call me: +351 21 123 4567", "cancel order 12345678")]
        ['ana@shop.example', '+351 21 123 4567', None]
    """
    address = _EMAIL.search(text)
    if address is not None:
        return address[0].strip()
    return next((found[0].strip() for found in _PHONE.finditer(text) if _is_phone_number(text, found)), None)


def _is_phone_number(text: str, found: re.Match[str]) -> bool:
    before = text[max(0, found.start() - _NEAR) : found.start()]
    if _DATE.match(found[0]) or _OF_SOMETHING.search(before):
        return False
    if _NUMBER.search(before) and not _OF_A_PHONE.search(before):
        return False
    if _DIALLED.match(found[0]):
        return True
    rest = f"{text[: found.start()]} {text[found.end() :]}"
    return len(text) <= _SHORT and all(_LITTLE.fullmatch(word) for word in re.findall(r"\w+", rest.casefold()))
