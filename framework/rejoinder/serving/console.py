"""The agents' console over a WebSocket: the queue as it changes, and the conversations that the agent has.

In:  {"type": "claim", "id"}, {"type": "message", "id", "text", "suggestion"?, "teach"?}, {"type": "suggest", "id"},
     {"type": "note", "id", "text"}, {"type": "transfer", "id", "to"?, "note"?}, {"type": "release", "id"},
     {"type": "close", "id", "resolved"?, "label"?}, {"type": "presence", "state"}, {"type": "ping"}; each with a "key" of one's own
Out: {"type": "ready", "agent"}; {"type": "queue", "hand_offs"} whenever one of them changes; {"type": "turn", "id", "turn"} for what was
     said in a conversation of the agent's, from its last lines on; {"type": "done", "of", "id", "result", "key"?} for each frame in;
     "problem" for whatever went wrong; "pong".

A message that is repeated with the same key is said once. What is shown is read from the store, so that it does not matter which process
changed it. `rejoinder.serving.json_socket` says how one logs in, and how it ends. While a console is open, its agent is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict

from rejoinder.errors import RejoinderError
from rejoinder.handoff.desk import HandOffDesk
from rejoinder.serving.access import Entry
from rejoinder.serving.door import Door
from rejoinder.serving.json_socket import JsonSocket, keyed, kind_of
from rejoinder.serving.routes.conversations import stored_turn
from rejoinder.serving.routes.hand_offs import told_agent, told_all, told_event, told_hand_off
from rejoinder.serving.schemas.hand_offs import AgentIn, AgentMessageIn, CloseIn, NoteIn, TransferIn
from rejoinder.serving.schemas.parts import Id
from rejoinder.store.turns import list_turns
from rejoinder.wire import to_json

router = APIRouter(prefix="/hand-offs")

_LOOK_S = 2.0
"""Seconds after which the store is looked at even if this process did not change it."""
_PRESENCE_SHARE = 3
"""Signs of life in the time for which one counts."""
_LINES = 20
_MOST_SHOWN = 200

_logger = logging.getLogger("rejoinder.serving")


class _One(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: Id


@router.websocket("/socket")
async def watch_queue(socket: WebSocket) -> None:
    """Work over a socket; the module says how."""
    await socket.accept()
    await _Console(socket, socket.app.state.door).run()


class _Console(JsonSocket):
    action = "take_over"

    def __init__(self, socket: WebSocket, door: Door) -> None:
        super().__init__(socket, door)
        self._changed = asyncio.Event()
        self._queue: list[dict[str, Any]] | None = None
        self._told: dict[str, int] = {}
        """Of each conversation that the agent has, by hand-off: the number of the last turn that was shown."""
        self._following: asyncio.Task[None] | None = None

    async def begin(self, entry: Entry) -> None:
        agent = await self._desk.see(entry.tenant, entry.caller, state="online")
        self.outbox.put({"type": "ready", "agent": told_agent(agent, there=True)})
        self._door.consoles.join(entry.tenant, "", self)
        self._following = asyncio.create_task(self._follow(entry))
        self._following.add_done_callback(self.end_with)

    async def end(self, entry: Entry) -> None:
        self._door.consoles.leave(entry.tenant, "", self)
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    def put(self, frame: dict[str, Any]) -> None:
        """Hear that something changed: what it was is read from the store."""
        self._changed.set()

    async def take(self, frame: dict[str, Any], key: Any) -> None:
        kind = kind_of(frame, ("claim", "message", "suggest", "note", "transfer", "release", "close", "presence"))
        own = frame.pop("key", None)
        if kind == "message" and own is not None:
            frame["idempotency_key"] = own
        entry = await self.entry()
        if kind == "presence":
            state = AgentIn.model_validate(frame).state
            agent = await self._desk.see(entry.tenant, entry.caller, state=state)
            told = told_agent(agent, there=state == "online")
            self.outbox.put({"type": "done", "of": kind, "id": None, "result": told} | keyed(key))
            return
        named = _One.model_validate({"id": frame.pop("id", None)}).id
        # Once begun, it is finished even if the socket ends meanwhile.
        await asyncio.shield(self._door.run_aside(self._do(kind, named, frame, entry, key)))
        self._changed.set()

    async def _do(self, kind: str, named: str, frame: dict[str, Any], entry: Entry, key: Any) -> None:
        try:
            result = await self._done(kind, named, frame, entry)
        except Exception as error:  # it is the agent's to know
            self.tell_problem(error, key)
        else:
            self.outbox.put({"type": "done", "of": kind, "id": named, "result": result} | keyed(key))

    async def _done(self, kind: str, named: str, frame: dict[str, Any], entry: Entry) -> Any:
        desk, tenant, caller = self._desk, entry.tenant, entry.caller
        match kind:
            case "message":
                said = AgentMessageIn.model_validate(frame)
                turn = await desk.say(
                    tenant,
                    named,
                    caller,
                    said.text,
                    suggestion=said.suggestion,
                    teach=said.teach,
                    idempotency_key=said.idempotency_key,
                )
                return to_json(turn)
            case "suggest":
                found = await desk.suggest(tenant, named, caller)
                return None if found is None else to_json(found)
            case "note":
                return told_event(await desk.note(tenant, named, caller, NoteIn.model_validate(frame).text))
            case "transfer":
                wish = TransferIn.model_validate(frame)
                return told_hand_off(await desk.transfer(tenant, named, caller, to=wish.to, text=wish.note), None)
            case "release":
                return told_hand_off(await desk.release(tenant, named, caller), None)
            case "close":
                end = CloseIn.model_validate(frame)
                row = await desk.close(tenant, named, caller, resolved=end.resolved, label=end.label)
                return told_hand_off(row, None)
            case _:
                return told_hand_off(await desk.claim(tenant, named, caller), None)

    # --- showing ---------------------------------------------------------------------------------------------------

    async def _follow(self, entry: Entry) -> None:
        """Show the queue and the agent's conversations as they change, and give signs of life."""
        loop = asyncio.get_running_loop()
        seen_at = loop.time()
        while True:
            self._changed.clear()
            try:
                await self._show(entry)
                presence_s = (await self._desk.settings(entry.tenant)).presence_s
                if loop.time() - seen_at >= presence_s / _PRESENCE_SHARE:
                    seen_at = loop.time()
                    await self._desk.see(entry.tenant, entry.caller)
            except RejoinderError as error:  # the store is away: look again
                _logger.warning("a console cannot be shown the queue: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _LOOK_S)

    async def _show(self, entry: Entry) -> None:
        rows = await self._desk.listed(entry.tenant, limit=_MOST_SHOWN)
        own = await self._desk.listed(entry.tenant, status="active", agent_id=entry.caller.id, limit=_MOST_SHOWN)
        shown = {row.id for row in rows}
        rows += [row for row in own if row.id not in shown]
        queue = await told_all(self._desk, entry.tenant, rows)
        if queue != self._queue:
            self._queue = queue
            self.outbox.put({"type": "queue", "hand_offs": queue})
        held = {row.id: row.conversation_id for row in own}
        self._told = {hand_off_id: number for hand_off_id, number in self._told.items() if hand_off_id in held}
        for hand_off_id, conversation_id in held.items():
            await self._show_turns(entry, hand_off_id, conversation_id)

    async def _show_turns(self, entry: Entry, hand_off_id: str, conversation_id: str) -> None:
        last = self._told.get(hand_off_id)
        if last is None:
            loaded = await self._door.application.conversations.load(entry.tenant, conversation_id, entry.caller)
            last = max(0, loaded.next_number - 1 - _LINES)
        turns = await list_turns(self._door.application.database, entry.tenant, conversation_id, after_number=last)
        for turn in turns:
            self.outbox.put({"type": "turn", "id": hand_off_id, "turn": stored_turn(turn)})
        self._told[hand_off_id] = turns[-1].number if turns else last

    @property
    def _desk(self) -> HandOffDesk:
        return self._door.application.hand_offs
