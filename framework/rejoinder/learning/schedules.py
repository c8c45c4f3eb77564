"""What workers do every so often for each tenant: see whether to learn, take the steps of trials that are due, and what plugins ask for.

The store says when each schedule was last kept, so that of any number of workers one keeps it, and none is forgotten over a restart.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from rejoinder.errors import NotFoundError, RejoinderError
from rejoinder.events.reading import read_stream
from rejoinder.events.sources import poll_sources
from rejoinder.learning.clusters import find_clusters
from rejoinder.learning.signals import read_signals
from rejoinder.learning.trials import review_trials
from rejoinder.monitoring.delivery import deliver_alerts
from rejoinder.monitoring.detection import detect_changes
from rejoinder.payloads import Caller, Schedule
from rejoinder.store.alerts import has_due_deliveries
from rejoinder.store.detection import undetected_count
from rejoinder.store.events import unread_count
from rejoinder.store.schedules import claim_schedule, kept_schedules
from rejoinder.store.sources import has_due_sources

if TYPE_CHECKING:
    from rejoinder.application import Application

LEARNING: Final = "rejoinder:learning"
"""The schedule of the learning loop itself."""

LEARNING_S: Final = 60.0

SIGNALS: Final = "rejoinder:signals"
"""The schedule that reads what people did; where it fails, e.g. since the encoder is busy, learning goes on."""

SIGNALS_S: Final = 60.0

PRIVACY: Final = "rejoinder:privacy"
"""The schedule of what is left of erasures."""

PRIVACY_S: Final = 60.0

RETENTION: Final = "rejoinder:retention"
"""The schedule that deletes what is too old by a tenant's settings."""

RETENTION_S: Final = 3600.0

CLUSTERS: Final = "rejoinder:clusters"
"""The schedule that looks for clusters of unanswered questions, every `learning.cluster_hours`."""

EVENTS: Final = "rejoinder:events"
"""The schedule that lets plugins read events, while there are unread ones."""

EVENTS_S: Final = 1.0

SOURCES: Final = "rejoinder:sources"
"""The schedule that fetches what is new in feeds and folders, while some are due."""

DETECTION: Final = "rejoinder:detection"
"""The schedule that looks through what was observed for changes, while there is any."""

ALERTS: Final = "rejoinder:alerts"
"""The schedule that delivers alerts, while some are due."""

_SYSTEM = Caller(id="system", role="admin")
_Work = Callable[[], Awaitable[object]]

_logger = logging.getLogger("rejoinder.learning")


async def keep_schedules(application: Application) -> list[tuple[str, str]]:
    """Do what is due; return tenant and schedule of what was done. What fails is tried again when it is due next."""
    kept = []
    for row in await application.tenants.list():
        if row.disabled:
            continue
        try:
            kept += [(row.id, name) for name in await _keep(application, row.id)]
        except NotFoundError:  # gone or disabled meanwhile
            continue
        except RejoinderError as error:
            _logger.warning("the schedules of tenant %s are not kept: %s", row.id, error)
    return kept


async def _keep(application: Application, tenant: str) -> list[str]:
    database, clock = application.database, application.clock
    profile = await application.tenants.served(tenant)
    mine: list[tuple[str, float, _Work]] = [
        (SIGNALS, SIGNALS_S, partial(read_signals, application, tenant)),
        (LEARNING, LEARNING_S, partial(_learning, application, tenant)),
        (PRIVACY, PRIVACY_S, partial(application.eraser.carry_on, tenant)),
        (RETENTION, RETENTION_S, partial(application.eraser.retain, tenant)),
    ]
    cluster_hours = application.settings.learning.cluster_hours
    if cluster_hours:
        mine.append((CLUSTERS, cluster_hours * 3600.0, partial(find_clusters, application, tenant)))
    if await has_due_sources(database, tenant, at=clock()):
        mine.append((SOURCES, EVENTS_S, partial(poll_sources, application, tenant)))
    if await unread_count(database, tenant):
        mine.append((EVENTS, EVENTS_S, partial(read_stream, application, tenant)))
    if await undetected_count(database, tenant):
        mine.append((DETECTION, EVENTS_S, partial(detect_changes, application, tenant)))
    if await has_due_deliveries(database, tenant, at=clock()):
        mine.append((ALERTS, EVENTS_S, partial(deliver_alerts, application, tenant)))
    for plugin, schedule in application.host.schedules:
        if plugin in profile.plugins:
            keep = partial(_of_plugin, application, tenant, plugin, schedule)
            mine.append((f"{plugin}:{schedule.name}", schedule.every_s, keep))
    last = await kept_schedules(database, tenant)
    done = []
    for name, every_s, work in mine:
        now = clock()
        if name in last and now - last[name] < timedelta(seconds=every_s):
            continue
        if not await claim_schedule(database, tenant, name, every_s=every_s, at=now):
            continue
        try:
            await work()
        except Exception:  # other schedules must go on
            _logger.exception("schedule %s of tenant %s failed", name, tenant)
        done.append(name)
    return done


async def _learning(application: Application, tenant: str) -> None:
    await application.triggers.look(tenant)
    await review_trials(
        application.database,
        application.models.registry,
        application.tenants,
        application.settings.gate,
        tenant,
        rewards=application.models.canary_rewards,
        clock=application.clock,
    )


async def _of_plugin(application: Application, tenant: str, plugin: str, schedule: Schedule) -> None:
    request = replace(await application.models.request_for(tenant, _SYSTEM), deadline=float("inf"))
    context = request.context(plugin)
    if inspect.iscoroutinefunction(schedule.run):
        await schedule.run(context)
    else:
        await asyncio.to_thread(schedule.run, context)
