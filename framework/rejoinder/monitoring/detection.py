"""Let plugins look for changes in what was observed, series by series; states, alerts and how far they are are committed together."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.errors import HookError
from rejoinder.monitoring.rules import told_by_rules
from rejoinder.monitoring.settings import alerts_of
from rejoinder.payloads import Alert, Caller, Observation
from rejoinder.store.detection import changes_detected, detector_states, undetected

if TYPE_CHECKING:
    from rejoinder.application import Application

__all__ = ["detect_changes", "series_of"]

_AT_ONCE: Final = 256
_VISIT_S: Final = 20.0
"""Time after which other tenants have their turn."""

_SYSTEM: Final = Caller(id="system", role="admin")

_logger = logging.getLogger("rejoinder.monitoring")


def series_of(observation: Observation) -> str:
    """Return the key of the series that an observation belongs to: its type and its key."""
    return f"{observation.type}:{observation.key}"


async def detect_changes(application: Application, tenant: str) -> int:
    """Look through what was observed and not yet looked through, for at most 20 s; return how many alerts were raised.

    The rules that users have set are looked at, too.
    Where a plugin fails, it is given the same states and observations at the next visit. A process that ends in the midst of it has
    raised nothing of what it was at.
    """
    database = application.database
    request = replace(await application.models.request_for(tenant, _SYSTEM), deadline=float("inf"))
    rules = alerts_of(request.settings)
    raised, until = 0, asyncio.get_running_loop().time() + _VISIT_S
    while asyncio.get_running_loop().time() < until:
        seen = await undetected(database, tenant, limit=_AT_ONCE)
        if seen is None:
            break
        series: defaultdict[str, list[Observation]] = defaultdict(list)
        for one in seen.observations:
            series[series_of(one)].append(one)
        states, alerts = [], list[Alert]()
        try:
            for key, state in (await detector_states(database, tenant, series)).items():
                found = await application.host.detect_change(series[key], state, request)
                if found is not None:
                    states.append(replace(found.state, key=key))
                    alerts += found.alerts
        except HookError as error:
            _logger.warning("changes of tenant %s wait: %s", tenant, error)
            break
        told, looked = await told_by_rules(database, tenant, seen.observations, at=application.clock())
        kept = await changes_detected(
            database,
            tenant,
            seen,
            states,
            sorted(alerts, key=lambda alert: alert.at),
            receivers=rules.receivers,
            group_within=timedelta(hours=rules.group_hours),
            told=told,
            looked=looked,
            at=application.clock(),
        )
        if not kept:
            break  # somebody else is at it
        raised += len(alerts) + len(told)
    return raised
