"""A conversation over a WebSocket.

In:  {"type": "message", "text", "key"?}, {"type": "feedback", "decision_id", "kind", "value", "about"?, "index"?, "key"?}, {"type": "ping"}
Out: {"type": "ready"}, then "part", "turn", "feedback", "pong"; "agent" for what a person answers, "mode" when somebody else answers from
     now on (with the agent's name), "problem" for whatever went wrong.

`rejoinder.serving.json_socket` says how one logs in, and how it ends.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import TypeAdapter

from rejoinder.conversation import Turn
from rejoinder.serving.access import Entry
from rejoinder.serving.door import Door
from rejoinder.serving.json_socket import JsonSocket, keyed, kind_of
from rejoinder.serving.routes.feedback import take_feedback
from rejoinder.serving.schemas.conversations import MessageIn
from rejoinder.serving.schemas.feedback import FeedbackIn
from rejoinder.serving.stream import TurnStream
from rejoinder.wire import to_json

router = APIRouter(prefix="/conversations")

_FEEDBACK: TypeAdapter[Any] = TypeAdapter(FeedbackIn)


@router.websocket("/{conversation_id}/socket")
async def converse(socket: WebSocket, conversation_id: str) -> None:
    """Talk over a socket; the module says how."""
    await socket.accept()
    await _Talk(socket, socket.app.state.door, conversation_id).run()


class _Talk(JsonSocket):
    action = "converse"

    def __init__(self, socket: WebSocket, door: Door, conversation_id: str) -> None:
        super().__init__(socket, door)
        self._conversation_id = conversation_id

    async def begin(self, entry: Entry) -> None:
        loaded = await self._door.application.conversations.load(
            entry.tenant, self._conversation_id, entry.caller, history=0
        )
        self.outbox.put({"type": "ready", "conversation_id": loaded.id, "mode": loaded.state.mode})
        self._door.hub.join(entry.tenant, self._conversation_id, self.outbox)

    async def end(self, entry: Entry) -> None:
        self._door.hub.leave(entry.tenant, self._conversation_id, self.outbox)

    async def take(self, frame: dict[str, Any], key: Any) -> None:
        kind = kind_of(frame, ("message", "feedback"))
        entry = await self.entry()
        if "key" in frame:
            frame["idempotency_key"] = frame.pop("key")
        if kind == "message":
            await self.unless_gone(self._message(MessageIn.model_validate(frame), entry))
        else:
            # Once begun, it is finished even if the socket ends meanwhile.
            await asyncio.shield(self._door.run_aside(self._feedback(frame, entry, key)))

    async def _message(self, message: MessageIn, entry: Entry) -> None:
        key = message.idempotency_key
        stream = TurnStream(self._door, entry, self._conversation_id, message.text, key=key, outbox=self.outbox)
        index = 0
        async for item in stream:
            if isinstance(item, Turn):
                self.outbox.put({"type": "turn", "turn": to_json(item)} | keyed(key))
            else:
                self.outbox.put({"type": "part", "index": index, "text": item} | keyed(key))
                index += 1

    async def _feedback(self, frame: dict[str, Any], entry: Entry, key: Any) -> None:
        try:
            body = _FEEDBACK.validate_python(frame)
            result = await take_feedback(self._door, entry, body, body.idempotency_key)
        except Exception as error:
            self.tell_problem(error, key)
        else:
            self.outbox.put({"type": "feedback", "feedback": to_json(result)} | keyed(key))
