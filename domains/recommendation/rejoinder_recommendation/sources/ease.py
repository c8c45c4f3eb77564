"""EASE: a linear autoencoder in closed form."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import linalg

from rejoinder_recommendation.histories import Floats, Histories

__all__ = ["Ease"]

_MOST_ITEMS: Final = 10_000
"""Less frequent items than so many get the score 0."""


class Ease:
    """Reconstruct a user's items from the user's other items: B = I - P / diag(P) with P = (X'X + regularisation I)^-1.

    Where users are fewer than items, P is never made: P = (I - X' (XX' + regularisation I)^-1 X) / regularisation by Woodbury's identity.

    Source: Steck 2019, Embarrassingly Shallow Autoencoders for Sparse Data (WWW; arXiv:1905.03375), equation 8.

    Args:
        events: of all users.
        regularisation: > 0.
    """

    def __init__(self, events: Histories, *, regularisation: float) -> None:
        """Solve for B."""
        self._kept = np.sort(np.argsort(-events.counts, kind="stable")[:_MOST_ITEMS])
        matrix = events.matrix()[:, self._kept]
        self._regularisation = regularisation
        self._users = matrix if matrix.shape[0] < matrix.shape[1] else None
        gram = ((matrix @ matrix.T) if self._users is not None else (matrix.T @ matrix)).toarray()
        gram[np.diag_indices_from(gram)] += regularisation
        if self._users is not None:
            self._inner: Floats = linalg.solve(gram, matrix.toarray(), assume_a="pos")
            self._diagonal = (1 - np.asarray(matrix.multiply(self._inner).sum(axis=0)).ravel()) / regularisation
        else:
            self._inner = linalg.inv(gram)
            self._diagonal = np.diag(self._inner).copy()

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items)."""
        known = queries.matrix()[:, self._kept]
        if self._users is None:
            product = known @ self._inner
        else:
            product = (known.toarray() - (known @ self._users.T) @ self._inner) / self._regularisation
        found = np.zeros((len(queries), queries.n_items))
        found[:, self._kept] = known.toarray() - product / self._diagonal
        return found
