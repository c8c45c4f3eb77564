"""Which events are held out from training, and to be found again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rejoinder_recommendation.histories import Bools, Histories, Ints

__all__ = ["HoldOut", "cold_items", "hold_out_cold", "hold_out_last"]


@dataclass(frozen=True, slots=True, eq=False)
class HoldOut:
    """Events to learn from, and one item for each of some users to be found.

    Attributes:
        training: of all users.
        queries: (n, items) what is known of the users asked about, a row each.
        targets: (n), the item held out of each.
        candidates: (items), those ranked for everyone; a user's own are left out besides.
        seen: (n) histories of what is not ranked for each, candidates or not.
    """

    training: Histories
    queries: Histories
    targets: Ints
    candidates: Bools
    seen: Histories

    def __len__(self) -> int:
        return len(self.targets)

    def ranked(self, rows: slice) -> Bools:
        """(rows, items), which items are ranked for these queries: candidates that the user has not seen; the targets are among them."""
        chosen = np.arange(len(self))[rows]
        ranked = np.tile(self.candidates, (len(chosen), 1))
        seen = self.seen.take(chosen)
        ranked[seen.users, seen.items] = False
        return ranked


def hold_out_last(histories: Histories, *, least: int = 2) -> HoldOut:
    """Hold out every user's last event, for users with at least so many; the others' stay in training. All unseen items are ranked."""
    held = (histories.ages == 0) & (histories.lengths >= least)[histories.users]
    training = histories.keep(~held)
    queries = training.take(histories.users[held])
    everything = np.ones(histories.n_items, dtype=bool)
    return HoldOut(training, queries, histories.items[held], everything, queries)


def hold_out_cold(histories: Histories, cold: Bools) -> HoldOut:
    """Hold cold items from all training, and every user's last event from it too; rank among cold items only.

    A user's target is the last of the cold items that the user has, provided that others came before it; what the user did before it,
    cold items aside, is what is known.

    Args:
        cold: (items).
    """
    is_cold = cold[histories.items]
    training = histories.keep(~is_cold & (histories.ages > 0))
    last = np.full(len(histories), -1)
    np.maximum.at(last, histories.users[is_cold], np.flatnonzero(is_cold))
    before = histories.keep(np.arange(len(histories.items)) < last[histories.users])
    known = before.keep(~cold[before.items])
    asked = np.flatnonzero((last >= 0) & (known.lengths > 0))
    return HoldOut(training, known.take(asked), histories.items[last[asked]], cold, before.take(asked))


def cold_items(items: Sequence[str], share: float) -> Bools:
    """Return which items a share takes, by the SHA-256 of their ids: the same ones in every file and with every seed.

    Args:
        share: 0 to 1; about so many of all.
    """
    hashes = np.array(
        [int.from_bytes(hashlib.sha256(item.encode()).digest()[:8], "big") for item in items], dtype=np.uint64
    )
    return np.asarray(hashes / 2.0**64 < share)
