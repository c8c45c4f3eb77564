"""What rewards say of canaries so far, kept up to date: each look reads only what came since the one before.

All of it can be read anew from the store, and is after a restart. What somebody says later of the same decision counts in addition: a test
that may be looked at at any time cannot take back what it has bet upon.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.learning.gate import RewardTest
from rejoinder.learning.rewards import FULL_WEIGHT, shrunk
from rejoinder.locks import KeyedLocks
from rejoinder.store.trials import RewardedTurn, rewarded_turns

if TYPE_CHECKING:
    from rejoinder.payloads import ShownList
    from rejoinder.store.database import Database
    from rejoinder.store.tables import ModelTrial

ShownLists = Callable[[str, str, datetime], Awaitable["Sequence[ShownList] | None"]]
"""Gives the lists that were shown by a tenant's task since a moment, and of which no more may come; None: it makes no lists."""

_LATE: Final = timedelta(minutes=2)
"""Feedback is there at most so long after its moment: clocks of processes differ, and transactions take time."""

_MOST_TRIALS: Final = 10_000


@dataclass(slots=True)
class _Seen:
    """A trial's test, and what of the feedback is in it: all up to `until`, and of what came later than `until` less `_LATE` these."""

    test: RewardTest
    until: datetime
    lately: dict[str, datetime] = field(default_factory=dict)


class CanaryRewards:
    """The reward tests of canaries, for all tenants of one process.

    Args:
        shown: tells what lists earned; a list counts as one reward: 1 where any of its items was welcome, else 0.
    """

    def __init__(self, database: Database, shown: ShownLists | None = None) -> None:
        self._database = database
        self._shown = shown
        self._trials: dict[tuple[str, str], _Seen] = {}
        self._reading = KeyedLocks()

    async def test_of(self, trial: ModelTrial, *, began: datetime, canary: str, live: str) -> RewardTest:
        """Return the test of a trial, with all rewards up to now.

        Args:
            began: when the canary began to answer.
            canary, live: names of the two versions, such as "intent-7"; rewards of others do not count.
        """
        key = (trial.tenant_id, trial.id)
        async with self._reading.hold("/".join(key)):
            if len(self._trials) >= _MOST_TRIALS:
                self._trials.clear()
            seen = self._trials.setdefault(key, _Seen(RewardTest(), began))
            since = max(began, seen.until - _LATE)
            turns = await self._turns(trial, began, since)
            for turn in turns:
                if turn.feedback_id in seen.lately:
                    continue
                version = turn.version.partition("+")[0]
                if version in (canary, live):
                    seen.test.add(shrunk(turn.reward, turn.weight), canary=version == canary)
            seen.until = max([seen.until, *(turn.at for turn in turns)])
            came = seen.lately | {turn.feedback_id: turn.at for turn in turns}
            seen.lately = {one: at for one, at in came.items() if at >= seen.until - _LATE}
            return seen.test

    async def _turns(self, trial: ModelTrial, began: datetime, since: datetime) -> list[RewardedTurn]:
        shown = None if self._shown is None else await self._shown(trial.tenant_id, trial.task, since)
        if shown is None:
            return await rewarded_turns(self._database, trial.tenant_id, trial.task, decided_since=began, since=since)
        return [
            RewardedTurn(
                feedback_id=one.decision.id,
                user_id=one.decision.user_id or "",
                version=one.decision.model_versions[trial.task],
                reward=max(one.rewards),
                weight=FULL_WEIGHT,
                at=one.decision.at,
            )
            for one in shown
            if one.rewards and trial.task in one.decision.model_versions
        ]

    def drop(self, trial: ModelTrial) -> None:
        """Let go of a trial that is over."""
        self._trials.pop((trial.tenant_id, trial.id), None)
