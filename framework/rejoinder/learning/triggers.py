"""What starts adaptation runs by itself: enough new examples, examples that have waited, and people who have become less content.
What learns from behaviour starts by the number of new events, and at night.

A server notes what feedback brought, which costs a look into a dictionary, and looks into the store, beside the request, once there may
be enough. A worker looks at all tenants every so often. Of several that look at once, one starts the run; none is started while
another run of the task is not over, nor for `gate.pause_hours` after a model of the task was taken back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.context import Clock, NoModels, Request, utc_now
from rejoinder.errors import RejoinderError
from rejoinder.host import Host
from rejoinder.items.behaviour import KINDS
from rejoinder.learning.drift import DriftWatch
from rejoinder.learning.holdback import held_back
from rejoinder.learning.queue import CPU, GPU, can_queue, make_queue, send_run
from rejoinder.learning.tenant_gate import gate_of
from rejoinder.payloads import Caller, Example
from rejoinder.settings import DeploymentSettings
from rejoinder.store.behaviour import new_deeds
from rejoinder.store.database import Database
from rejoinder.store.news import last_learned, last_roll_back, new_examples
from rejoinder.store.runs import create_run, request_run

if TYPE_CHECKING:
    from rejoinder.learning.live import Profile, Profiles
    from rejoinder.store.tables import AdaptationRun

FEW: Final = 5
"""Fewer new examples than this start no run, however old they are."""

FEW_EVENTS: Final = 20
"""Fewer new events of people with items start no nightly training."""

_SYSTEM = Caller(id="system", role="admin")
_MOST_NOTED: Final = 100_000

_logger = logging.getLogger("rejoinder.learning")


class Triggers:
    """Starts runs, for all tenants of one process.

    Args:
        profiles: tells a tenant's plugins and settings.
    """

    def __init__(
        self,
        database: Database,
        host: Host,
        profiles: Profiles,
        settings: DeploymentSettings,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._host = host
        self._profiles = profiles
        self._settings = settings
        self._clock = clock
        self._drift = DriftWatch(database, delta=settings.learning.drift_error)
        self._left: dict[tuple[str, str], int] = {}
        self._looks: set[asyncio.Task[None]] = set()
        self._active = can_queue()

    def note(self, tenant: str, examples: Iterable[Example]) -> None:
        """Note stored examples, and look beside the request whether there are enough once there may be."""
        wanted, every = self._settings.learning.adapt_after, self._settings.learning.hold_back_every
        if not self._active or not wanted:
            return
        for task, count in Counter(one.task for one in examples if not held_back(one.text, every)).items():
            left = self._left.get((tenant, task), 0) - count
            self._left[tenant, task] = left if left > 0 else wanted  # until the look says better
            if left <= 0:
                look = asyncio.create_task(self._look_beside(tenant, task), name=f"rejoinder-trigger-{tenant}-{task}")
                self._looks.add(look)
                look.add_done_callback(self._looks.discard)
        if len(self._left) > _MOST_NOTED:
            self._left.clear()

    async def look(self, tenant: str) -> list[AdaptationRun]:
        """Look at all tasks of a tenant, drift included; return the runs that were started.

        Raises:
            NotFoundError: there is no such tenant, or it is disabled.
        """
        profile = await self._profiles.served(tenant)
        learned = {
            task: await last_learned(self._database, tenant, task)
            for task in self._host.tasks
            if self._host.owner_of_task(task) in profile.plugins
        }
        falls = await self._drift.look(tenant, learned, now=self._clock())
        started = []
        for task, since in learned.items():
            reason, _ = await self._reason(tenant, task, since)
            if not reason and task in falls:
                reason = f"people became less content: the mean reward fell from {falls[task].before:.2f} to {falls[task].after:.2f}"
            run = await self._start(tenant, task, reason, profile) if reason else None
            if run is not None:
                started.append(run)
        return started

    async def close(self) -> None:
        """End what runs beside requests."""
        for look in self._looks:
            look.cancel()
        await asyncio.gather(*self._looks, return_exceptions=True)

    async def _look_beside(self, tenant: str, task: str) -> None:
        try:
            profile = await self._profiles.served(tenant)
            if self._host.owner_of_task(task) not in profile.plugins:
                return
            reason, count = await self._reason(tenant, task, await last_learned(self._database, tenant, task))
            if reason:
                await self._start(tenant, task, reason, profile)
            else:
                self._left[tenant, task] = max(1, self._settings.learning.adapt_after - count)
        except RejoinderError as error:  # a worker looks again
            _logger.warning("nobody knows whether %s of tenant %s is to be learned anew: %s", task, tenant, error)

    async def _reason(self, tenant: str, task: str, since: datetime | None) -> tuple[str, int]:
        """Return why a task should be learned anew, "" where nothing says so, and how many new examples were seen."""
        learning = self._settings.learning
        if self._host.tasks[task].learns_from == "behaviour":
            return await self._reason_of_behaviour(tenant, since), 0
        found = await new_examples(self._database, tenant, task, since=since, limit=max(learning.adapt_after, FEW))
        if learning.adapt_after and len(found) >= learning.adapt_after:
            return f"{len(found)} new examples since it was last learned", len(found)
        if learning.adapt_hours and len(found) >= FEW:
            waited = self._clock() - found[0]
            if waited >= timedelta(hours=learning.adapt_hours):
                hours = waited.total_seconds() / 3600
                return f"{len(found)} new examples, the oldest from {hours:.0f} hours ago", len(found)
        return "", len(found)

    async def _reason_of_behaviour(self, tenant: str, since: datetime | None) -> str:
        """Return why a model of what people do should be trained anew; "" where nothing says so."""
        learning = self._settings.learning
        most = max(learning.adapt_after_events, FEW_EVENTS)
        found = await new_deeds(self._database, tenant, kinds=KINDS, since=since, limit=most)
        if learning.adapt_after_events and len(found) >= learning.adapt_after_events:
            return f"{len(found)} new events since it was last learned"
        if learning.nightly_hour < 0 or len(found) < FEW_EVENTS:
            return ""
        night = last_night(self._clock(), learning.nightly_hour)
        if found[0] < night and (since is None or since < night):
            return (
                f"its nightly training: {len(found)} or more new events, the oldest from {found[0]:%Y-%m-%d %H:%M} UTC"
            )
        return ""

    async def _start(self, tenant: str, task: str, reason: str, profile: Profile) -> AdaptationRun | None:
        now = self._clock()
        pause = timedelta(hours=gate_of(profile.settings, self._settings.gate).pause_hours)
        if pause and await last_roll_back(self._database, tenant, task, since=now - pause) is not None:
            _logger.info("tenant %s, %s: %s; it waits, since a model was taken back lately", tenant, task, reason)
            return None
        queue = await queue_of(self._host, self._settings, profile, tenant, task)
        run = await request_run(self._database, tenant, task=task, reason=reason, queue=queue, at=now)
        if run is not None:
            _logger.info("tenant %s, %s is to be learned anew: %s", tenant, task, reason)
            await asyncio.to_thread(send_run, self._settings, tenant, run.id, queue=queue)
        return run


def last_night(now: datetime, hour: int) -> datetime:
    """Return the last moment up to now at which it was this full hour in UTC.

    Example:
        >>> from datetime import UTC
        >>> last_night(datetime(2026, 3, 2, 1, 30, tzinfo=UTC), 3).isoformat()
        '2026-03-01T03:00:00+00:00'
    """
    tonight = now.astimezone(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    return tonight if tonight <= now else tonight - timedelta(days=1)


async def queue_of(host: Host, settings: DeploymentSettings, profile: Profile, tenant: str, task: str) -> str:
    """Return the queue for runs of a task: "gpu" where the settings have one and the plugin that adapts wants it."""
    if not settings.workers.gpu_queue:
        return CPU
    request = Request(
        tenant=tenant, caller=_SYSTEM, models=NoModels(), plugins=profile.plugins, settings=profile.settings
    )
    return GPU if await host.choose_queue(task, request) == GPU else CPU


async def start_by_hand(
    database: Database,
    host: Host,
    profiles: Profiles,
    settings: DeploymentSettings,
    tenant: str,
    task: str,
    *,
    reason: str,
    priority: int = 0,
) -> tuple[AdaptationRun, bool]:
    """Queue a run that a person asked for; return it, and whether the broker took its id (else a sweep hands it on later).

    Raises:
        NotFoundError: there is no such tenant, or it is disabled.
        SettingsError: Celery is not installed.
    """
    await asyncio.to_thread(lambda: make_queue(settings).close())  # without Celery, nothing is to be queued
    queue = await queue_of(host, settings, await profiles.served(tenant), tenant, task)
    run = await create_run(database, tenant, task=task, reason=reason, priority=priority, queue=queue)
    return run, await asyncio.to_thread(send_run, settings, tenant, run.id, queue=queue)
