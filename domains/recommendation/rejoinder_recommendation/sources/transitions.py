"""What usually comes after what."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy import sparse

from rejoinder_recommendation.histories import Floats, Histories

__all__ = ["Transitions"]

_FEW: Final = 2.0
"""Added to how often an item was left, so that a single transition is no certainty."""


class Transitions:
    """Count which items follow an item among its user's next ones, and sum this up over the user's last items.

    The farther the follower, the less it counts, and the older a user's item, the less its followers do.

    Args:
        events: of all users.
        decay: weight of one event more between the two, in (0, 1).
        window: how many followers, and how many of a user's last items, are looked at, >= 1.
    """

    def __init__(self, events: Histories, *, decay: float, window: int) -> None:
        """Count."""
        self._decay = decay
        self._window = window
        shape = (events.n_items, events.n_items)
        counted: Any = sparse.csr_matrix(shape)
        for gap in range(1, window + 1):
            before, after = events.items[:-gap], events.items[gap:]
            same = events.users[:-gap] == events.users[gap:]
            weights = np.full(int(same.sum()), decay ** (gap - 1))
            counted = counted + sparse.csr_matrix((weights, (before[same], after[same])), shape=shape)
        scale = 1 / (np.asarray(counted.sum(axis=1)).ravel() + _FEW)
        self._following: Any = sparse.diags(scale) @ counted

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items)."""
        ages = queries.ages
        weights = np.where(ages < self._window, self._decay ** np.minimum(ages, self._window), 0.0)
        return np.asarray((queries.matrix(weights) @ self._following).toarray())
