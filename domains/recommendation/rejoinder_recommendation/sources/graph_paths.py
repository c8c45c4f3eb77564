"""Paths of two steps between items: by a value that both have, or by one naming the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from rejoinder_recommendation.histories import Floats, Histories
from rejoinder_recommendation.item_content import ItemContent

__all__ = ["GraphPaths"]


class GraphPaths:
    """Sum the paths from a user's items, later ones for more, to each item. Knows items that nobody has touched.

    A path by a value (same director, same brand, same tag) counts the more, the fewer items have the value: cosine of the items'
    values, each weighted by 1 / log(1 + items that have it), after Adamic & Adar 2003, Friends and Neighbors on the Web (Social
    Networks 25(3)). A link (bought together) is a path of its own.

    Args:
        content: of all items.
        half_life: an item so many events ago counts half, > 0.
        link: what a link counts, a shared set of values being 1; >= 0.
    """

    def __init__(self, content: ItemContent, *, half_life: float, link: float) -> None:
        """Weigh the values."""
        having = np.asarray(content.attributes.sum(axis=0)).ravel()
        weighted = content.attributes @ sparse.diags(1 / np.sqrt(np.log1p(np.maximum(having, 1))))
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        norms[norms == 0] = 1
        self._values: Any = (sparse.diags(1 / norms) @ weighted).tocsr()
        self._links: Any = (content.links * link).tocsr()
        self._half_life = half_life

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items)."""
        known = queries.matrix(np.exp2(-queries.ages / self._half_life))
        return np.asarray(((known @ self._values) @ self._values.T + known @ self._links).toarray())
