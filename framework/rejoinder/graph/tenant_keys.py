"""The part of a graph server's names that stands for one tenant."""

from __future__ import annotations

import hashlib
import re
from typing import Final

__all__ = ["key_of"]

_MOST_CHARS: Final = 40


def key_of(tenant: str) -> str:
    """Return a tenant's key: [a-z0-9_], at most 46 characters, and never the same for two tenants.

    Small letters and digits stand for themselves; any other character is its number between two underscores. What gets too long is a
    hash after `h__`, which no other key begins with.

    Example:
        >>> key_of("acme"), key_of("Acme-1")
        ('acme', '_41_cme_2d_1')
    """
    key = re.sub(r"[^a-z0-9]", lambda found: f"_{ord(found[0]):x}_", tenant)
    return key if len(key) <= _MOST_CHARS else f"h__{hashlib.sha256(tenant.encode()).hexdigest()[:_MOST_CHARS]}"
