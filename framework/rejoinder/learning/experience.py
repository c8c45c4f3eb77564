"""What people said of candidates that were put first for texts like this one, for plugins that leave the order to chance.

The store is the truth: what feedback is new since the last time is looked at when somebody asks. Nothing is kept of tenants that never
ask.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rejoinder.learning.rewards import FULL_WEIGHT
from rejoinder.learning.trust import TrustCurve
from rejoinder.payloads import payload
from rejoinder.store.choices import rewarded_choices
from rejoinder.store.database import Database

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray

_MOST: Final = 2000
"""Rewards remembered of a tenant, the newest."""

_LATE: Final = timedelta(seconds=10)
_LEAST_LIKE: Final = 0.05


@payload
class Outcomes:
    """How often a candidate was welcome, and how often not, for texts like this one; both >= 0, by likeness and weight."""

    good: float = 0.0
    bad: float = 0.0


class _Row(NamedTuple):
    candidate: str
    vector: FloatArray
    reward: float
    weight: float


@dataclass(slots=True)
class _Known:
    """What is remembered of a tenant, by decision, and the moment of the newest feedback that was looked at."""

    newest: datetime | None = None
    rows: OrderedDict[str, _Row] = field(default_factory=OrderedDict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Experience:
    """The rewards of candidates, of all tenants that asked.

    Args:
        max_tenants: tenants remembered, >= 1; the least recently used go first.
    """

    def __init__(self, database: Database, *, max_tenants: int = 1000) -> None:
        self._database = database
        self._max_tenants = max_tenants
        self._tenants: OrderedDict[str, _Known] = OrderedDict()
        self._likeness = TrustCurve()

    async def outcomes(
        self,
        tenant: str,
        text: str,
        candidates: Collection[str],
        encode: Callable[[str], Awaitable[FloatArray]],
    ) -> dict[str, Outcomes]:
        """Return what people said of candidates for texts like this one.

        Args:
            candidates: ids of answers.
            encode: gives the base encoder's vector of a text of this tenant: (dim,) float32, L2-normalised.
        """
        known = self._tenants.setdefault(tenant, _Known())
        self._tenants.move_to_end(tenant)
        while len(self._tenants) > self._max_tenants:
            self._tenants.popitem(last=False)
        async with known.lock:
            await self._catch_up(tenant, known, encode)
        sums = {candidate: [0.0, 0.0] for candidate in candidates}
        rows = [row for row in known.rows.values() if row.candidate in sums]
        if rows:
            cosines = np.stack([row.vector for row in rows]) @ await encode(text)
            for row, cosine in zip(rows, cosines.tolist(), strict=True):
                like = self._likeness.trust(cosine)
                if like >= _LEAST_LIKE:
                    counts = sums[row.candidate]
                    counts[0] += like * row.weight * row.reward
                    counts[1] += like * row.weight * (1 - row.reward)
        return {candidate: Outcomes(good=good, bad=bad) for candidate, (good, bad) in sums.items()}

    def forget_tenant(self, tenant: str) -> None:
        """Drop what is remembered of a tenant; it is read again when somebody asks."""
        self._tenants.pop(tenant, None)

    async def _catch_up(self, tenant: str, known: _Known, encode: Callable[[str], Awaitable[FloatArray]]) -> None:
        after = None if known.newest is None else (known.newest - _LATE, "")
        newest, choices = await rewarded_choices(self._database, tenant, after=after, limit=_MOST)
        for one in choices:
            known.rows.pop(one.decision_id, None)
            if one.weight:
                vector = await encode(one.text)
                known.rows[one.decision_id] = _Row(
                    one.candidate, vector, one.reward, min(1.0, one.weight / FULL_WEIGHT)
                )
        known.newest = newest or known.newest
        while len(known.rows) > _MOST:
            known.rows.popitem(last=False)
