"""Which examples no model ever sees: a fixed hash keeps every k-th back, so that the promotion gate has something honest to test on.

The key is the text, not the example's id: two people who say the same thing fall on the same side, and no copy leaks into training.
"""

from __future__ import annotations

import hashlib
from typing import Final

DEFAULT_EVERY: Final = 10
"""One example in ten: enough for a paired test after some hundred corrections, and a tenth of the learning given up."""


def held_back(key: str, every: int = DEFAULT_EVERY) -> bool:
    """Tell whether the example with this key is kept back from all models.

    Args:
        key: the example's text (case and spaces do not matter).
        every: about one key in `every` is kept back; 0 keeps none back, 1 all.

    Returns:
        The same answer for the same key, in every process and version.

    Example:
        >>> held_back("Where is my card?", 10) == held_back("where is  my card?", 10)
        True
    """
    if every < 0:
        raise ValueError(f"every must be >= 0, came as {every}")
    if every == 0:
        return False
    normal = " ".join(key.casefold().split())
    number = int.from_bytes(hashlib.sha256(normal.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return number % every == 0
