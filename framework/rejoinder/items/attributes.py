"""What an item says of itself in values that others may share: its tags, and its attributes, such as brand or director."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["TAG", "attributes_of"]

TAG: Final = "tag"
"""The attribute that an item's tags are."""

_MOST_NAMES: Final = 20
_MOST_VALUES: Final = 50
_MOST_CHARS: Final = 200


def attributes_of(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return an item's values by attribute, each once, of what is kept as `Item.data`.

    An attribute is what was sent as `data` under a name: a text, whose values are parted by `|`, or a list of texts. Numbers and addresses
    say nothing that items share, and texts of more than 200 characters are no values. At most 20 attributes, of 50 values each.

    Example:
        >>> attributes_of({"tags": ["drama"], "data": {"director": "Ang Lee", "year": 2005}})
        {'tag': ('drama',), 'director': ('Ang Lee',)}
    """
    more = data.get("data") or {}
    found: dict[str, tuple[str, ...]] = {}
    for name, value in ((TAG, data.get("tags") or ()), *more.items()):
        values = _values(value)
        if values:
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *values)))[:_MOST_VALUES]
        if len(found) == _MOST_NAMES:
            break
    return found


def _values(value: Any) -> list[str]:
    texts = value.split("|") if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    kept = (one.strip() for one in texts if isinstance(one, str))
    return [one for one in kept if 0 < len(one) <= _MOST_CHARS and "://" not in one]
