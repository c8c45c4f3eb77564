"""Whether the server lives, and whether it can work."""

from __future__ import annotations

from fastapi import APIRouter, Response

from rejoinder import __version__
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import ProblemError, responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.health import HealthOut

router = APIRouter(tags=["health"], route_class=JsonRoute)


@router.get("/health", response_model=HealthOut, summary="Does the server run?")
async def health() -> Response:
    """For liveness probes: it says nothing of the store."""
    return json_response({"status": "ok", "version": __version__})


@router.get("/ready", response_model=HealthOut, responses=responses_for("busy"), summary="Can the server work?")
async def ready(door: TheDoor) -> Response:
    """For readiness probes: the store answers, the encoder is loaded, and the server is not about to end."""
    if door.closing.is_set():
        raise ProblemError("busy", "the server is about to end", retry_after="5")
    if door.broken is not None:
        raise door.broken.with_traceback(None)
    if not door.warm.is_set():
        raise ProblemError("busy", "the server still loads its encoder", retry_after="2")
    await door.application.database.ping()
    return json_response({"status": "ok", "version": __version__})
