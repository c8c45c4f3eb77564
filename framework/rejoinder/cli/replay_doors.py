"""The two ways in which `rejoinder monitor replay` reaches a tenant's stream: in this process, or at a server that has workers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from rejoinder.cli.server_calls import ask, opened_client
from rejoinder.monitoring.replay_files import Dated

if TYPE_CHECKING:
    import httpx

    from rejoinder.application import Application
    from rejoinder.context import Request
    from rejoinder.monitoring.trends import BucketKind
    from rejoinder.settings import LoadedSettings

__all__ = ["local", "remote"]

_PAGE: Final = 1000
_HOURS_UP_TO: Final = timedelta(days=4)
_DAYS_UP_TO: Final = timedelta(days=400)


def _bucket(start: datetime, end: datetime) -> BucketKind:
    if end - start <= _HOURS_UP_TO:
        return "hour"
    return "day" if end - start <= _DAYS_UP_TO else "week"


# --- in this process -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def local(loaded: LoadedSettings, tenant: str) -> AsyncIterator[_Local]:
    """Open the application with the clock of the documents, which does what a worker would.

    Raises:
        NotFoundError: there is no such tenant.
        RejoinderError: the application cannot be opened.
    """
    from rejoinder.application import Application
    from rejoinder.payloads import Caller

    clock = _Clock()
    async with Application.open(loaded, clock=clock) as application:
        await application.tenants.get(tenant)  # which names the closest one where there is none
        await application.encoder.encode("hello")  # the first text takes far longer than all others
        caller = Caller(id="command line", role="admin")
        request = await application.models.request_for(tenant, caller)
        yield _Local(application, request, clock)


class _Clock:
    """The clock of the documents: the latest of their dates."""

    def __init__(self) -> None:
        from rejoinder.context import utc_now

        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now


class _Local:
    def __init__(self, application: Application, request: Request, clock: _Clock) -> None:
        from rejoinder.events.ingestion import EventIngestion

        self._application = application
        self._tenant = request.tenant
        self._clock = clock
        self._ingestion = EventIngestion(application, request.tenant, request.caller, request.settings)

    async def send(self, documents: Sequence[Dated]) -> dict[str, Any]:
        self._clock.now = documents[-1].at
        taken = await self._ingestion.take([(index, one.row) for index, one in enumerate(documents)])
        return {**Counter(one.status for one in taken), "results": [asdict(one) for one in taken]}

    async def waiting(self) -> int:
        from rejoinder.events.reading import read_stream
        from rejoinder.monitoring.detection import detect_changes
        from rejoinder.store.detection import undetected_count
        from rejoinder.store.events import unread_count

        await read_stream(self._application, self._tenant)
        await detect_changes(self._application, self._tenant)
        database = self._application.database
        return await unread_count(database, self._tenant) + await undetected_count(database, self._tenant)

    async def alerts(self, first: datetime, last: datetime) -> list[dict[str, Any]]:
        from rejoinder.serving.schemas.monitoring import AlertOut
        from rejoinder.store.alerts import list_alert_rows

        found: list[dict[str, Any]] = []
        before = ""
        while rows := await list_alert_rows(self._application.database, self._tenant, before=before, limit=_PAGE):
            found += [AlertOut.model_validate(row, from_attributes=True).model_dump(mode="json") for row in rows]
            before = rows[-1].id
        return _dated(found, first, last)

    async def trends(self, kind: str, keys: Sequence[str], start: datetime, end: datetime) -> dict[str, Any]:
        from rejoinder.monitoring.trends import make_trends
        from rejoinder.wire import to_json

        settings = await self._application.hand_offs.settings(self._tenant)
        found = await make_trends(
            self._application.database,
            self._tenant,
            kind=kind,
            keys=keys,
            start=start,
            end=end,
            as_of=self._clock.now,
            bucket=_bucket(start, end),
            time_zone=settings.time_zone,
        )
        told: dict[str, Any] = json.loads(json.dumps(to_json(found), default=datetime.isoformat))
        return told


# --- at a server ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def remote(url: str, key: str, tenant: str) -> AsyncIterator[_Remote]:
    """Reach a tenant's stream at a server, whose workers read it.

    Args:
        key: an API key of the tenant's admins, or an operator's.
    Raises:
        AccessError: the server refuses the key.
        StoreUnavailableError: the server does not answer.
    """
    async with opened_client(url) as client:
        door = _Remote(client, {"authorization": f"Bearer {key}", "rejoinder-tenant": tenant})
        await door.waiting()  # which tells at once whether the key is good
        yield door


class _Remote:
    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers

    async def send(self, documents: Sequence[Dated]) -> dict[str, Any]:
        lines = "\n".join(json.dumps(one.row) for one in documents)
        headers = {**self._headers, "content-type": "application/x-ndjson"}
        return await ask(self._client, "POST", "/v1/events", headers, content=lines.encode())

    async def waiting(self) -> int:
        told = await ask(self._client, "GET", "/v1/events?limit=1", self._headers)
        return int(told["unread"] + told["undetected"])

    async def alerts(self, first: datetime, last: datetime) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        asked = {"limit": str(_PAGE)}
        while page := (await ask(self._client, "GET", "/v1/alerts", self._headers, params=asked))["alerts"]:
            found += page
            asked["before"] = page[-1]["id"]
        return _dated(found, first, last)

    async def trends(self, kind: str, keys: Sequence[str], start: datetime, end: datetime) -> dict[str, Any]:
        asked = {
            "type": kind,
            "key": list(keys),
            "from": start.isoformat(),
            "to": end.isoformat(),
            "bucket": _bucket(start, end),
        }
        return await ask(self._client, "GET", "/v1/trends", self._headers, params=asked)


def _dated(alerts: Sequence[dict[str, Any]], first: datetime, last: datetime) -> list[dict[str, Any]]:
    """Return what is dated from `first` to `last`, oldest first."""
    found = [one for one in alerts if first <= datetime.fromisoformat(one["at"]) <= last]
    return sorted(found, key=lambda one: (datetime.fromisoformat(one["at"]), one["id"]))
