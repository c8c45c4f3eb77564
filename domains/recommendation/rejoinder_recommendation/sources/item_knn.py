"""Item-based nearest neighbours."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy import sparse

from rejoinder_recommendation.histories import Floats, Histories

__all__ = ["ItemKnn"]

_BLOCK: Final = 512


class ItemKnn:
    """Score an item by its cosine with each of the user's items, counting only the nearest neighbours of these.

    Source: Deshpande & Karypis 2004, Item-Based Top-N Recommendation Algorithms (ACM TOIS 22(1)).

    Args:
        events: of all users.
        neighbours: kept of each item, >= 1.
        shrinkage: added to the product of the norms, >= 0, so that few users in common make no great likeness.
    """

    def __init__(self, events: Histories, *, neighbours: int, shrinkage: float) -> None:
        """Find the neighbours."""
        matrix = events.matrix()
        norms = np.sqrt(events.counts)
        rows = []
        for start in range(0, events.n_items, _BLOCK):
            block = slice(start, min(start + _BLOCK, events.n_items))
            common = (matrix[:, block].T @ matrix).toarray()
            likeness = common / (norms[block, None] * norms + shrinkage + (common == 0))
            likeness[np.arange(len(likeness)), np.arange(block.start, block.stop)] = 0
            rows.append(_nearest(likeness, neighbours))
        self._likeness: Any = sparse.vstack(rows, format="csr")

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items)."""
        return np.asarray((queries.matrix() @ self._likeness).toarray())


def _nearest(likeness: Floats, neighbours: int) -> Any:
    """Return the rows as a CSR matrix with only the `neighbours` greatest of each."""
    if likeness.shape[1] > neighbours:
        least = np.partition(likeness, -neighbours, axis=1)[:, -neighbours]
        likeness = np.where(likeness >= least[:, None], likeness, 0)
    return sparse.csr_matrix(likeness)
