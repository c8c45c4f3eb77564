"""Drawing rows fairly over labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = NDArray[np.intp]


def sample_rows(columns: Columns, limit: int, rng: np.random.Generator) -> Columns:
    """Return at most `limit` rows, ascending, taking from all labels in turn so that rare ones stay in."""
    if len(columns) <= limit:
        return np.arange(len(columns))
    order = rng.permutation(len(columns))
    # Each row's turn is its place among the shuffled rows of its label; all first turns come before all second ones.
    by_label = order[np.argsort(columns[order], kind="stable")]
    _, starts, sizes = np.unique(columns[by_label], return_index=True, return_counts=True)
    turns = np.arange(len(by_label)) - np.repeat(starts, sizes)
    return np.sort(by_label[np.lexsort((rng.random(len(by_label)), turns))[:limit]])
