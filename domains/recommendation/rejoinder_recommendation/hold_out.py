"""Which events are held out from training, and to be found again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rejoinder_recommendation.histories import Bools, Histories, Ints

__all__ = [
    "CLICKS",
    "HoldOut",
    "cold_share_of",
    "hold_out_beginnings",
    "hold_out_cold_items",
    "hold_out_cold_users",
    "hold_out_last",
    "without_cold",
]

CLICKS: Final = 3
"""So many events of a cold user are known."""


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


def hold_out_beginnings(histories: Histories, asked: Ints, lengths: Sequence[int], training: Histories) -> HoldOut:
    """Ask about users' first events, once for each length: so many are known, and the next one is to be found. All unseen items are ranked.

    Args:
        histories: of all users.
        asked: numbers of the users asked about, nothing of whom is in `training`.
        lengths: each >= 1; a user with fewer events than one more than that is not asked.
        training: what is learned from.
    """
    found = [asked[histories.lengths[asked] > length] for length in lengths]
    users = np.concatenate(found)
    known = np.repeat(np.array(lengths), [len(one) for one in found])
    events = histories.take(users)
    place = np.arange(len(events.items)) - events.starts[events.users]
    queries = events.keep(place < known[events.users])
    everything = np.ones(histories.n_items, dtype=bool)
    return HoldOut(training, queries, events.items[events.starts[:-1] + known], everything, queries)


def without_cold(histories: Histories, cold: Bools, cold_users: Bools) -> Histories:
    """Return what is left to learn from: no cold item, nothing of a cold user, and nobody's last event.

    Args:
        cold: (items).
        cold_users: (users).
    """
    return histories.keep(~cold[histories.items] & ~cold_users[histories.users] & (histories.ages > 0))


def hold_out_cold_items(histories: Histories, cold: Bools, training: Histories) -> HoldOut:
    """Rank among cold items only, for everyone who has one.

    A user's target is the last of the cold items that the user has, provided that others came before it; what the user did before it,
    cold items aside, is what is known.

    Args:
        cold: (items).
        training: what `without_cold` left.
    """
    is_cold = cold[histories.items]
    last = np.full(len(histories), -1)
    np.maximum.at(last, histories.users[is_cold], np.flatnonzero(is_cold))
    before = histories.keep(np.arange(len(histories.items)) < last[histories.users])
    known = before.keep(~cold[before.items])
    asked = np.flatnonzero((last >= 0) & (known.lengths > 0))
    return HoldOut(training, known.take(asked), histories.items[last[asked]], cold, before.take(asked))


def hold_out_cold_users(histories: Histories, cold: Bools, cold_users: Bools, training: Histories) -> HoldOut:
    """Ask about users of whom nothing was learned: their first three events are known, and the fourth is to be found, cold items aside.

    Args:
        cold: (items).
        cold_users: (users).
        training: what `without_cold` left.
    """
    warm = histories.keep(~cold[histories.items])
    asked = np.flatnonzero(cold_users & (warm.lengths > CLICKS))
    place = warm.lengths[warm.users] - 1 - warm.ages
    known = warm.keep(place < CLICKS).take(asked)
    return HoldOut(training, known, warm.items[warm.starts[asked] + CLICKS], ~cold, known)


def cold_share_of(ids: Sequence[str], share: float) -> Bools:
    """Return which items or users a share takes, by the SHA-256 of their ids: the same ones in every file and with every seed.

    Args:
        share: 0 to 1; about so many of all.
    """
    hashes = np.array(
        [int.from_bytes(hashlib.sha256(one.encode()).digest()[:8], "big") for one in ids], dtype=np.uint64
    )
    return np.asarray(hashes / 2.0**64 < share)
