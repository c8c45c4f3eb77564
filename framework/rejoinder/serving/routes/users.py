"""Users: what they said of being learned from, all that is stored of them, and its erasure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Path, Response
from starlette.responses import StreamingResponse

from rejoinder.errors import InvalidInputError
from rejoinder.privacy.personal_data import personal_data
from rejoinder.serving.access import AnyEntry, Entry, May
from rejoinder.serving.door import Door, TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.users import ConsentIn, ConsentOut, ErasureOut
from rejoinder.store.users import ensure_user, set_consent

router = APIRouter(prefix="/users", tags=["users"], route_class=JsonRoute)

UserPath = Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="The user's pseudonym.")]

_LINES = "application/x-ndjson"


@router.patch(
    "/{user_id:path}",
    response_model=ConsentOut,
    responses=responses_for("not-found", "media-type"),
    summary="Say whether a user may be learned from",
)
async def change_consent(user_id: UserPath, body: ConsentIn, access: AnyEntry, door: TheDoor) -> Response:
    """For admins, and, as `me`, for users themselves. With `false`, no example is made of their feedback any more, and models forget
    those that were; `null` leaves it to the tenant's setting `privacy.consent`."""
    own = access.principal.caller().id if user_id == "me" and access.principal.user_id is not None else None
    if user_id == "me" and own is None:
        raise InvalidInputError("user_id: 'me' is for users' tokens; name the user")
    entry = access.enter("converse" if own is not None else "manage_privacy")
    application, user = door.application, own or user_id
    async with application.database.write() as session:
        await ensure_user(session, entry.tenant, user, at=application.clock())
        await set_consent(session, entry.tenant, user, body.consent)
    forgotten = 0
    if body.consent is False:
        by = "the user" if own is not None else entry.caller.id
        forgotten = (await application.eraser.forget_lessons(entry.tenant, user, by=by)).examples
    return json_response({"user_id": user, "consent": body.consent, "forgotten": forgotten})


@router.get(
    "/{user_id:path}/data",
    response_class=StreamingResponse,
    responses={200: {"content": {_LINES: {"schema": {"type": "string"}}}}, **responses_for("not-found")},
    summary="Take out all that is stored of a user",
)
async def export_user(
    user_id: UserPath, entry: Annotated[Entry, Depends(May("manage_privacy"))], door: TheDoor
) -> Response:
    """JSON lines; `record` says what each is. Nothing for a user of whom nothing is stored."""
    headers = {"cache-control": "no-store"}
    return StreamingResponse(_lines(door, entry.tenant, user_id), media_type=_LINES, headers=headers)


@router.delete(
    "/{user_id:path}",
    response_model=ErasureOut,
    responses={202: {"model": ErasureOut, "description": "Erased; models are made anew"}, **responses_for("not-found")},
    summary="Erase a user",
)
async def erase_user(
    user_id: UserPath, entry: Annotated[Entry, Depends(May("manage_privacy"))], door: TheDoor
) -> Response:
    """Everything stored of them is deleted, and models forget what they taught: here before the answer comes, in other processes within a
    second. Models that were trained on it are marked, and made anew in the background: then the answer is 202, and the learning status
    shows the erasure until that is done. Of an unknown user nothing is erased, which is no error."""
    report = await door.application.eraser.erase(entry.tenant, user_id, by=entry.caller.id)
    return json_response(asdict(report), status=202 if report.pending else 200)


async def _lines(door: Door, tenant: str, user_id: str) -> AsyncIterator[bytes]:
    application = door.application
    records = personal_data(
        application.database,
        application.host,
        application.tenants.vault,
        tenant,
        user_id,
        clock=application.clock,
    )
    async for record in records:
        yield orjson.dumps(record, option=orjson.OPT_UTC_Z, default=str) + b"\n"
