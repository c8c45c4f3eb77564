"""Alerts: listed, streamed, acknowledged and marked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from rejoinder.monitoring.marks import mark_alert
from rejoinder.monitoring.settings import alerts_of
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import Door, TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.monitoring import AlertDetails, AlertList, AlertOut, DeliveryOut, MarkIn, MarkOut
from rejoinder.store import alerts
from rejoinder.store.tables import AlertRow

router = APIRouter(prefix="/alerts", tags=["monitoring"], route_class=JsonRoute)

_LOOK_S: Final = 1.0
_KEEP_ALIVE_S: Final = 15.0
_PAGE: Final = 100
_BEFORE_ALL: Final = "alert_"
"""Sorts before every alert's id."""

AlertId = Annotated[str, Path(pattern=r"^[!-~]{1,200}$", description="The alert's id.")]
Reader = Annotated[Entry, Depends(May("read_analytics"))]


@router.get("", response_model=AlertList, responses=responses_for("not-found"), summary="List alerts")
async def list_alerts(
    entry: Reader,
    door: TheDoor,
    key: Annotated[str | None, Query(max_length=200, description="Only about this.")] = None,
    before: Annotated[str, Query(max_length=200, description="The id of the last alert of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Newest first."""
    await door.application.tenants.get(entry.tenant)
    found = await alerts.list_alert_rows(door.application.database, entry.tenant, key=key, before=before, limit=limit)
    return json_response({"alerts": [told_alert(row) for row in found]})


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **responses_for("not-found")},
    summary="Hear of alerts as they are raised",
)
async def stream_alerts(
    request: Request,
    entry: Reader,
    door: TheDoor,
    last_event_id: Annotated[
        str | None, Header(max_length=200, description="The id of the last alert that was received: goes on behind it.")
    ] = None,
) -> Response:
    """Server-sent events `alert`, each with the alert's id: those raised from now on, or after the one in `Last-Event-ID`. Parts of other
    alerts come too; `part_of` says so."""
    await door.application.tenants.get(entry.tenant)
    after = last_event_id or await alerts.last_alert_id(door.application.database, entry.tenant) or _BEFORE_ALL
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(
        _events(door, entry.tenant, after, request), headers=headers, media_type="text/event-stream"
    )


@router.get(
    "/{alert_id}", response_model=AlertDetails, responses=responses_for("not-found"), summary="Look at an alert"
)
async def show_alert(alert_id: AlertId, entry: Reader, door: TheDoor) -> Response:
    """With the alerts that are parts of it, and where it was delivered."""
    database = door.application.database
    row = await alerts.get_alert_row(database, entry.tenant, alert_id)
    parts = await alerts.parts_of(database, entry.tenant, row.incident)
    deliveries = await alerts.list_deliveries(database, entry.tenant, alert_id=alert_id)
    told = [{name: getattr(one, name) for name in DeliveryOut.model_fields} for one in deliveries]
    return json_response({**told_alert(row), "parts": [told_alert(one) for one in parts], "deliveries": told})


@router.post(
    "/{alert_id}/acknowledge",
    response_model=AlertOut,
    responses=responses_for("not-found"),
    summary="Say that you see to an alert",
)
async def acknowledge(alert_id: AlertId, entry: Reader, door: TheDoor) -> Response:
    """Who does so first stays noted."""
    application = door.application
    await alerts.acknowledge_alert(
        application.database, entry.tenant, alert_id, by=entry.caller.id, at=application.clock()
    )
    return json_response(told_alert(await alerts.get_alert_row(application.database, entry.tenant, alert_id)))


@router.put(
    "/{alert_id}/mark",
    response_model=MarkOut,
    responses=responses_for("not-found", "media-type", "invalid-input"),
    summary="Say whether an alert was useful or noise",
)
async def mark(
    alert_id: AlertId, body: MarkIn, entry: Annotated[Entry, Depends(May("correct"))], door: TheDoor
) -> Response:
    """Marks move the tenant's threshold until there are as many false alarms as `alerts.false_alarms_per_day` wants."""
    application = door.application
    rules = alerts_of((await application.tenants.resolved(entry.tenant)).settings)
    shift = await mark_alert(
        application.database,
        entry.tenant,
        alert_id,
        body.mark,
        by=entry.caller.id,
        at=application.clock(),
        wanted_per_day=rules.false_alarms_per_day,
    )
    return json_response(MarkOut(mark=body.mark, threshold_shift=shift).model_dump())


def told_alert(row: AlertRow) -> dict[str, Any]:
    """Return an alert as it is shown."""
    return {name: getattr(row, name) for name in AlertOut.model_fields}


async def _events(door: Door, tenant: str, after: str, request: Request) -> AsyncIterator[bytes]:
    """Yield alerts as they are raised; the store is asked, since workers raise them in processes of their own."""
    yield b": listening\n\n"
    silent_s = 0.0
    while not await request.is_disconnected():
        found = await alerts.list_alert_rows(door.application.database, tenant, after=after, limit=_PAGE)
        for row in found:
            after, silent_s = row.id, 0.0
            yield b"id: %b\nevent: alert\ndata: %b\n\n" % (row.id.encode(), orjson.dumps(told_alert(row)))
        if len(found) < _PAGE:
            await asyncio.sleep(_LOOK_S)
            silent_s += _LOOK_S
        if silent_s >= _KEEP_ALIVE_S:
            silent_s = 0.0
            yield b": still here\n\n"
