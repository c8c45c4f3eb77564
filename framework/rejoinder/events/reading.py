"""Let plugins read a tenant's events, in the order of their arrival; what they observe and how far they are is committed together."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.errors import HookError, HookUnavailableError
from rejoinder.events.settings import events_of
from rejoinder.payloads import Caller
from rejoinder.store.events import events_read, forget_bands, note_attempt, unread_events

if TYPE_CHECKING:
    from rejoinder.application import Application

__all__ = ["MOST_ATTEMPTS", "read_stream"]

MOST_ATTEMPTS: Final = 3
"""Times that an event is tried by itself before it is set aside."""

_AT_ONCE: Final = 256
"""Events that are read together: of many texts more are of one length, and go through the encoder with less padding."""

_VISIT_S: Final = 20.0
"""Time after which other tenants have their turn."""

_SYSTEM: Final = Caller(id="system", role="admin")

_logger = logging.getLogger("rejoinder.events")


async def read_stream(application: Application, tenant: str) -> int:
    """Read what is new, for at most 20 s; return how many events were read or set aside.

    Where plugins fail on a batch, its events are tried one by one at the next visit, and one that fails three times is set aside. A
    process that ends in the midst of it has read nothing of the batch that it was at: the next one reads it.
    """
    database = application.database
    request = replace(await application.models.request_for(tenant, _SYSTEM), deadline=float("inf"))
    keep = timedelta(hours=events_of(request.settings).near_duplicate_hours)
    await forget_bands(database, tenant, application.clock() - keep)
    done, until = 0, asyncio.get_running_loop().time() + _VISIT_S
    while asyncio.get_running_loop().time() < until:
        unread = await unread_events(database, tenant, limit=_AT_ONCE)
        if unread is None:
            break
        problem = None
        try:
            observations = await application.host.read_events(unread.events, request) if unread.events else []
        except HookUnavailableError as error:
            _logger.warning("events of tenant %s wait: %s", tenant, error)
            break
        except HookError as error:
            problem, observations = str(error), []
            if len(unread.events) > 1 or unread.attempts + 1 < MOST_ATTEMPTS:
                await note_attempt(database, tenant, unread, problem)
                break
            _logger.warning("event %s of tenant %s is set aside: plugin %s", unread.events[0].id, tenant, error.plugin)
        if not await events_read(database, tenant, unread, observations, error=problem):
            break  # another reader is at it
        done += len(unread.events)
    return done
