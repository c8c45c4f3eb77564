"""Orders that weigh how good items are against how alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["diverse_orders"]


def diverse_orders(scores: Floats, likeness: Floats, depth: int, diversity: float) -> Ints:
    """Return (orders, depth) places of items, best first, by maximal marginal relevance, for several scores of the same items at once.

    Source: Carbonell & Goldstein 1998, The use of MMR, diversity-based reranking (SIGIR); relevance less `diversity` times the greatest
    likeness to an item above.

    Args:
        scores: (orders, items).
        likeness: (items, items), such as cosines.
        depth: at most as many as there are items.
        diversity: >= 0; 0: by score alone.
    """
    if not diversity:
        return np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    rows = np.arange(len(scores))
    found = np.zeros((len(scores), depth), dtype=np.int64)
    left = scores.copy()
    nearest = np.zeros_like(scores)
    for place in range(depth):
        chosen = np.argmax(left - diversity * nearest, axis=1)
        found[:, place] = chosen
        left[rows, chosen] = -np.inf
        nearest = np.maximum(nearest, likeness[chosen])
    return found
