"""Feedback on what the bot decided."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request, Response

from rejoinder.learning.feedback import FeedbackResult
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import Door, TheDoor
from rejoinder.serving.headers import IDEMPOTENCY_PARAMETER, idempotency_key
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute
from rejoinder.serving.schemas.feedback import DwellIn, FeedbackIn, FeedbackOut, RatingIn, ThumbsIn, WordsIn
from rejoinder.wire import dump_bytes

router = APIRouter(prefix="/feedback", tags=["feedback"], route_class=JsonRoute)


@router.post(
    "",
    response_model=FeedbackOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type", "busy", "not-redacted"),
    openapi_extra={"parameters": [IDEMPOTENCY_PARAMETER]},
    summary="Say how the bot did",
)
async def give_feedback(
    body: Annotated[FeedbackIn, Body()],
    request: Request,
    entry: Annotated[Entry, Depends(May("give_feedback"))],
    door: TheDoor,
) -> Response:
    """Feedback is durable, and corrections are learned, when this answers: the next message gets the corrected answer."""
    result = await take_feedback(door, entry, body, idempotency_key(request, body.idempotency_key))
    return Response(dump_bytes(result), 200, {"cache-control": "no-store"}, "application/json")


async def take_feedback(
    door: Door, entry: Entry, body: ThumbsIn | RatingIn | WordsIn | DwellIn, key: str | None
) -> FeedbackResult:
    """Hand feedback on; raises as `FeedbackDesk.give`."""
    # Keys are the caller's own: two people who count their feedback from 1 do not meet.
    if key is not None:
        key = hashlib.sha256(f"{entry.caller.id}\n{key}".encode()).hexdigest()
    return await door.application.feedback.give(
        entry.tenant,
        entry.caller,
        decision_id=body.decision_id,
        kind=body.kind,
        value=body.value,
        about=body.about,
        index=body.index,
        idempotency_key=key,
    )
