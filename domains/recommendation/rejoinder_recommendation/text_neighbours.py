"""What is known of an item through items with like texts: all that there is for an item that nobody has touched."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy import sparse

from rejoinder_recommendation.histories import Bools, Floats

__all__ = ["TextNeighbours"]

_NEIGHBOURS: Final = 20
_SHARPNESS: Final = 20.0
_BLOCK: Final = 512


class TextNeighbours:
    """Each item's nearest touched items by text, itself left out, so that a touched item is seen as an untouched one would be.

    Args:
        vectors: (items, dim), rows of length 1, or 0 for an item without text.
        touched: (items), those that can be neighbours.
    """

    def __init__(self, vectors: Floats, touched: Bools) -> None:
        """Find the neighbours; nearer ones weigh more (softmax of the cosine), and an item's weights add up to 1."""
        n_items = len(vectors)
        candidates = np.flatnonzero(touched & (np.linalg.norm(vectors, axis=1) > 0))
        count = min(_NEIGHBOURS, len(candidates) - 1)
        self._weights: Any = sparse.csr_matrix((n_items, n_items), dtype=np.float32)
        if count < 1:
            return
        rows, columns, weights = [], [], []
        for start in range(0, n_items, _BLOCK):
            block = np.arange(start, min(start + _BLOCK, n_items))
            block = block[np.linalg.norm(vectors[block], axis=1) > 0]
            cosine = vectors[block] @ vectors[candidates].T
            cosine[block[:, None] == candidates] = -np.inf
            nearest = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
            weight = np.exp(_SHARPNESS * (np.take_along_axis(cosine, nearest, axis=1) - 1))
            weights.append((weight / weight.sum(axis=1, keepdims=True)).ravel().astype(np.float32))
            rows.append(np.repeat(block, count))
            columns.append(candidates[nearest].ravel())
        flat = np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))
        self._weights = sparse.csr_matrix(flat, shape=(n_items, n_items))

    def lift(self, scores: Floats) -> Floats:
        """Return the neighbours' mean in the place of each item's own score; scores are (queries, items) or (items)."""
        return np.asarray((self._weights @ scores.T.astype(np.float32)).T)
