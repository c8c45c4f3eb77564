"""Whether people have become less content with a task's answers: ADWIN on the stream of rewards.

ADWIN (Bifet and Gavaldà 2007, "Learning from Time-Changing Data with Adaptive Windowing", SIAM SDM, section 3) keeps a window of the
newest values and drops its older part as soon as two parts of it differ by more than chance explains.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from rejoinder.store.database import Database
from rejoinder.store.news import newest_feedback, rewards_after

MOST_AGE: Final = timedelta(days=30)
"""Older rewards say nothing about today."""

_PAGE: Final = 1000

_logger = logging.getLogger("rejoinder.learning")


@dataclass(frozen=True, slots=True)
class Fall:
    """The mean reward of a task, in [0, 1], before and after it fell."""

    before: float
    after: float


class FallDetector:
    """Sees one task's rewards, one after another.

    Args:
        delta: chance in (0, 1) of a false alarm, as ADWIN states it.

    Example:
        >>> detector = FallDetector(0.002)
        >>> for reward in [1.0] * 200 + [0.0] * 100:
        ...     detector.add(reward)
        >>> detector.fall is not None
        True
    """

    def __init__(self, delta: float) -> None:
        from river.drift import ADWIN  # heavy, and needed on workers only

        self._window: Any = ADWIN(delta=delta)  # type: ignore[no-untyped-call]
        self._fell_from: float | None = None

    def add(self, reward: float) -> None:
        """Take a reward in [0, 1]."""
        before = float(self._window.estimation)
        self._window.update(reward)
        if self._window.drift_detected:
            fell = float(self._window.estimation) < before
            self._fell_from = (self._fell_from or before) if fell else None

    @property
    def fall(self) -> Fall | None:
        """The fall, until the mean rises again; None where there was none."""
        return None if self._fell_from is None else Fall(self._fell_from, float(self._window.estimation))


def drift_of(rewards: Iterable[float], delta: float) -> float | None:
    """Return by how much the mean of rewards, in order, differs from what it was before ADWIN last saw it change; 0.0 where it did not.

    Args:
        rewards: each in [0, 1].
        delta: as for `FallDetector`.

    Returns:
        A value in [-1, 1]; None where river is not installed.
    """
    if importlib.util.find_spec("river") is None:
        return None
    from river.drift import ADWIN

    window: Any = ADWIN(delta=delta)  # type: ignore[no-untyped-call]
    changed_from: float | None = None
    for reward in rewards:
        before = float(window.estimation)
        window.update(reward)
        if window.drift_detected:
            changed_from = before
    return 0.0 if changed_from is None else float(window.estimation) - changed_from


@dataclass(slots=True)
class _Tenant:
    """What was seen of a tenant: up to which feedback, since when each task's rewards count, and the detectors of those that have any."""

    after: tuple[datetime, str]
    learned: dict[str, datetime | None]
    detectors: dict[str, FallDetector] = field(default_factory=dict)


class DriftWatch:
    """Looks for falls in the stored rewards of tenants. All that it knows can be read anew from the store, and is after a restart."""

    def __init__(self, database: Database, *, delta: float) -> None:
        self._database = database
        self._delta = delta
        self._tenants: dict[str, _Tenant] = {}
        self._active: bool | None = None if delta > 0 else False

    async def look(self, tenant: str, learned: Mapping[str, datetime | None], *, now: datetime) -> dict[str, Fall]:
        """Return the tasks whose mean reward has fallen since they were last learned.

        Args:
            learned: the tasks to look at, and when each was last learned: earlier rewards are about another model.
        """
        if self._active is None:
            self._active = importlib.util.find_spec("river") is not None
            if not self._active:
                _logger.warning(
                    "falling rewards start no run: pip install 'rejoinder[workers]' brings river, which detects them"
                )
        if not self._active or not learned:
            return {}
        oldest = now - MOST_AGE
        seen = self._tenants.get(tenant)
        if seen is None or seen.learned != learned:
            starts = [max(since or oldest, oldest) for since in learned.values()]
            seen = self._tenants[tenant] = _Tenant((min(starts), ""), dict(learned))
        newest = await newest_feedback(self._database, tenant)
        while newest is not None and newest >= seen.after[0]:
            page = await rewards_after(self._database, tenant, after=seen.after, limit=_PAGE)
            for one in page:
                for task, reward in one.rewards.items():
                    if task in learned and one.at > (learned[task] or oldest):
                        if task not in seen.detectors:
                            seen.detectors[task] = FallDetector(self._delta)
                        seen.detectors[task].add(reward)
            if not page:
                break
            seen.after = (page[-1].at, page[-1].id)
        falls = {task: detector.fall for task, detector in seen.detectors.items()}
        return {task: fall for task, fall in falls.items() if fall is not None}
