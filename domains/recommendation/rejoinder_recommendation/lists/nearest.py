"""Items with vectors near a vector: all compared where there are few, an approximate index where there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

__all__ = ["NearestItems"]

_EXACT: Final = 20_000


class NearestItems:
    """Finds the items with the greatest cosine.

    From 20,000 items on through a graph of near neighbours (HNSW: Malkov & Yashunin 2018, Efficient and robust approximate nearest neighbor
    search using Hierarchical Navigable Small World graphs, IEEE TPAMI; by usearch).

    Args:
        vectors: (items, dim) float32, rows of length 1 or 0.
        exact: most items that are all compared.
    """

    def __init__(self, vectors: Floats, *, exact: int = _EXACT) -> None:
        self._vectors = vectors
        self._index: Any = None
        if len(vectors) > exact:
            from usearch.index import Index

            self._index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16")
            self._index.add(np.arange(len(vectors), dtype=np.uint64), vectors)

    def find(self, vector: Floats, count: int) -> Ints:
        """Return the places of about the nearest `count` items, best first."""
        count = min(count, len(self._vectors))
        if not count or not vector.any():
            return np.zeros(0, dtype=np.int64)
        if self._index is not None:
            return np.asarray(self._index.search(vector, count).keys, dtype=np.int64)
        scores = self._vectors @ vector
        best = np.argpartition(-scores, count - 1)[:count]
        return np.asarray(best[np.argsort(-scores[best], kind="stable")], dtype=np.int64)
