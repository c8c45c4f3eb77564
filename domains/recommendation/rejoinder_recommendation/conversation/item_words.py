"""Which items say what: sparse matrices of items and words or values, rarer ones weighing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from rejoinder_recommendation.histories import Floats, Ints

__all__ = ["Columns", "likeness", "weighted"]


class Columns:
    """A number for each word or value that an item said, in the order in which they came; it only grows."""

    def __init__(self, of: Mapping[Any, int] | None = None) -> None:
        self.of: dict[Any, int] = dict(of or {})

    def __len__(self) -> int:
        return len(self.of)

    def numbers(self, said: Sequence[Any]) -> Ints:
        """Return the number of each, those that are new included."""
        of = self.of
        return np.array([of.setdefault(one, len(of)) for one in said], dtype=np.int64)


def weighted(rows: Sequence[Ints], width: int) -> Any:
    """Return a CSR matrix (rows, width) of inverse document frequencies, rows of length 1 or 0.

    Args:
        rows: of each the columns that it has, each once.
    """
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    columns = np.concatenate([*rows, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    held = np.bincount(columns, minlength=width)
    weights = np.log(1 + len(rows) / np.maximum(1, held))[columns]
    matrix = sparse.csr_matrix((weights, columns, starts), shape=(len(rows), max(1, width)))
    length = np.sqrt(np.bincount(np.repeat(np.arange(len(rows)), np.diff(starts)), weights**2, len(rows)))
    matrix.data /= np.repeat(np.where(length > 0, length, 1), np.diff(starts))
    return matrix


def likeness(matrix: Any, places: Ints) -> Floats:
    """Return (items, places) cosines with the items at some places."""
    return np.asarray((matrix @ matrix[places].T).todense())
