"""Make one reward per task and part out of what several plugins said, and see how much one reward says."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from rejoinder.payloads import Reward

FULL_WEIGHT: Final = 0.5
"""A reward of this weight, as a customer's thumb has it, or of more says all that it says; a lighter one says less."""


def merge_rewards(rewards: Iterable[Reward]) -> tuple[Reward, ...]:
    """Average rewards of one task, part and index by weight; weights add up, reasons are joined, the weightiest correction stays.

    Rewards of weight 0 are kept only where nothing else speaks of the same.

    Example:
        >>> merged = merge_rewards([Reward(task="intent", value=1.0, weight=3.0, reason="thumbs up"),
        ...                         Reward(task="intent", value=0.0, weight=1.0, reason="asked again")])
        >>> merged[0].value, merged[0].weight, merged[0].reason
        (0.75, 4.0, 'thumbs up; asked again')
    """
    groups: dict[tuple[str, str, int | None], list[Reward]] = defaultdict(list)
    for reward in rewards:
        groups[reward.task, reward.about, reward.index].append(reward)
    return tuple(_merged(group) for group in groups.values())


def shrunk(value: float, weight: float) -> float:
    """Return a reward as one number in [0, 1]: what weighs less lies nearer to 0.5, which says nothing.

    Example:
        >>> shrunk(0.0, 0.5), round(shrunk(0.0, 0.05), 3), shrunk(1.0, 3.0)
        (0.0, 0.45, 1.0)
    """
    return 0.5 + (value - 0.5) * min(1.0, weight / FULL_WEIGHT)


def _merged(group: list[Reward]) -> Reward:
    weight = min(sum(reward.weight for reward in group), sys.float_info.max)
    speaking = [reward for reward in group if reward.weight > 0] or group
    most = max(reward.weight for reward in group) or 1.0
    shares = [
        (reward.value, reward.weight / most) for reward in group
    ]  # no product is too small or too large for a float
    value = (
        sum(value * share for value, share in shares) / sum(share for _, share in shares) if weight else group[0].value
    )
    corrections = [reward for reward in speaking if reward.correction is not None]
    return Reward(
        task=group[0].task,
        about=group[0].about,
        index=group[0].index,
        value=min(1.0, max(0.0, value)),
        weight=weight,
        reason="; ".join(dict.fromkeys(reward.reason for reward in speaking)),
        correction=max(corrections, key=lambda reward: reward.weight).correction if corrections else None,
    )
