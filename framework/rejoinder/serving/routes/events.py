"""Events: documents that arrive and things that happen, sent one by one, in batches or as a stream of lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from rejoinder.errors import InvalidInputError
from rejoinder.events.ingestion import EventIngestion, RowResult
from rejoinder.events.lines import Lines
from rejoinder.learning.observation_feedback import judge_observation
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.event_lines import LINES, is_lines
from rejoinder.serving.problems import ProblemError, responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.rows import rows_of
from rejoinder.serving.schemas.events import EventDetails, EventList, EventOut, EventsTaken, JudgementIn
from rejoinder.serving.schemas.feedback import FeedbackOut
from rejoinder.store import events
from rejoinder.store.detection import undetected_count
from rejoinder.store.tables import EventRow
from rejoinder.wire import dump_bytes, to_json

router = APIRouter(prefix="/events", tags=["events"], route_class=JsonRoute)

_MOST_RESULTS: Final = 10_000

_EVENT: Final = {"$ref": "#/components/schemas/EventIn"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"oneOf": [_EVENT, {"type": "array", "minItems": 1, "items": _EVENT}]}},
            LINES: {"schema": {"type": "string", "description": "One event a line, as many as there are."}},
        },
    }
}

EventId = Annotated[str, Path(pattern=r"^[!-~]{1,200}$", description="The event's id.")]


class _Results:
    """What became of the rows of one request."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.listed: list[RowResult] = []

    def add(self, results: list[RowResult]) -> None:
        self.counts.update(one.status for one in results)
        for one in results:
            room = 2 * _MOST_RESULTS if one.status == "refused" else _MOST_RESULTS
            if len(self.listed) < room:
                self.listed.append(one)

    def to_json(self) -> dict[str, Any]:
        return {
            **{status: self.counts[status] for status in ("accepted", "duplicate", "folded", "refused")},
            "results": [asdict(one) for one in self.listed],
            "results_left_out": self.counts.total() - len(self.listed),
        }


@router.post(
    "",
    response_model=EventsTaken,
    responses=responses_for("not-found", "media-type", "busy"),
    openapi_extra=_BODY,
    summary="Send events",
)
async def send_events(request: Request, entry: Annotated[Entry, Depends(May("ingest"))], door: TheDoor) -> Response:
    """One event, an array, or JSON lines of any length. Each row has its own result, and one that cannot be used stops no other. What is
    accepted is durable. The same id or content again changes nothing, so that all can be sent again after an error; the same id with
    other content is refused. When too many events wait to be read, the answer is 503 with `Retry-After`."""
    application = door.application
    settings = (await application.tenants.served(entry.tenant)).settings
    ingestion = EventIngestion(application, entry.tenant, entry.caller, settings)
    results = _Results()
    media = request.headers.get("content-type", "")
    if is_lines(media):
        lines = Lines(application.settings.server.max_body_bytes)
        async for piece in request.stream():
            results.add(await ingestion.take(lines.feed(piece)))
        results.add(await ingestion.take(lines.close()))
    elif media.partition(";")[0].strip().lower() == "application/json":
        results.add(await ingestion.take(list(enumerate(rows_of(await request.body())))))
    else:
        raise ProblemError("media-type", f"send application/json or {LINES}")
    if not results.counts:
        raise InvalidInputError("there is no event in the body")
    return json_response(results.to_json())


@router.get("", response_model=EventList, responses=responses_for("not-found"), summary="List events")
async def list_events(
    entry: Annotated[Entry, Depends(May("read_conversations"))],
    door: TheDoor,
    status: Annotated[
        events.EventStatus | None, Query(description="`set_aside`: those that plugins could not read.")
    ] = None,
    source: Annotated[str | None, Query(max_length=200, description="Only of this source.")] = None,
    after: Annotated[
        int, Query(ge=0, le=2**31 - 1, description="Only positions after this one: the last of the page before.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """In the order of their arrival."""
    database = door.application.database
    await door.application.tenants.get(entry.tenant)
    found = await events.list_events(database, entry.tenant, status=status, source=source, after=after, limit=limit)
    unread = await events.unread_count(database, entry.tenant)
    undetected = await undetected_count(database, entry.tenant)
    return json_response({"events": [_shown(row) for row in found], "unread": unread, "undetected": undetected})


@router.get(
    "/{event_id}", response_model=EventDetails, responses=responses_for("not-found"), summary="Look at an event"
)
async def show_event(
    event_id: EventId, entry: Annotated[Entry, Depends(May("read_conversations"))], door: TheDoor
) -> Response:
    """With what plugins read from it."""
    database = door.application.database
    row = await events.get_event(database, entry.tenant, event_id)
    observed = await events.list_observations(database, entry.tenant, event_id)
    return json_response({**_shown(row), "observations": [to_json(one) for one in observed]})


@router.post(
    "/{event_id}/observations/feedback",
    response_model=FeedbackOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type", "busy", "not-redacted"),
    summary="Say whether what was read is right",
)
async def judge_event(
    event_id: EventId,
    body: Annotated[JudgementIn, Body()],
    entry: Annotated[Entry, Depends(May("correct"))],
    door: TheDoor,
) -> Response:
    """Of an observation that has a label, such as a sentiment: the tenant's model learns it at once, and texts that are read from now on
    get what was said."""
    result = await judge_observation(
        door.application,
        entry.tenant,
        entry.caller,
        event_id,
        type=body.type,
        key=body.key,
        label=body.label,
        right=body.right,
    )
    return Response(dump_bytes(result), 200, {"cache-control": "no-store"}, "application/json")


@router.post(
    "/{event_id}/read-again",
    status_code=204,
    responses=responses_for("not-found"),
    summary="Let an event be read again",
)
async def read_event_again(
    event_id: EventId, entry: Annotated[Entry, Depends(May("ingest"))], door: TheDoor
) -> Response:
    """One that was set aside since plugins failed on it goes to the end of the stream."""
    await events.read_again(door.application.database, entry.tenant, event_id)
    return Response(status_code=204)


def _shown(row: EventRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in EventOut.model_fields}
