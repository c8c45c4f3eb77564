"""Conversations, their messages, and people who speak for the bot."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from rejoinder.conversation import Turn
from rejoinder.errors import NotFoundError
from rejoinder.handoff.waiting import Place
from rejoinder.payloads import Mode
from rejoinder.serving.access import Access, AnyEntry, Entry, May, access_of
from rejoinder.serving.door import Door, TheDoor
from rejoinder.serving.headers import IDEMPOTENCY_PARAMETER, idempotency_key, wants_events
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response, read_body
from rejoinder.serving.schemas.conversations import (
    ConversationCreated,
    ConversationIn,
    ConversationOut,
    ConversationPage,
    ConversationSummary,
    MessageIn,
    TurnOut,
    TurnPage,
    TurnStory,
)
from rejoinder.serving.schemas.parts import UserId, in_utc
from rejoinder.serving.stream import TurnStream, server_sent_events, tell_turn
from rejoinder.store import conversations, decisions, turns
from rejoinder.store.tables import HandOffRow
from rejoinder.store.tables import Turn as StoredTurn
from rejoinder.tenants.principal import allows
from rejoinder.wire import dump_bytes, to_json

router = APIRouter(prefix="/conversations", tags=["conversations"], route_class=JsonRoute)

_EVENTS: dict[str, Any] = {
    "description": "The turn; with `Accept: text/event-stream` the events `part` and, at the end, `turn` or `error`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
_EVENT_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

Talker = Annotated[Entry, Depends(May("converse"))]
Agent = Annotated[Entry, Depends(May("take_over"))]


async def post_message(conversation_id: str, body: MessageIn, request: Request, entry: Talker) -> Response:
    """The answer is durable when it arrives. Repeat a message only with the same idempotency key."""
    door: Door = request.app.state.door
    key = idempotency_key(request, body.idempotency_key)
    if wants_events(request):
        stream = TurnStream(door, entry, conversation_id, body.text, key=key)
        first = await stream.next()  # what fails before the first part is an ordinary problem, with its status
        events = server_sent_events(first, stream, request.url.path)
        return StreamingResponse(events, media_type="text/event-stream", headers=_EVENT_HEADERS)
    turn = await door.application.conversations.turn(
        entry.tenant, conversation_id, entry.caller, body.text, idempotency_key=key
    )
    tell_turn(door, entry.tenant, turn)
    return turn_response(turn)


class _MessageRoute(JsonRoute):
    """The way of every message: what FastAPI's dependencies come to for it, without looking them up for each."""

    def answering(self, handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> Any:
        """Return what answers a message, and leaves to FastAPI whatever it would refuse."""

        async def answer(request: Request) -> Response:
            body = await read_body(request, MessageIn)
            if body is None:
                return await handle(request)
            entry = access_of(request).enter("converse")
            return await post_message(request.path_params["conversation_id"], body, request, entry)

        return answer


# First, since routes are tried in turn.
router.add_api_route(
    "/{conversation_id}/messages",
    post_message,
    methods=["POST"],
    response_model=TurnOut,
    responses={
        200: _EVENTS,
        **responses_for("not-found", "conflict", "invalid-input", "media-type", "busy", "not-redacted"),
    },
    openapi_extra={"parameters": [IDEMPOTENCY_PARAMETER]},
    summary="Say something",
    route_class_override=_MessageRoute,
)


@router.post(
    "",
    status_code=201,
    response_model=ConversationCreated,
    responses=responses_for("not-found", "invalid-input", "media-type"),
    summary="Begin a conversation",
)
async def create_conversation(entry: Talker, door: TheDoor, body: ConversationIn | None = None) -> Response:
    """The conversation is the caller's: no other customer sees it."""
    channel = body.channel if body is not None else "api"
    conversation_id = await door.application.conversations.create(entry.tenant, entry.caller, channel=channel)
    where = {"location": f"/v1/conversations/{conversation_id}"}
    return json_response({"id": conversation_id}, 201, where)


@router.get("", response_model=ConversationPage, responses=responses_for("not-found"), summary="List conversations")
async def list_conversations(
    access: AnyEntry,
    door: TheDoor,
    user_id: Annotated[UserId | None, Query(description="Only of this user.")] = None,
    mode: Annotated[
        Mode | None, Query(description="Only those in this mode, e.g. `queued`: who waits for a person?")
    ] = None,
    before: Annotated[
        datetime | None, Query(description="Changed before this moment: `next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Last changed first. Customers see their own only, whatever they ask for."""
    entry = _reader(access)
    if not allows(access.principal, "read_conversations"):
        user_id = entry.caller.id
    if before is not None:
        before = in_utc(before, "query.before")
    found = await conversations.list_conversations(
        door.application.database, entry.tenant, user_id=user_id, mode=mode, before=before, limit=limit
    )
    listed = [{name: getattr(one, name) for name in ConversationSummary.model_fields} for one in found]
    return json_response({"conversations": listed, "next": found[-1].updated_at if len(found) == limit else None})


@router.get(
    "/{conversation_id}",
    response_model=ConversationOut,
    responses=responses_for("not-found"),
    summary="Look at a conversation",
)
async def get_conversation(
    conversation_id: str,
    access: AnyEntry,
    door: TheDoor,
    history: Annotated[int, Query(ge=0, le=1000, description="How many of the last lines.")] = 100,
) -> Response:
    """Who answers in it now, and its last lines as they were stored. Customers see their own; agents, analysts, admins all."""
    entry = _reader(access)
    loaded = await door.application.conversations.load(entry.tenant, conversation_id, entry.caller, history=history)
    found = None
    if loaded.state.mode != "bot":
        found = await door.application.hand_offs.find(entry.tenant, conversation_id)
    return json_response(
        {
            "id": loaded.id,
            "user_id": loaded.user_id,
            "mode": loaded.state.mode,
            "turns": loaded.next_number - 1,
            "flows": [to_json(frame) for frame in loaded.state.flows],
            "slots": {name: slot.value for name, slot in loaded.state.slots.items()},
            "history": [
                {"speaker": one.speaker, "author": one.author, "text": one.text, "at": one.at} for one in loaded.history
            ],
            "hand_off": None if found is None else _shown_hand_off(*found),
        }
    )


@router.get(
    "/{conversation_id}/turns",
    response_model=TurnPage,
    responses=responses_for("not-found"),
    summary="Page through the turns",
)
async def list_turns(
    conversation_id: str,
    access: AnyEntry,
    door: TheDoor,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only turns of a higher number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Oldest first, as they were stored."""
    entry = _reader(access)
    application = door.application
    await application.conversations.load(entry.tenant, conversation_id, entry.caller)
    found = await turns.list_turns(application.database, entry.tenant, conversation_id, after_number=after, limit=limit)
    listed = [stored_turn(one) for one in found]
    return json_response({"turns": listed, "next": found[-1].number if len(found) == limit else None})


@router.get(
    "/{conversation_id}/turns/{turn_id}",
    response_model=TurnStory,
    responses=responses_for("not-found"),
    summary="Why did the bot say that?",
)
async def explain_turn(
    conversation_id: str, turn_id: str, entry: Annotated[Entry, Depends(May("correct"))], door: TheDoor
) -> Response:
    """One turn with its decisions and the trace of what each plugin did. For agents, analysts and admins."""
    database = door.application.database
    turn = await turns.get_turn(database, entry.tenant, turn_id)
    if turn.conversation_id != conversation_id:
        raise NotFoundError(f"there is no turn {turn_id!r} in this conversation")
    made = await decisions.decisions_of_turn(database, entry.tenant, turn_id)
    return json_response({**stored_turn(turn), "decisions": [to_json(one) for one in made], "trace": turn.trace or []})


@router.post(
    "/{conversation_id}/agent-messages",
    response_model=TurnOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type", "not-redacted"),
    openapi_extra={"parameters": [IDEMPOTENCY_PARAMETER]},
    summary="Say something in the bot's place",
)
async def post_agent_message(
    conversation_id: str, body: MessageIn, request: Request, entry: Agent, door: TheDoor
) -> Response:
    """For agents and admins, who take the conversation over by it: from then on no hook answers, until it is released."""
    key = idempotency_key(request, body.idempotency_key)
    turn = await door.application.hand_offs.say_in(
        entry.tenant, conversation_id, entry.caller, body.text, idempotency_key=key
    )
    return turn_response(turn)


@router.post(
    "/{conversation_id}/release",
    status_code=204,
    response_class=Response,
    responses=responses_for("not-found", "conflict"),
    summary="Give a conversation back to the bot",
)
async def release(conversation_id: str, entry: Agent, door: TheDoor) -> Response:
    """For agents and admins."""
    await door.application.hand_offs.release_in(entry.tenant, conversation_id, entry.caller)
    return Response(status_code=204)


def turn_response(turn: Turn) -> Response:
    """Return a turn as a response."""
    return Response(dump_bytes(turn), 200, {"cache-control": "no-store"}, "application/json")


def _reader(access: Access) -> Entry:
    """Return the entry of somebody who talks, or who may read what others wrote."""
    return access.enter("read_conversations" if allows(access.principal, "read_conversations") else "converse")


def stored_turn(turn: StoredTurn) -> dict[str, Any]:
    """Return a turn as it was stored."""
    told = {
        name: getattr(turn, name)
        for name in ("id", "number", "reply", "action", "speaker", "author", "started_at", "duration_ms")
    }
    return {**told, "text": turn.user_text}


def _shown_hand_off(row: HandOffRow, place: Place | None) -> dict[str, Any]:
    """Return what a customer may know of a hand-off: who answers, and how long it takes until somebody does."""
    return {
        "status": row.status,
        "agent": row.agent_name or None,
        "position": None if place is None else place.position,
        "wait_s": None if place is None else place.wait_s,
    }
