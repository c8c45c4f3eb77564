"""Adaptation runs of a tenant: which there are, how far they are; start and cancel them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, get_args

import orjson
from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.responses import StreamingResponse

from rejoinder.errors import InvalidInputError, RejoinderError, did_you_mean
from rejoinder.learning.triggers import start_by_hand
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import Door, TheDoor
from rejoinder.serving.problems import problem_of, responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.routes.models import TaskFilter
from rejoinder.serving.schemas.runs import RunIn, RunList, RunOut
from rejoinder.store import runs
from rejoinder.store.runs import RunStatus
from rejoinder.store.tables import AdaptationRun

router = APIRouter(prefix="/runs", tags=["models"], route_class=JsonRoute)

RunId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The run's id.")]

_OVER = ("done", "failed", "cancelled")
_LOOK_S = 0.5
_KEEP_ALIVE_S = 15.0
_EVENTS: dict[str, Any] = {
    "description": "Events `progress` with the run whenever it changed, then `run` when it is over, or `error`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.get("", response_model=RunList, responses=responses_for("not-found"), summary="List adaptation runs")
async def list_runs(
    entry: Annotated[Entry, Depends(May("read_analytics"))],
    door: TheDoor,
    task: TaskFilter = None,
    status: Annotated[RunStatus | None, Query(description="One of: " + ", ".join(get_args(RunStatus)))] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Newest first."""
    found = await runs.list_runs(door.application.database, entry.tenant, task=task, status=status, limit=limit)
    return json_response({"runs": [_told(one) for one in found]})


@router.post(
    "",
    status_code=201,
    response_model=RunOut,
    responses=responses_for("not-found", "invalid-input", "media-type"),
    summary="Have a new model fitted",
)
async def start_run(body: RunIn, entry: Annotated[Entry, Depends(May("manage_models"))], door: TheDoor) -> Response:
    """A worker fits a candidate on all examples up to now, and the gate decides what becomes of it."""
    application = door.application
    tasks = application.host.tasks
    if body.task not in tasks:
        named = ", ".join(sorted(tasks)) or "none: no plugin brings one"
        raise InvalidInputError(
            f"task: there is no task {body.task!r}.{did_you_mean(body.task, tasks)} The tasks are: {named}"
        )
    run, _ = await start_by_hand(
        application.database,
        application.host,
        application.tenants,
        application.settings,
        entry.tenant,
        body.task,
        reason=f"asked for by {entry.caller.id}",
        priority=body.priority,
    )
    return json_response(_told(run), 201, {"location": f"/v1/runs/{run.id}"})


@router.get("/{run_id}", response_model=RunOut, responses=responses_for("not-found"), summary="Look at a run")
async def show_run(run_id: RunId, entry: Annotated[Entry, Depends(May("read_analytics"))], door: TheDoor) -> Response:
    """How far it is, why it was started, and what came of it."""
    return json_response(_told(await runs.get_run(door.application.database, entry.tenant, run_id)))


@router.get(
    "/{run_id}/events",
    response_class=StreamingResponse,
    responses={200: _EVENTS, **responses_for("not-found")},
    summary="Watch a run",
)
async def watch_run(run_id: RunId, entry: Annotated[Entry, Depends(May("read_analytics"))], door: TheDoor) -> Response:
    """Server-sent events until the run is over."""
    first = await runs.get_run(door.application.database, entry.tenant, run_id)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_events(door, entry, first), media_type="text/event-stream", headers=headers)


@router.post(
    "/{run_id}/cancel",
    response_model=RunOut,
    responses=responses_for("not-found", "conflict"),
    summary="Cancel a run",
)
async def cancel_run(run_id: RunId, entry: Annotated[Entry, Depends(May("manage_models"))], door: TheDoor) -> Response:
    """A run under way stops within seconds; one that is over cannot be cancelled. The model that answers stays as it is."""
    return json_response(_told(await runs.cancel_run(door.application.database, entry.tenant, run_id)))


async def _events(door: Door, entry: Entry, run: AdaptationRun) -> AsyncIterator[bytes]:
    """Yield what `watch_run` promises. Workers are other processes: what they tell is in the store."""
    told: dict[str, Any] = {}
    said_at = time.monotonic()
    while run.status not in _OVER:
        if _told(run) != told:
            told, said_at = _told(run), time.monotonic()
            yield _event("progress", told)
        elif time.monotonic() - said_at > _KEEP_ALIVE_S:
            said_at = time.monotonic()
            yield b": still here\n\n"
        try:
            await asyncio.wait_for(door.closing.wait(), _LOOK_S)
        except TimeoutError:
            pass
        else:
            return
        try:
            run = await runs.get_run(door.application.database, entry.tenant, run.id)
        except RejoinderError as error:
            yield _event("error", problem_of(error).to_json(f"/v1/runs/{run.id}/events"))
            return
    yield _event("run", _told(run))


def _event(name: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data, option=orjson.OPT_UTC_Z))


def _told(run: AdaptationRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in RunOut.model_fields}
