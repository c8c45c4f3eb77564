"""Likeness of texts: what a user's items say, and what an item says."""

from __future__ import annotations

from typing import Final

import numpy as np

from rejoinder_recommendation.histories import Floats, Histories

__all__ = ["TextInterest"]

_ALL_DIRECTIONS: Final = 20_000
_DIRECTIONS: Final = 64


class TextInterest:
    """Cosine of an item's vector with the mean of the user's, later ones for more. Knows items that nobody has touched.

    Of more than 20,000 items only the 64 directions are kept in which they differ most, so that a list need not wait for their texts.

    Args:
        vectors: (items, dim), rows of length 1, or 0 for an item without text.
        half_life: an item so many events ago counts half, > 0.
    """

    def __init__(self, vectors: Floats, *, half_life: float) -> None:
        """Take what all items have in common out of the vectors."""
        some = np.linalg.norm(vectors, axis=1) > 0
        centred = np.where(some[:, None], vectors - vectors[some].mean(axis=0), 0.0) if some.any() else vectors
        if len(centred) > _ALL_DIRECTIONS:
            centred = centred @ np.linalg.eigh(centred.T @ centred)[1][:, -_DIRECTIONS:]
        self._vectors = _unit(centred).astype(np.float32)
        self._half_life = half_life

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items)."""
        known = queries.matrix(np.exp2(-queries.ages / self._half_life)).astype(np.float32)
        wanted = _unit(known @ self._vectors)
        return (wanted @ self._vectors.T).astype(np.float64)


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0))
