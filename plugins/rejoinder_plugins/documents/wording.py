"""Put what was found into the tenant's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rejoinder_plugins.documents.settings import DocumentsSettings, DocumentsTexts, Tone

SHIPPED: Final[Mapping[Tone, DocumentsTexts]] = {
    "plain": DocumentsTexts(),
    "friendly": DocumentsTexts(greeting="Hi, happy to help!", closing="Anything else I can do for you?"),
    "formal": DocumentsTexts(
        greeting="Thank you for your inquiry.", closing="Please let us know if you have any further questions."
    ),
}
"""The words of each tone."""

_NO_WORD: Final = re.compile(r"\W+")
_SLOT: Final = re.compile(r"\{\{\s*([^{}\n]{1,80}?)\s*\}\}|\{(\w{1,80})\}")


def worded(text: str, settings: DocumentsSettings, slots: Mapping[str, str], *, first: bool) -> str:
    """Return an answer in the tenant's tone.

    Args:
        slots: by name, what the message named; `settings.values` come first.
        first: whether it is the first answer of a conversation.
    """
    texts = settings.texts if settings.tone == "own" else SHIPPED[settings.tone]
    values = {**slots, **settings.values}
    parts = (
        filled(texts.greeting, values) if first else "",
        filled(texts.answer, {**values, "answer": text}),
        filled(texts.closing, values),
    )
    return "\n\n".join(part for part in parts if part.strip())


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its slots filled: `{name}`, or `{{Some Name}}` as past replies have them.

    Of one without a value, `{name}` stays, and `{{Some Name}}` becomes its words, so that a person can read it.

    Example:
        >>> filled("Order {{Order Number}} of {company}: call {{Support Phone}}.", {"order_number": "17", "company": "Acme"})
        'Order 17 of Acme: call (support phone).'
    """
    known = {_named(name): value for name, value in values.items()}

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return known.get(_named(name), f"({name.lower()})" if found[1] else found[0])

    return _SLOT.sub(value, text)


def _named(name: str) -> str:
    return _NO_WORD.sub("_", name.strip().casefold()).strip("_")
