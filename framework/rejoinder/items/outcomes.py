"""What came of lists of items: which of them the person turned to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rejoinder.items.behaviour import strength
from rejoinder.payloads import Decision, ShownList

if TYPE_CHECKING:
    from rejoinder.events.settings import TenantEventSettings
    from rejoinder.items.catalogue import BehaviourLog

__all__ = ["LIST_S", "with_outcomes"]

LIST_S: Final = 3600.0
"""What a person does so long after a list, and before their next one, came of it."""


def with_outcomes(lists: Sequence[Decision], log: BehaviourLog, rules: TenantEventSettings) -> list[ShownList]:
    """Return lists with a reward for each position: 1 where the person did something that speaks for the item, else 0.

    Args:
        lists: in the order in which they were shown; `user_id` names the person as in `log.names`.
        rules: the scale on which people rate.
    """
    welcome: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row, (item, kind, data) in enumerate(zip(log.items, log.kinds, log.data, strict=True)):
        if strength(kind, data, rules) > 0:
            welcome[log.names[log.people[row]], item].append(float(log.seconds[row]))
    following: dict[str | None, float] = {}
    found = []
    for one in reversed(lists):
        begun = one.at.timestamp()
        end = min(begun + LIST_S, following.get(one.user_id, float("inf")))
        following[one.user_id] = begun
        moments = [welcome.get((one.user_id or "", item), ()) for item in one.chosen]
        rewards = tuple(float(any(begun <= moment < end for moment in of_item)) for of_item in moments)
        found.append(ShownList(decision=one, rewards=rewards))
    return found[::-1]
