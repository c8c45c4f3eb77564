"""What users did, in order: the form in which sources learn from events and are asked for scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Bools", "Floats", "Histories", "Ints"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """The events of users, one user after another, each user's in the order of time.

    Attributes:
        starts: (users + 1); user u's events are those from `starts[u]` up to `starts[u + 1]`.
        items: (events), numbers of items; a user has an item once at most.
        seconds: (events), since the epoch.
        n_items: how many items there are, seen or not.
    """

    starts: Ints
    items: Ints
    seconds: Floats
    n_items: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Ints:
        """(users), how many events each has."""
        return np.diff(self.starts)

    @property
    def users(self) -> Ints:
        """(events), the user of each event."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def ages(self) -> Ints:
        """(events), how many events of the same user came after each: 0 for the last."""
        return np.repeat(self.starts[1:], self.lengths) - 1 - np.arange(len(self.items))

    @property
    def now(self) -> Floats:
        """(users), the time of the last event, 0 for a user without one."""
        last = np.zeros(len(self))
        some = self.lengths > 0
        last[some] = self.seconds[self.starts[1:][some] - 1]
        return last

    @property
    def counts(self) -> Floats:
        """(items), how many users have each."""
        return np.bincount(self.items, minlength=self.n_items).astype(np.float64)

    def matrix(self, weights: Floats | None = None) -> Any:
        """Return users x items as a CSR matrix: 1 for each event, or its weight."""
        values = np.ones(len(self.items)) if weights is None else weights
        return sparse.csr_matrix((values, (self.users, self.items)), shape=(len(self), self.n_items))

    def keep(self, wanted: Bools) -> Histories:
        """Return the same users with only these events; `wanted` is (events)."""
        lengths = np.bincount(self.users[wanted], minlength=len(self))
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return Histories(starts, self.items[wanted], self.seconds[wanted], self.n_items)

    def take(self, users: Ints) -> Histories:
        """Return only these users, in this order."""
        rows = np.concatenate([np.arange(0), *(np.arange(self.starts[user], self.starts[user + 1]) for user in users)])
        starts = np.concatenate([[0], np.cumsum(self.lengths[users])])
        return Histories(starts, self.items[rows], self.seconds[rows], self.n_items)
