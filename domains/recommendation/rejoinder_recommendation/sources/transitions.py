"""What usually comes next to what, among those who were as far as this user, and near in time."""

from __future__ import annotations

from typing import Final

import numpy as np

from rejoinder_recommendation.histories import Floats, Histories, Ints

__all__ = ["Transitions"]

_DAY_S: Final = 86_400
_FEW: Final = 5.0
"""Added to the weight of an item's neighbours, so that a single one is no certainty."""
_AGE: Final = 0.7
"""Weight of a user's item for each of the user's events after it."""
_BEFORE: Final = 0.3
"""Weight of what others did before an item, beside 1 for what they did after it."""
_FAR: Final = 4.0
"""An event so many times as far into a history as the user's own counts half: beginners are told of by beginnings."""
_MOST: Final = 500
"""So many events of each item are looked at, those around the user's time."""


class Transitions:
    """Sum up what others did next to a user's last items: the nearer in the order, in time and in place, the more.

    Source: Garg et al. 2019, Sequence and Time Aware Neighborhood for Session-based Recommendations: STAN (SIGIR), whose three
    decays these are, for each item of the user rather than for whole sessions; the place in the history is added here.

    Args:
        events: of all users.
        decay: weight of one event more between two, in (0, 1).
        window: how many neighbours on either side, and how many of a user's last items, are looked at, >= 1.
        half_life_days: an event so far from the user's last one in time counts half, > 0.
    """

    def __init__(self, events: Histories, *, decay: float, window: int, half_life_days: float) -> None:
        """Sort the events by item and time."""
        self._events = events
        self._users = events.users
        self._by_item = np.lexsort((events.seconds, events.items))
        self._starts = np.concatenate([[0], np.cumsum(events.counts.astype(np.int64))])
        self._decay = decay
        self._window = window
        self._half_life_s = half_life_days * _DAY_S

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items)."""
        found = np.zeros((len(queries), queries.n_items))
        for row, (start, end) in enumerate(zip(queries.starts[:-1], queries.starts[1:], strict=True)):
            if start < end:
                found[row] = self._scores(queries.items[start:end], float(queries.seconds[end - 1]))
        return found

    def _scores(self, items: Ints, now: float) -> Floats:
        """Return (items) for what one user did, in order; `now` is the time of the last of it."""
        events = self._events
        last = items[::-1][: self._window]
        matches = [self._around(item, now) for item in last]
        ages = np.repeat(np.arange(len(last)), [len(one) for one in matches])
        match = np.concatenate(matches)
        starts, ends = events.starts[self._users[match]], events.starts[self._users[match] + 1]
        stage = np.abs(np.log2((match - starts + 1) / (len(items) - ages))) / np.log2(_FAR)
        near = np.exp2(-np.abs(events.seconds[match] - now) / self._half_life_s - stage)

        steps = np.arange(1, self._window + 1)
        offsets = np.concatenate([steps, -steps])
        fades = self._decay ** (np.abs(offsets) - 1) * np.where(offsets > 0, 1.0, _BEFORE)
        beside = match[:, None] + offsets
        same = (beside >= starts[:, None]) & (beside < ends[:, None])
        weights = near[:, None] * fades * same
        total = np.bincount(ages, weights.sum(axis=1), len(last))
        weights *= (_AGE**ages / (total + _FEW)[ages])[:, None]
        return np.bincount(events.items[beside[same]], weights[same], events.n_items).astype(np.float64)

    def _around(self, item: int, now: float) -> Ints:
        """Return the events of an item, at most so many around that time."""
        found = self._by_item[self._starts[item] : self._starts[item + 1]]
        if len(found) <= _MOST:
            return found
        middle = int(np.searchsorted(self._events.seconds[found], now))
        first = min(max(middle - _MOST // 2, 0), len(found) - _MOST)
        return found[first : first + _MOST]
