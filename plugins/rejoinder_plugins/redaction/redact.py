"""Replace personal numbers and addresses in a text by placeholders that say what stood there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rejoinder_plugins.redaction.iban import find_ibans
from rejoinder_plugins.redaction.numbers import find_cards, find_phones, runs
from rejoinder_plugins.redaction.settings import RedactionSettings

_EMAIL: Final = re.compile(
    r"(?<![\w.%+\-'])[\w.%+\-']++@(?:[\w\-]++\.)++(?<=\.)(?:xn--[\w\-]+|[^\W\d_]{2,})", re.IGNORECASE
)
_DIGITS: Final = re.compile(r"\d")

ALL: Final = RedactionSettings()


def redact(text: str, settings: RedactionSettings = ALL) -> str:
    """Return the text with e-mail addresses, IBANs, card and phone numbers replaced; doing it twice changes nothing more.

    Takes time linear in the text, whatever it holds.

    Example:
        >>> redact("Charge 4111 1111 1111 1111 and write to ann@example.org")
        'Charge [CARD_NUMBER] and write to [EMAIL]'
    """
    while True:
        redacted = _once(text, settings)
        if redacted == text:
            return text
        text = redacted  # what was replaced may have hidden a neighbour: look again


def _once(text: str, settings: RedactionSettings) -> str:
    keep = frozenset(_bare(one) for one in settings.keep)
    if settings.emails and "@" in text:
        text = _replaced(text, (found.span() for found in _EMAIL.finditer(text)), "[EMAIL]", keep)
    if not _DIGITS.search(text):
        return text
    if settings.ibans:
        text = _replaced(text, find_ibans(text), "[IBAN]", keep)
    found = runs(text) if settings.card_numbers or settings.phones else []
    if settings.card_numbers and (cards := [place for run in found for place in find_cards(run)]):
        text = _replaced(text, cards, "[CARD_NUMBER]", keep)
        found = runs(text)
    if settings.phones:
        text = _replaced(text, (place for run in found for place in find_phones(run)), "[PHONE]", keep)
    return text


def _replaced(text: str, places: Iterable[tuple[int, int]], placeholder: str, keep: frozenset[str]) -> str:
    parts: list[str] = []
    position = 0
    for start, end in places:
        if not keep or _bare(text[start:end]) not in keep:
            parts += (text[position:start], placeholder)
            position = end
    return "".join((*parts, text[position:])) if parts else text


def _bare(text: str) -> str:
    """Return letters, digits and @ of a number or address: what is left however it is spaced."""
    return "".join(character for character in text.casefold() if character.isalnum() or character == "@")
