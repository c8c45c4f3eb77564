"""Fetch what is new in a tenant's sources, feeds and folders, by the plugins that know them; how far each was read is kept with it.

What was fetched is durable before the cursor moves on: a process that ends in between fetches it again, which changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import BacklogError, HookError
from rejoinder.events.ingestion import EventIngestion
from rejoinder.payloads import Caller, Poll, Source
from rejoinder.store import sources

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.context import Request
    from rejoinder.store.tables import SourceRow

__all__ = ["Polled", "poll_now", "poll_sources", "retry_delay"]

_AT_ONCE: Final = 8
_LEASE_S: Final = 300.0
_VISIT_S: Final = 20.0
"""Time after which other sources have their turn."""
_LONGEST_S: Final = 6 * 3600.0
_MOST_PROBLEMS: Final = 50
_NAMED_CHARS: Final = 60
_TAG: Final = re.compile(r"<[^>]*>")
_SYSTEM: Final = Caller(id="system", role="admin")

_logger = logging.getLogger("rejoinder.events")


@dataclass(slots=True)
class Polled:
    """What came of a look at a source.

    Attributes:
        counts: of its documents by status: accepted, duplicate, folded, refused.
        problems: what could not be used, with the reason: the first 50.
        error: why it could not be reached; "": it could.
    """

    source: str
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    error: str = ""


def retry_delay(every_s: float, failures: int) -> float:
    """Return the seconds after which a source is tried again that failed so often in a row, >= 1: twice as long each time.

    Example:
        >>> [retry_delay(60, failures) for failures in (1, 2, 30)]
        [120.0, 240.0, 21600.0]
    """
    return float(max(every_s, min(_LONGEST_S, every_s * 2.0 ** min(failures, 30))))


async def poll_sources(application: Application, tenant: str) -> int:
    """Look at the sources of a tenant that are due; return how many documents were new. One that fails or hangs holds up no other."""
    now = application.clock()
    due = await sources.claim_sources(application.database, tenant, lease_s=_LEASE_S, limit=_AT_ONCE, at=now)
    if not due:
        return 0
    request = replace(await application.models.request_for(tenant, _SYSTEM), deadline=float("inf"))
    found = await asyncio.gather(*(_poll(application, request, row) for row in due))
    return sum(one.counts["accepted"] for one in found)


async def poll_now(application: Application, tenant: str, source: str) -> Polled:
    """Look at one source, due or not.

    Raises:
        NotFoundError: the tenant has no such source.
    """
    now = application.clock()
    row = await sources.claim_source(application.database, tenant, source, lease_s=_LEASE_S, at=now)
    request = replace(await application.models.request_for(tenant, _SYSTEM), deadline=float("inf"))
    return await _poll(application, request, row)


async def _poll(application: Application, request: Request, row: SourceRow) -> Polled:
    zones = {} if row.time_zone is None else {row.id: row.time_zone}
    ingestion = EventIngestion(application, request.tenant, request.caller, request.settings, zones=zones)
    source = Source(name=row.id, kind=row.kind, location=row.location, options=row.options)
    found = Polled(row.id)
    cursor, until = row.cursor, asyncio.get_running_loop().time() + _VISIT_S
    while True:
        try:
            poll = await _fetched(application, source, cursor, request)
            if poll.error:
                return await _failed(application, request.tenant, row, found, poll.error)
            counts = await _take(ingestion, source, poll, found)
        except HookError as error:
            return await _failed(application, request.tenant, row, found, str(error))
        except BacklogError as error:
            return await _failed(application, request.tenant, row, found, str(error), after_s=error.retry_after_s)
        now, cursor = application.clock(), poll.cursor
        over = not poll.more or asyncio.get_running_loop().time() > until
        wait_s = 0.0 if over and poll.more else row.every_s
        kept = await sources.source_polled(
            application.database,
            request.tenant,
            row.id,
            row.location,
            cursor=cursor,
            counts=counts,
            problems=found.problems,
            at=now,
            next_poll_at=now + timedelta(seconds=wait_s if over else _LEASE_S),
        )
        if over or not kept:
            return found


async def _fetched(application: Application, source: Source, cursor: str | None, request: Request) -> Poll:
    polls = await application.host.poll_source(source, cursor, request)
    if len(polls) == 1:
        return polls[0][1]
    if polls:
        error = f"several plugins know sources of the kind {source.kind!r}: {', '.join(plugin for plugin, _ in polls)}"
    else:
        error = f"no plugin of this tenant knows sources of the kind {source.kind!r}"
    return Poll(rows=(), cursor=cursor, error=error)


async def _take(ingestion: EventIngestion, source: Source, poll: Poll, found: Polled) -> Counter[str]:
    rows = [{**row, "source": source.name} for row in poll.rows]
    results = await ingestion.take(list(enumerate(rows)))
    refused = [one for one in results if one.status == "refused"]
    told = [f"{one.id or _called(rows[one.index])}: {one.reason}" for one in refused]
    found.problems += [*poll.problems, *told][: _MOST_PROBLEMS - len(found.problems)]
    counts = Counter(one.status for one in results)
    found.counts.update(counts)
    return Counter(counts)


def _called(row: Mapping[str, Any]) -> str:
    """Return how people find a row again that has no id: its address, what its feed calls it, or how it begins."""
    data = row.get("data")
    named = row.get("url") or (data.get("entry") if isinstance(data, dict) else None)
    beginning = " ".join(_TAG.sub(" ", str(row.get("text") or "")).split())[:_NAMED_CHARS]
    return str(named or (f"“{beginning}”" if beginning else "an entry"))


async def _failed(
    application: Application, tenant: str, row: SourceRow, found: Polled, error: str, after_s: float | None = None
) -> Polled:
    """Note why a source could not be read now, and when it is tried again: later and later, or as said."""
    found.error = error
    _logger.warning("source %s of tenant %s cannot be read now: %s", row.id, tenant, error)
    now = application.clock()
    wait_s = retry_delay(row.every_s, row.failures + 1) if after_s is None else after_s
    await sources.source_failed(
        application.database,
        tenant,
        row.id,
        row.location,
        error=error,
        at=now,
        next_poll_at=now + timedelta(seconds=wait_s),
    )
    return found
