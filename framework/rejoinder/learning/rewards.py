"""Make one reward per task and part out of what several plugins said."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable

from rejoinder.payloads import Reward


def merge_rewards(rewards: Iterable[Reward]) -> tuple[Reward, ...]:
    """Average rewards of one task and part by weight; weights add up, reasons are joined, the weightiest correction stays.

    Rewards of weight 0 are kept only where nothing else speaks of their task and part.

    Example:
        >>> merged = merge_rewards([Reward(task="intent", value=1.0, weight=3.0, reason="thumbs up"),
        ...                         Reward(task="intent", value=0.0, weight=1.0, reason="asked again")])
        >>> merged[0].value, merged[0].weight, merged[0].reason
        (0.75, 4.0, 'thumbs up; asked again')
    """
    groups: dict[tuple[str, str], list[Reward]] = defaultdict(list)
    for reward in rewards:
        groups[reward.task, reward.about].append(reward)
    return tuple(_merged(group) for group in groups.values())


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
        value=min(1.0, max(0.0, value)),
        weight=weight,
        reason="; ".join(dict.fromkeys(reward.reason for reward in speaking)),
        correction=max(corrections, key=lambda reward: reward.weight).correction if corrections else None,
    )
