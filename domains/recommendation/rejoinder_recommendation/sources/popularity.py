"""Popularity with time decay."""

from __future__ import annotations

from typing import Final

import numpy as np

from rejoinder_recommendation.histories import Floats, Histories

__all__ = ["Popularity"]

_STEPS: Final = 8
"""A half-life is divided into so many steps; users of the same step see the same popularity."""


class Popularity:
    """Count each item's events, those farther from a user's last event for less.

    Args:
        events: of all users.
        half_life_days: an event so far away counts half, > 0.
    """

    def __init__(self, events: Histories, *, half_life_days: float) -> None:
        """Keep the events."""
        self._events = events
        self._half_life_s = half_life_days * 86_400

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items)."""
        events = self._events
        step = self._half_life_s / _STEPS
        moments, which = np.unique(np.round(queries.now / step), return_inverse=True)
        found = [
            np.bincount(
                events.items, np.exp2(-np.abs(events.seconds - moment * step) / self._half_life_s), events.n_items
            )
            for moment in moments
        ]
        return np.array(found, dtype=np.float64)[which]
