"""Matrix factorisation for implicit feedback by alternating least squares."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np

from rejoinder_recommendation.histories import Floats, Histories

__all__ = ["ImplicitAls"]

_SWEEPS: Final = 12


class ImplicitAls:
    """Factors of users and items: an event is a 1 of confidence 1 + `confidence`, everything else a 0 of confidence 1.

    Source: Hu, Koren & Volinsky 2008, Collaborative Filtering for Implicit Feedback Datasets (ICDM), equations 4 and 5.

    Args:
        events: of all users.
        factors: length of a vector, >= 1.
        regularisation: > 0.
        confidence: > 0.
        seed: of the vectors that it starts from.
    """

    def __init__(self, events: Histories, *, factors: int, regularisation: float, confidence: float, seed: int) -> None:
        """Alternate between users and items."""
        self._regularisation = regularisation
        self._confidence = confidence
        matrix = events.matrix()
        turned = matrix.T.tocsr()
        items: Floats = np.random.default_rng(seed).normal(scale=0.1, size=(events.n_items, factors))
        for _ in range(_SWEEPS):
            users = self._solve(matrix, items, self._base(items))
            items = self._solve(turned, users, self._base(users))
        self._items = items.astype(np.float32)

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items); a user's vector is solved for anew from the user's items."""
        users = self._solve(queries.matrix(), self._items, self._items_base)
        return (users.astype(np.float32) @ self._items.T).astype(np.float64)

    @cached_property
    def _items_base(self) -> Floats:
        return self._base(self._items.astype(np.float64))

    def _base(self, vectors: Floats) -> Floats:
        """Return what everybody's equations have in common: (factors, factors)."""
        return np.asarray(vectors.T @ vectors + self._regularisation * np.eye(vectors.shape[1]))

    def _solve(self, matrix: Any, others: Any, base: Floats) -> Floats:
        """Return the rows' vectors that fit best, the others' vectors as they are."""
        found = np.zeros((matrix.shape[0], others.shape[1]))
        for row in np.flatnonzero(np.diff(matrix.indptr)):
            chosen = others[matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]].astype(np.float64)
            found[row] = np.linalg.solve(
                base + self._confidence * chosen.T @ chosen, (1 + self._confidence) * chosen.sum(axis=0)
            )
        return found
