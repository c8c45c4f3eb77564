"""Trends: how often something is spoken of, and how."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from rejoinder.monitoring.trends import BucketKind, Trends, make_trends
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.parts import in_utc
from rejoinder.wire import to_json

router = APIRouter(tags=["monitoring"], route_class=JsonRoute)

_DAYS: Final = 28


@router.get(
    "/trends",
    response_model=Trends,
    responses=responses_for("not-found", "invalid-input"),
    summary="What is spoken of, and how?",
)
async def get_trends(
    entry: Annotated[Entry, Depends(May("read_analytics"))],
    door: TheDoor,
    kind: Annotated[
        str,
        Query(alias="type", min_length=1, max_length=100, description="Type of observations: `mention`, `topic` ..."),
    ] = "mention",
    key: Annotated[
        list[str] | None, Query(max_length=100, description="These; default: those that most documents have.")
    ] = None,
    start: Annotated[datetime | None, Query(alias="from", description="Default: 28 days before the end.")] = None,
    end: Annotated[datetime | None, Query(alias="to", description="Default: now.")] = None,
    as_of: Annotated[
        datetime | None, Query(description="As it was known at this moment: what arrived later is left out.")
    ] = None,
    bucket: Annotated[BucketKind, Query(description="Weeks begin on Mondays.")] = "day",
    limit: Annotated[int, Query(ge=1, le=100, description="Keys at most, where none is named.")] = 20,
) -> Response:
    """Counts, shares of all documents, and mean sentiments. Documents count where their dates put them, however late they arrive. Days
    and weeks are those of the tenant's time zone, `help_desk.time_zone`."""
    application = door.application
    settings = await application.hand_offs.settings(entry.tenant)
    last = application.clock() if end is None else in_utc(end, "query.to")
    first = last - timedelta(days=_DAYS) if start is None else in_utc(start, "query.from")
    found = await make_trends(
        application.database,
        entry.tenant,
        kind=kind,
        keys=key or (),
        start=first,
        end=last,
        as_of=application.clock() if as_of is None else in_utc(as_of, "query.as_of"),
        bucket=bucket,
        time_zone=settings.time_zone,
        limit=limit,
    )
    return json_response(to_json(found))
