"""Fill the values of slots into what is said and sent, and take values out of what came back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final
from urllib.parse import quote

from rejoinder.errors import InvalidInputError
from rejoinder.payloads import Json
from rejoinder.slots import Slot

__all__ = ["fill_json", "fill_path", "fill_query", "fill_text", "names_in", "pointed_at", "shown"]

_NAME: Final = re.compile(r"\{([^{}]*)\}")
_SENTENCE_ENDS: Final = re.compile(r"(?<=[.!?])\s+")


def names_in(template: Json) -> Iterator[str]:
    """Yield the names in braces, in a text or in all texts of a JSON value.

    Example:
        >>> list(names_in({"a": "{x} and {y}", "b": [1, "{z}"]}))
        ['x', 'y', 'z']
    """
    if isinstance(template, str):
        yield from _NAME.findall(template)
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from names_in(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from names_in(value)


def shown(value: Json, slot: Slot | None = None) -> str:
    """Return a value as a person reads it.

    Example:
        >>> [shown(value) for value in (None, True, 12.5, 3.0, "A-7")]
        ['', 'yes', '12.50', '3', 'A-7']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if slot is not None and slot.type == "date":
        return f"{(day := date.fromisoformat(str(value))).day} {day:%B %Y}"
    if slot is not None and slot.type == "choice" and value in slot.choices:
        return next(iter(slot.choices[str(value)]), str(value))
    if slot is not None and slot.type == "amount":
        return f"{float(value):.2f}"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.2f}"
    return str(value)


def fill_text(template: str, values: Mapping[str, Json], slots: Mapping[str, Slot]) -> str:
    """Return a text with the values of slots in it, as people read them.

    A sentence with a slot that has no value is left out; where no other would be left, the slot becomes nothing.

    Example:
        >>> fill_text("It is on its way. It will come on {day}.", {"day": None}, {})
        'It is on its way.'
    """
    sentences = _SENTENCE_ENDS.split(template)
    whole = [one for one in sentences if all(shown(values.get(name)) for name in _NAME.findall(one))]
    kept = template if len(whole) in (0, len(sentences)) else " ".join(whole)
    return _NAME.sub(lambda found: shown(values.get(found[1]), slots.get(found[1])), kept)


def fill_path(template: str, values: Mapping[str, Json]) -> str:
    """Return a path with values in it, each as one escaped part of a path that can lead nowhere else.

    Raises:
        InvalidInputError: a value is empty, `.` or `..`.

    Example:
        >>> fill_path("/orders/{number}", {"number": "a/../b?c"})
        '/orders/a%2F..%2Fb%3Fc'
    """

    def filled(found: re.Match[str]) -> str:
        value = shown(values.get(found[1])).strip()
        if value in ("", ".", ".."):
            raise InvalidInputError(f"{{{found[1]}}} of the path {template!r} is {value!r}, which is no part of a path")
        return quote(value, safe="")

    return _NAME.sub(filled, template)


def fill_json(template: Json, values: Mapping[str, Json]) -> Json:
    """Return a JSON value with the values of slots in its texts; a text that is nothing but `{slot}` becomes the slot's value itself.

    Example:
        >>> fill_json({"amount": "{amount}", "note": "for {who}"}, {"amount": 12.5, "who": "Ana"})
        {'amount': 12.5, 'note': 'for Ana'}
    """
    if isinstance(template, str):
        whole = _NAME.fullmatch(template)
        if whole is not None:
            return values.get(whole[1])
        return _NAME.sub(lambda found: shown(values.get(found[1])), template)
    if isinstance(template, Mapping):
        return {name: fill_json(value, values) for name, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill_json(value, values) for value in template]
    return template


def fill_query(template: Mapping[str, str], values: Mapping[str, Json]) -> dict[str, str]:
    """Return the parameters of a query with values in them, not escaped yet; one that is nothing but an empty slot is left out.

    Example:
        >>> fill_query({"email": "{email}", "size": "{size}", "gift": "{gift}"}, {"email": "a@b.example", "gift": True})
        {'email': 'a@b.example', 'gift': 'true'}
    """
    filled = {name: fill_json(text, values) for name, text in template.items()}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in filled.items()
        if value is not None
    }


def pointed_at(pointer: str, document: Json) -> Json:
    """Return what a JSON pointer (RFC 6901) points at; None where there is nothing.

    Example:
        >>> pointed_at("/items/0/name", {"items": [{"name": "boots"}]})
        'boots'
    """
    found = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isascii() and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found
