"""Item-based nearest neighbours."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
from scipy import sparse

from rejoinder_recommendation.histories import Floats, Histories, Ints

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
            common = (matrix[:, start : start + _BLOCK].T @ matrix).tocoo()
            row, column = common.row + start, common.col
            likeness = common.data / (norms[row] * norms[column] + shrinkage)
            likeness[row == column] = 0
            rows.append(_nearest(sparse.csr_matrix((likeness, (common.row, column)), shape=common.shape), neighbours))
        self._likeness: Any = sparse.vstack(rows, format="csr")

    def moved(self, came: Ints) -> Self:
        """Return the same for items in another order.

        Args:
            came: (items), the number that each item had here; -1 for an item that is new, and is nobody's neighbour yet.
        """
        known = np.flatnonzero(came >= 0)
        places = sparse.csr_matrix(
            (np.ones(len(known)), (known, came[known])), shape=(len(came), self._likeness.shape[0])
        )
        made = object.__new__(type(self))
        made._likeness = (places @ self._likeness @ places.T).tocsr()
        return made

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items)."""
        return np.asarray((queries.matrix() @ self._likeness).toarray())


def _nearest(likeness: Any, neighbours: int) -> Any:
    """Return a CSR matrix with only the `neighbours` greatest of each row."""
    for start, end in pairwise(likeness.indptr):
        row = likeness.data[start:end]
        if len(row) > neighbours:
            row[np.argpartition(row, -neighbours)[:-neighbours]] = 0
    likeness.eliminate_zeros()
    return likeness
