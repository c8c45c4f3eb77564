"""Lists of items for somebody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from rejoinder.errors import AccessError, InvalidInputError
from rejoinder.events.ingestion import EventIngestion
from rejoinder.items.exporting import Whose, export_lists
from rejoinder.items.listing import make_list
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.event_lines import LINES
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.items import BehaviourIn, BehaviourTaken, RecommendationList, WantedList
from rejoinder.store.ids import new_id

router = APIRouter(prefix="/recommendations", tags=["items"], route_class=JsonRoute)


@router.post(
    "",
    response_model=RecommendationList,
    responses=responses_for("not-found", "busy"),
    summary="List items for somebody",
)
async def recommend(wanted: WantedList, entry: Annotated[Entry, Depends(May("converse"))], door: TheDoor) -> Response:
    """Ranked for a user or a visit by what they did up to now, the last click included. An end user's token lists for that user only.
    The list is kept as a decision with the probability of each item at its place. An empty list says why it is empty."""
    user = _own_user(entry, wanted.user_id)
    if user is None and wanted.session_id is None and not wanted.filters and not wanted.text:
        raise InvalidInputError("say for whom: user_id or session_id; or name filters, such as like, or a text")
    made = await make_list(
        door.application,
        entry.tenant,
        entry.caller,
        user_id=user,
        session_id=wanted.session_id,
        text=wanted.text,
        filters=wanted.filters,
        limit=wanted.limit,
        explain=wanted.explain,
    )
    shown = [_shown(number, answer, explain=wanted.explain) for number, answer in enumerate(made.answers)]
    return json_response({"decision_id": made.decision_id, "items": shown, "note": made.note})


@router.post(
    "/behaviour",
    response_model=BehaviourTaken,
    responses=responses_for("not-found", "conflict", "invalid-input", "busy"),
    summary="Tell what somebody did with an item",
)
async def behaved(did: BehaviourIn, entry: Annotated[Entry, Depends(May("converse"))], door: TheDoor) -> Response:
    """For pages that hold an end user's token, which tells of that user only; a shop's server sends many events at once to `/v1/events`.
    The very next list knows it."""
    user = _own_user(entry, did.user_id)
    application = door.application
    sent = {
        "id": did.id or new_id("did"),
        "source": "recommendations",
        "kind": did.kind,
        "user_id": user,
        "session_id": did.session_id,
        "item_id": did.item_id,
        "data": {} if did.value is None else {"value": did.value},
    }
    settings = (await application.tenants.served(entry.tenant)).settings
    (result,) = await EventIngestion(application, entry.tenant, entry.caller, settings).take([(0, sent)])
    if result.status == "refused":
        raise InvalidInputError(result.reason)
    return json_response({"id": result.id, "status": result.status, "reason": result.reason})


@router.get(
    "/export",
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}, **responses_for("not-found")},
    response_class=StreamingResponse,
    summary="Lists for everybody, or for every item",
)
async def export(
    entry: Annotated[Entry, Depends(May("read_conversations"))],
    door: TheDoor,
    whose: Annotated[
        Whose, Query(alias="for", description="`users`: whoever did something; `items`: lists of what is like each.")
    ] = "users",
    limit: Annotated[int, Query(ge=1, le=100, description="Items of a list.")] = 10,
    after: Annotated[
        str, Query(max_length=200, description="Only ids after this one: the last of the lines before.")
    ] = "",
    count: Annotated[int, Query(ge=1, le=10_000, description="Most lists.")] = 1000,
) -> Response:
    """JSON lines by id, one list a line, as `rejoinder recommender export` writes them. Nothing is left to chance, and no list is kept as a
    decision, since nobody has seen it yet. Users who may not be learned from are left out."""
    await door.application.tenants.get(entry.tenant)
    lists = export_lists(
        door.application, entry.tenant, entry.caller, whose=whose, limit=limit, after=after, count=count
    )

    async def lines() -> AsyncIterator[bytes]:
        async for one in lists:
            yield orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE)

    return StreamingResponse(lines(), media_type=LINES, headers={"cache-control": "no-store"})


def _own_user(entry: Entry, named: str | None) -> str | None:
    """Return whom a request is about: the user of a token, or whom the holder of a key names.

    Raises:
        AccessError: the token is another user's.
    """
    own = entry.principal.user_id
    if own is not None and named not in (None, own):
        raise AccessError("this token is another user's: leave user_id out")
    return named or own


def _shown(number: int, answer: Any, *, explain: bool) -> dict[str, Any]:
    card = answer.card
    said: dict[str, Any] = {} if card is None else dict(card.data)
    return {
        "id": answer.item,
        "position": number,
        "title": answer.item if card is None else card.title,
        "text": "" if card is None else card.text,
        "image": None if card is None else card.image_url,
        "url": None if card is None else card.url,
        "tags": said.get("tags", []),
        "price": said.get("price"),
        "available": said.get("available", True),
        "reason": said.get("reason", ""),
        "because": said.get("because"),
        "propensity": answer.propensity,
        "parts": said.get("parts") if explain else None,
        "paths": said.get("paths", []) if explain else None,
    }
