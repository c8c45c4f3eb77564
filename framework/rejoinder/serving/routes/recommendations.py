"""Lists of items for somebody."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from rejoinder.errors import AccessError, InvalidInputError
from rejoinder.items.listing import make_list
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.items import RecommendationList, WantedList

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
    own = entry.principal.user_id
    if own is not None and wanted.user_id not in (None, own):
        raise AccessError("this token is another user's: leave user_id out")
    user = wanted.user_id or own
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
