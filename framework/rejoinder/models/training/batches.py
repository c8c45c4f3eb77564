"""Which features make a step, and which are held out. Pure functions of lengths, groups and the seed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np

_POOL_BATCHES: Final = 16
"""Batches are cut from pools of this many, sorted by length: little padding, and still another mixture every epoch."""


def epoch_batches(
    lengths: Sequence[int],
    size: int,
    *,
    seed: int,
    epoch: int,
    rehearsed: Collection[int] = (),
    groups: Sequence[str] = (),
) -> list[list[int]]:
    """Return the batches of one epoch: each new row once, rows of like length together, in an order that seed and epoch fix.

    Where there are new rows and rehearsed ones, half of each batch is rehearsal (Rolnick et al. 2019, arXiv:1811.11682): each epoch as many
    of them as there are new rows, from all groups alike, and other ones each epoch. Otherwise each row comes once.

    Args:
        lengths: tokens of each row.
        size: rows of a batch, >= 1; the last of the smallest pool may have fewer. Of 1, batches with rehearsal have two.
        seed: of the run.
        epoch: from 0.
        rehearsed: rows that were learned before.
        groups: of each row; needed where rows are rehearsed.
    """
    import numpy as np

    rng = np.random.default_rng([seed, epoch])
    old = set(rehearsed)
    if not 0 < len(old) < len(lengths):
        batches = _batches(rng.permutation(len(lengths)).tolist(), lengths, size)
        return [batches[place] for place in rng.permutation(len(batches))]
    new = [row for row in rng.permutation(len(lengths)).tolist() if row not in old]
    half = max(1, size // 2)
    again = _rehearsal(sorted(old), groups, len(new), rng)
    pairs = zip(_batches(new, lengths, half), _batches(again, lengths, half), strict=True)
    batches = [[*one, *other] for one, other in pairs]
    return [batches[place] for place in rng.permutation(len(batches))]


def _batches(order: Sequence[int], lengths: Sequence[int], size: int) -> list[list[int]]:
    batches: list[list[int]] = []
    for start in range(0, len(order), size * _POOL_BATCHES):
        pool = sorted(order[start : start + size * _POOL_BATCHES], key=lambda row: lengths[row])
        batches += [pool[i : i + size] for i in range(0, len(pool), size)]
    return batches


def _rehearsal(old: Sequence[int], groups: Sequence[str], count: int, rng: np.random.Generator) -> list[int]:
    """Draw `count` of the old rows: first one of each group, then a second one, and so on; all once more where they do not suffice."""
    drawn: list[int] = []
    while len(drawn) < count:
        turns: Counter[str] = Counter()
        ranked = []
        for place, row in enumerate(old[one] for one in rng.permutation(len(old)).tolist()):
            ranked.append((turns[groups[row]], place, row))
            turns[groups[row]] += 1
        drawn += [row for _, _, row in sorted(ranked)[: count - len(drawn)]]
    return drawn


def held_out_rows(groups: Sequence[str], examples: Sequence[int], share: float, *, seed: int) -> list[int]:
    """Return the rows to hold out: about `share` of each group's examples, all rows of an example together.

    A group always keeps an example for training, so a group of one gives none; nothing is held out where the share makes less than one
    example in all.

    Args:
        groups: of each row.
        examples: of each row, the example that it comes from.
        share: in [0, 1).
        seed: of the run.
    """
    import numpy as np

    rng = np.random.default_rng([seed, 0x5EED])
    group_of = dict(zip(examples, groups, strict=True))
    by_group: dict[str, list[int]] = {}
    for example in sorted(group_of):
        by_group.setdefault(group_of[example], []).append(example)
    out: set[int] = set()
    owed = 0.0  # what rounding down left over goes to the next groups, so that many small groups give their share, too
    for group in sorted(by_group):
        members = by_group[group]
        owed += share * len(members)
        count = min(int(owed), len(members) - 1)
        owed -= count
        out.update(members[place] for place in rng.permutation(len(members))[:count])
    return [row for row, example in enumerate(examples) if example in out]
