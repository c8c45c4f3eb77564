"""Reports: what the bot achieved."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from rejoinder.handoff.hours import time_zone_of
from rejoinder.reports.csv import ReportTable, report_csv
from rejoinder.reports.figures import PeriodKind, Report, make_report
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.wire import to_json

router = APIRouter(tags=["reports"], route_class=JsonRoute)

_DAYS = 28


@router.get(
    "/reports",
    response_model=Report,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **responses_for("not-found", "invalid-input"),
    },
    summary="What did the bot achieve?",
)
async def get_report(
    request: Request,
    entry: Annotated[Entry, Depends(May("read_analytics"))],
    door: TheDoor,
    first: Annotated[
        date | None, Query(alias="from", description="First day; default: 28 days up to the last.")
    ] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day, included; default: today.")] = None,
    by: Annotated[PeriodKind, Query(description="How days are put together; weeks begin on Mondays.")] = "day",
    table: Annotated[ReportTable | None, Query(description="This table of the report as CSV.")] = None,
) -> Response:
    """Days are those of the tenant's time zone, `help_desk.time_zone`. As CSV with `table`, or with `Accept: text/csv` (the periods)."""
    application = door.application
    settings = await application.hand_offs.settings(entry.tenant)
    last = last or application.clock().astimezone(time_zone_of(settings.time_zone)).date()
    first = first or last - timedelta(days=_DAYS - 1)
    report = await make_report(application.database, entry.tenant, settings, first=first, last=last, by=by)
    if table is not None or "text/csv" in request.headers.get("accept", ""):
        return Response(
            report_csv(report, table or "periods"), 200, {"cache-control": "no-store"}, "text/csv; charset=utf-8"
        )
    return json_response(to_json(report))
