"""What to call a label where nobody gave it a title."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["humanised"]

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN_WORDS: Final = re.compile(r"[\s_\-./:]+")


def humanised(label: str) -> str:
    """Return a label as a person would write it; one without words as it is.

    Example:
        >>> humanised("Refund_not_showing_up"), humanised("cancelOrder")
        ('Refund not showing up', 'Cancel order')
    """
    words = _BETWEEN_WORDS.sub(" ", _HUMP.sub(" ", label)).strip()
    return words.capitalize() if words else label
