"""A conversation over a WebSocket.

In:  {"token"} first, unless the handshake had a header Authorization; then {"type": "message", "text", "key"?},
     {"type": "feedback", "decision_id", "kind", "value", "about"?, "index"?, "key"?}, {"type": "ping"}
Out: {"type": "ready"}, then "part", "turn", "feedback", "agent", "mode", "pong"; "problem" for whatever went wrong.

A frame that cannot be used is answered with a problem, and the conversation goes on. The socket is closed with 1009 when a frame
is too large, 1013 when the other side reads too slowly, 1012 when the server ends, and 4000 + the problem's status (4401, 4403,
4404, 4408) when the caller may not be here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, WebSocket
from pydantic import TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect, WebSocketState

from rejoinder.conversation import Turn
from rejoinder.errors import RejoinderError
from rejoinder.serving.access import TENANT_HEADER, Entry, bearer
from rejoinder.serving.door import Door
from rejoinder.serving.hub import Outbox
from rejoinder.serving.problems import ProblemError, problem_of, problem_of_validation
from rejoinder.serving.responses import refuse_deep
from rejoinder.serving.routes.feedback import take_feedback
from rejoinder.serving.schemas import FeedbackIn, MessageIn
from rejoinder.serving.stream import TurnStream
from rejoinder.wire import to_json

router = APIRouter(prefix="/conversations")

AUTHENTICATE_S = 5.0
"""Seconds in which the token must come."""
_RECHECK_S = 30.0
"""Seconds after which a silent caller's key or token is looked at again: it may have been revoked."""
_DRAIN_S = 5.0
_MOST_WAITING = 16
"""Frames that wait for the one before them; more wait in the network."""

_FEEDBACK: TypeAdapter[Any] = TypeAdapter(FeedbackIn)


_logger = logging.getLogger("rejoinder.serving")


class _CloseError(Exception):
    """Ends the socket with a code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@router.websocket("/{conversation_id}/socket")
async def converse(socket: WebSocket, conversation_id: str) -> None:
    """Talk over a socket; the module says how."""
    await socket.accept()
    await _Talk(socket, socket.app.state.door, conversation_id).run()


class _Talk:
    def __init__(self, socket: WebSocket, door: Door, conversation_id: str) -> None:
        self._socket = socket
        self._door = door
        self._conversation_id = conversation_id
        self._limit = door.application.settings.server.max_body_bytes
        self._outbox = Outbox()
        self._frames: asyncio.Queue[Any] = asyncio.Queue(_MOST_WAITING)
        self._gone = asyncio.Event()
        self._token = ""
        self._named: str | None = socket.headers.get(TENANT_HEADER)

    async def run(self) -> None:
        """Talk until one side ends."""
        jobs = [self._read(), self._write(), self._take(), self._watch(), self._overflow(), self._closing()]
        tasks = [asyncio.ensure_future(job) for job in jobs]
        code, reason = 1000, ""
        try:
            await asyncio.wait((tasks[0], tasks[1], *tasks[3:]), return_when=asyncio.FIRST_COMPLETED)
            for task in (one for one in tasks if one.done()):
                error = task.exception()
                if isinstance(error, _CloseError):
                    code, reason = error.code, error.reason
                elif error is not None and not isinstance(error, WebSocketDisconnect):
                    self._problem(error)
                    code = 1011
            if code != 1013 and not tasks[1].done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._outbox.drained(), _DRAIN_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._socket.client_state is WebSocketState.CONNECTED:
                # The other side may have gone meanwhile.
                with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                    await asyncio.wait_for(self._socket.close(code, reason), _DRAIN_S)

    # --- what runs at the same time --------------------------------------------------------------------------------

    async def _read(self) -> None:
        tenant = await self._enter()
        self._door.hub.join(tenant, self._conversation_id, self._outbox)
        try:
            while True:
                await self._answer(await self._receive())
        finally:
            self._door.hub.leave(tenant, self._conversation_id, self._outbox)

    async def _take(self) -> None:
        """Take frames in, so that an end is noticed in the middle of a turn too."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._gone.set()
                await self._frames.put(None)
                return
            await self._frames.put(message)

    async def _write(self) -> None:
        while True:
            frame = await self._outbox.get()
            try:
                await self._socket.send_text(frame)
            except RuntimeError as error:  # Starlette's word for a socket that is closed
                raise WebSocketDisconnect(1006) from error
            self._outbox.done()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_RECHECK_S)
            try:
                if self._token:
                    await self._entry(count=False)
            except RejoinderError as error:  # the store is away: look again later
                _logger.warning("a socket's caller could not be looked at again: %s", error)

    async def _overflow(self) -> None:
        await self._outbox.overflowed.wait()
        raise _CloseError(1013, "read faster: too many frames were waiting")

    async def _closing(self) -> None:
        await self._door.closing.wait()
        raise _CloseError(1012, "the server ends; connect again")

    # --- frames ----------------------------------------------------------------------------------------------------

    async def _enter(self) -> str:
        """Return the tenant, once the caller is known and may see the conversation."""
        header = self._socket.headers.get("authorization")
        try:
            self._token = await self._first_token() if header is None else bearer(header.encode("latin-1"))
        except Exception as error:
            raise self._refusal(error) from error
        entry = await self._entry()
        try:
            loaded = await self._door.application.conversations.load(
                entry.tenant, self._conversation_id, entry.caller, history=0
            )
        except Exception as error:
            raise self._refusal(error) from error
        self._outbox.put({"type": "ready", "conversation_id": loaded.id, "mode": loaded.state.mode})
        return entry.tenant

    async def _first_token(self) -> str:
        try:
            frame = await asyncio.wait_for(self._receive(), AUTHENTICATE_S)
        except TimeoutError:
            raise _CloseError(4408, f"no token came within {AUTHENTICATE_S:.0f} s") from None
        told = _parsed(frame)
        token, self._named = told.get("token"), told.get("tenant", self._named)
        if not isinstance(token, str) or not (self._named is None or isinstance(self._named, str)):
            raise ProblemError("authentication", 'the first frame must be {"token": "<API key or token>"}')
        return token

    async def _entry(self, *, count: bool = True) -> Entry:
        """Return the caller's entry as it is now; a revoked key or an ended token closes the socket."""
        try:
            return (await self._door.admit_token(self._token, self._named, count=count)).enter("converse")
        except Exception as error:
            problem = problem_of(error)
            if problem.kind.status in (401, 403, 404, 422):
                raise self._refusal(error) from error
            raise

    async def _receive(self) -> str:
        message = await self._frames.get()
        if message is None:
            raise WebSocketDisconnect(1001)
        text: str | None = message.get("text")
        size = len(message.get("bytes") or b"") if text is None else len(text.encode("utf-8", "surrogatepass"))
        if size > self._limit:
            raise _CloseError(1009, f"a frame has more than {self._limit} bytes")
        return text if text is not None else "\x00 binary"  # which is no JSON either

    async def _answer(self, text: str) -> None:
        key: Any = None
        try:
            frame = _parsed(text)
            key = frame.get("key")
            kind = _kind(frame)
            if kind == "ping":
                self._outbox.put({"type": "pong"})
                return
            entry = await self._entry()
            if "key" in frame:
                frame["idempotency_key"] = frame.pop("key")
            if kind == "message":
                await self._unless_gone(self._message(MessageIn.model_validate(frame), entry))
            else:
                # Once begun, it is finished even if the socket ends meanwhile.
                await asyncio.shield(self._door.run_aside(self._feedback(frame, entry, key)))
        except (_CloseError, WebSocketDisconnect):
            raise
        except Exception as error:
            self._problem(error, key)

    async def _unless_gone(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for something as long as the other side is there to hear of it."""
        tasks = [asyncio.ensure_future(work), asyncio.ensure_future(self._gone.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()

    async def _message(self, message: MessageIn, entry: Entry) -> None:
        key = message.idempotency_key
        stream = TurnStream(self._door, entry, self._conversation_id, message.text, key=key, outbox=self._outbox)
        index = 0
        async for item in stream:
            if isinstance(item, Turn):
                self._outbox.put({"type": "turn", "turn": to_json(item)} | _keyed(key))
            else:
                self._outbox.put({"type": "part", "index": index, "text": item} | _keyed(key))
                index += 1

    async def _feedback(self, frame: dict[str, Any], entry: Entry, key: Any) -> None:
        try:
            body = _FEEDBACK.validate_python(frame)
            result = await take_feedback(self._door, entry, body, body.idempotency_key)
        except Exception as error:
            self._problem(error, key)
        else:
            self._outbox.put({"type": "feedback", "feedback": to_json(result)} | _keyed(key))

    def _refusal(self, error: Exception) -> Exception:
        """Tell the problem, and return what closes the socket with its code."""
        if isinstance(error, _CloseError | WebSocketDisconnect):
            return error
        status = self._problem(error)
        return _CloseError(4000 + status if status < 500 else 1011)

    def _problem(self, error: BaseException, key: Any = None) -> int:
        problem = problem_of_validation(error) if isinstance(error, ValidationError) else problem_of(error)
        document = problem.to_json(self._socket.url.path)
        if "retry-after" in problem.headers:
            document["retry_after_s"] = int(problem.headers["retry-after"])
        self._outbox.put({"type": "problem", "problem": document} | _keyed(key))
        return problem.kind.status


def _parsed(text: str) -> dict[str, Any]:
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ProblemError("malformed", f"a frame must be JSON in text: {error.msg}") from error
    refuse_deep(frame, text)
    if not isinstance(frame, dict):
        raise ProblemError("malformed", "a frame must be a JSON object")
    return frame


def _kind(frame: dict[str, Any]) -> str:
    kind = frame.pop("type", None)
    if kind not in ("message", "feedback", "ping"):
        raise ProblemError("invalid-input", 'type: expected "message", "feedback" or "ping"')
    return str(kind)


def _keyed(key: Any) -> dict[str, str]:
    return {"key": key[:200]} if isinstance(key, str) else {}
