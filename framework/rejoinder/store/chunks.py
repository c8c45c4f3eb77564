"""Values for `IN (...)`, of which a statement takes so many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

__all__ = ["in_chunks"]

_T = TypeVar("_T")

_MOST: Final = 500


def in_chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Return values, in order, in parts that one statement takes; no part for no values."""
    for start in range(0, len(values), _MOST):
        yield values[start : start + _MOST]
