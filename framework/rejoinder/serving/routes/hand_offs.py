"""Hand-offs: the queue, and what agents do with the conversations in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from rejoinder.handoff.desk import HandOffDesk
from rejoinder.handoff.waiting import Place
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.headers import IDEMPOTENCY_PARAMETER, idempotency_key
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.conversations import TurnOut
from rejoinder.serving.schemas.hand_offs import (
    AgentIn,
    AgentList,
    AgentMessageIn,
    AgentOut,
    CloseIn,
    HandOffList,
    HandOffOut,
    HandOffStory,
    NoteIn,
    NoteOut,
    SuggestionOut,
    TransferIn,
)
from rejoinder.serving.schemas.parts import in_utc
from rejoinder.store.hand_offs import HandOffStatus
from rejoinder.store.tables import AgentRow, HandOffEventRow, HandOffRow
from rejoinder.wire import dump_bytes, to_json

router = APIRouter(tags=["hand-offs"], route_class=JsonRoute)

Agent = Annotated[Entry, Depends(May("take_over"))]


@router.get("/hand-offs", response_model=HandOffList, responses=responses_for("not-found"), summary="Look at the queue")
async def list_hand_offs(
    entry: Agent,
    door: TheDoor,
    status: Annotated[HandOffStatus | None, Query(description="Default: all that are under way.")] = None,
    mine: Annotated[bool, Query(description="Only those that the caller has, or had last.")] = False,
    after: Annotated[datetime | None, Query(description="With `after_id`: `next` of the page before.")] = None,
    after_id: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """In the order of the queue; closed ones last closed first."""
    desk = door.application.hand_offs
    found = await desk.listed(
        entry.tenant,
        status=status,
        agent_id=entry.caller.id if mine else None,
        after=None if after is None else (in_utc(after, "query.after"), after_id),
        limit=limit,
    )
    following = None
    if len(found) == limit:
        last = found[-1]
        following = {"after": last.closed_at if status == "closed" else last.queued_at, "after_id": last.id}
    return json_response({"hand_offs": await told_all(desk, entry.tenant, found), "next": following})


@router.get(
    "/hand-offs/{hand_off_id}", response_model=HandOffStory, responses=responses_for("not-found"), summary="Look at one"
)
async def get_hand_off(hand_off_id: str, entry: Agent, door: TheDoor) -> Response:
    """With what was known when a person was called, what happened since, agents' notes, and the address that the customer left."""
    desk = door.application.hand_offs
    row = await desk.get(entry.tenant, hand_off_id)
    events = [told_event(one) for one in await desk.history(entry.tenant, hand_off_id)]
    told = told_hand_off(row, await desk.place(row))
    return json_response({**told, "context": row.context, "events": events, "contact": desk.contact(row)})


@router.post(
    "/hand-offs/{hand_off_id}/claim",
    response_model=HandOffOut,
    responses=responses_for("not-found", "conflict"),
    summary="Take a conversation",
)
async def claim(hand_off_id: str, entry: Agent, door: TheDoor) -> Response:
    """From now on the caller answers in it, and nobody else; of two who take it at once, one gets a conflict."""
    row = await door.application.hand_offs.claim(entry.tenant, hand_off_id, entry.caller)
    return json_response(told_hand_off(row, None))


@router.post(
    "/hand-offs/{hand_off_id}/messages",
    response_model=TurnOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type", "not-redacted"),
    openapi_extra={"parameters": [IDEMPOTENCY_PARAMETER]},
    summary="Answer the customer",
)
async def answer(hand_off_id: str, body: AgentMessageIn, request: Request, entry: Agent, door: TheDoor) -> Response:
    """A conversation in the queue is taken first. Repeat a message only with the same idempotency key."""
    turn = await door.application.hand_offs.say(
        entry.tenant,
        hand_off_id,
        entry.caller,
        body.text,
        suggestion=body.suggestion,
        teach=body.teach,
        idempotency_key=idempotency_key(request, body.idempotency_key),
    )
    return Response(dump_bytes(turn), 200, {"cache-control": "no-store"}, "application/json")


@router.post(
    "/hand-offs/{hand_off_id}/suggestions",
    response_model=SuggestionOut,
    responses=responses_for("not-found", "busy"),
    summary="What would the bot answer?",
)
async def suggest(hand_off_id: str, entry: Agent, door: TheDoor) -> Response:
    """To what the customer said last. Name `decision_id` as `suggestion` of the message that is made of it, and the bot learns."""
    found = await door.application.hand_offs.suggest(entry.tenant, hand_off_id, entry.caller)
    return json_response({"suggestion": None if found is None else to_json(found)})


@router.post(
    "/hand-offs/{hand_off_id}/notes",
    status_code=201,
    response_model=NoteOut,
    responses=responses_for("not-found", "invalid-input", "media-type", "not-redacted"),
    summary="Note something for other agents",
)
async def note(hand_off_id: str, body: NoteIn, entry: Agent, door: TheDoor) -> Response:
    """The customer never sees it."""
    noted = await door.application.hand_offs.note(entry.tenant, hand_off_id, entry.caller, body.text)
    return json_response(told_event(noted), 201)


@router.post(
    "/hand-offs/{hand_off_id}/transfer",
    response_model=HandOffOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type"),
    summary="Put a conversation back into the queue",
)
async def transfer(hand_off_id: str, entry: Agent, door: TheDoor, body: TransferIn | None = None) -> Response:
    """For whoever takes it, or for one agent; it keeps its place."""
    body = body or TransferIn()
    desk = door.application.hand_offs
    row = await desk.transfer(entry.tenant, hand_off_id, entry.caller, to=body.to, text=body.note)
    return json_response(told_hand_off(row, await desk.place(row)))


@router.post(
    "/hand-offs/{hand_off_id}/release",
    response_model=HandOffOut,
    responses=responses_for("not-found", "conflict"),
    summary="Give a conversation back to the bot",
)
async def release_hand_off(hand_off_id: str, entry: Agent, door: TheDoor) -> Response:
    """The customer is told so."""
    return json_response(
        told_hand_off(await door.application.hand_offs.release(entry.tenant, hand_off_id, entry.caller), None)
    )


@router.post(
    "/hand-offs/{hand_off_id}/close",
    response_model=HandOffOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type"),
    summary="End a hand-off",
)
async def close(hand_off_id: str, entry: Agent, door: TheDoor, body: CloseIn | None = None) -> Response:
    """Where it is resolved, the bot learns from what the agent answered, and from the label."""
    body = body or CloseIn()
    row = await door.application.hand_offs.close(
        entry.tenant, hand_off_id, entry.caller, resolved=body.resolved, label=body.label
    )
    return json_response(told_hand_off(row, None))


@router.get("/agents", response_model=AgentList, responses=responses_for("not-found"), summary="Who is there?")
async def list_agents(entry: Agent, door: TheDoor) -> Response:
    """The tenant's agents by name."""
    found = await door.application.hand_offs.agents(entry.tenant)
    return json_response({"agents": [told_agent(one, there=there) for one, there in found]})


@router.put(
    "/agents/me",
    response_model=AgentOut,
    responses=responses_for("not-found", "media-type"),
    summary="Say that you are there",
)
async def see_agent(body: AgentIn, entry: Agent, door: TheDoor) -> Response:
    """Again before `help_desk.presence_s` is over; whatever an agent does says so too, and an open console by itself."""
    row = await door.application.hand_offs.see(entry.tenant, entry.caller, state=body.state)
    return json_response(told_agent(row, there=row.state == "online"))


# --- what is told --------------------------------------------------------------------------------------------------

_TOLD = tuple(name for name in HandOffOut.model_fields if name not in ("position", "wait_s"))


def told_hand_off(row: HandOffRow, place: Place | None) -> dict[str, Any]:
    """Return a hand-off as agents see it."""
    told = {name: getattr(row, name) for name in _TOLD}
    return {
        **told,
        "position": None if place is None else place.position,
        "wait_s": None if place is None else place.wait_s,
    }


async def told_all(desk: HandOffDesk, tenant: str, rows: Sequence[HandOffRow]) -> list[dict[str, Any]]:
    """Return a tenant's hand-offs as agents see them, those in the queue each with its place."""
    places = await desk.places(tenant) if any(row.status == "queued" for row in rows) else {}
    return [told_hand_off(row, places.get(row.id)) for row in rows]


def told_event(event: HandOffEventRow) -> dict[str, Any]:
    """Return what happened to a hand-off."""
    return {name: getattr(event, name) for name in NoteOut.model_fields}


def told_agent(row: AgentRow, *, there: bool) -> dict[str, Any]:
    """Return an agent."""
    return {"id": row.id, "name": row.name, "state": row.state, "there": there, "seen_at": row.seen_at}
