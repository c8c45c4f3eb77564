"""One side of a WebSocket that speaks JSON: who is there, frames in and out, and how it ends.

The first frame is {"token"}, unless the handshake had a header Authorization. A frame that cannot be used is answered with a problem,
and the talk goes on. The socket is closed with 1009 when a frame is too large, 1013 when the other side reads too slowly, 1012 when the
server ends, and 4000 + the problem's status (4401, 4403, 4404, 4408) when the caller may not be here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, ClassVar

import orjson
from fastapi import WebSocket
from pydantic import ValidationError
from starlette.websockets import WebSocketDisconnect, WebSocketState

from rejoinder.errors import RejoinderError
from rejoinder.serving.access import TENANT_HEADER, Entry, bearer
from rejoinder.serving.door import Door
from rejoinder.serving.hub import Outbox
from rejoinder.serving.problems import ProblemError, problem_of, problem_of_validation
from rejoinder.serving.responses import refuse_deep
from rejoinder.tenants.principal import Action

__all__ = ["CloseError", "JsonSocket", "keyed", "kind_of"]

AUTHENTICATE_S = 5.0
"""Seconds in which the token must come."""
RECHECK_S = 30.0
"""Seconds after which a silent caller's key or token is looked at again: it may have been revoked."""
_DRAIN_S = 5.0
_MOST_WAITING = 16
"""Frames that wait for the one before them; more wait in the network."""

_logger = logging.getLogger("rejoinder.serving")


class CloseError(Exception):
    """Ends the socket with a code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class JsonSocket(ABC):
    """What a socket of ours does; a subclass says who may be here, and what frames do.

    Attributes:
        action: what the caller must be allowed to do.
        outbox: frames on their way to the other side.
    """

    action: ClassVar[Action]

    def __init__(self, socket: WebSocket, door: Door) -> None:
        self.outbox = Outbox()
        self._socket = socket
        self._door = door
        self._limit = door.application.settings.server.max_body_bytes
        self._frames: asyncio.Queue[Any] = asyncio.Queue(_MOST_WAITING)
        self._gone = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._token = ""
        self._named: str | None = socket.headers.get(TENANT_HEADER)

    @abstractmethod
    async def begin(self, entry: Entry) -> None:
        """Say that all is ready, and begin to listen. What it raises ends the socket."""

    @abstractmethod
    async def end(self, entry: Entry) -> None:
        """Listen no longer: the other side went away."""

    @abstractmethod
    async def take(self, frame: dict[str, Any], key: Any) -> None:
        """Do what a frame asks for; what it raises is told as a problem."""

    async def run(self) -> None:
        """Talk until one side ends."""
        jobs = [
            self._read(),
            self._write(),
            self._take(),
            self._watch(),
            self._overflow(),
            self._closing(),
            self._failing(),
        ]
        tasks = [asyncio.ensure_future(job) for job in jobs]
        code, reason = 1000, ""
        try:
            await asyncio.wait((tasks[0], tasks[1], *tasks[3:]), return_when=asyncio.FIRST_COMPLETED)
            for task in (one for one in tasks if one.done()):
                error = task.exception()
                if isinstance(error, CloseError):
                    code, reason = error.code, error.reason
                elif error is not None and not isinstance(error, WebSocketDisconnect):
                    self.tell_problem(error)
                    code = 1011
            if code != 1013 and not tasks[1].done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.outbox.drained(), _DRAIN_S)
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
        entry = await self._enter()
        try:
            while True:
                await self._answer(await self._receive())
        finally:
            await self.end(entry)

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
            frame = await self.outbox.get()
            try:
                await self._socket.send_text(frame)
            except RuntimeError as error:  # Starlette's word for a socket that is closed
                raise WebSocketDisconnect(1006) from error
            self.outbox.done()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            try:
                if self._token:
                    await self.entry(count=False)
            except RejoinderError as error:  # the store is away: look again later
                _logger.warning("a socket's caller could not be looked at again: %s", error)

    async def _overflow(self) -> None:
        await self.outbox.overflowed.wait()
        raise CloseError(1013, "read faster: too many frames were waiting")

    async def _closing(self) -> None:
        await self._door.closing.wait()
        raise CloseError(1012, "the server ends; connect again")

    async def _failing(self) -> None:
        await self._failed

    def end_with(self, task: asyncio.Task[None]) -> None:
        """End the socket with what ended a task that runs beside it, where that failed."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)

    # --- frames ----------------------------------------------------------------------------------------------------

    async def _enter(self) -> Entry:
        """Return who is there, once they are known and may be here."""
        header = self._socket.headers.get("authorization")
        try:
            self._token = await self._first_token() if header is None else bearer(header.encode("latin-1"))
        except Exception as error:
            raise self._refusal(error) from error
        entry = await self.entry()
        try:
            await self.begin(entry)
        except Exception as error:
            raise self._refusal(error) from error
        return entry

    async def _first_token(self) -> str:
        try:
            frame = await asyncio.wait_for(self._receive(), AUTHENTICATE_S)
        except TimeoutError:
            raise CloseError(4408, f"no token came within {AUTHENTICATE_S:.0f} s") from None
        told = _parsed(frame)
        token, self._named = told.get("token"), told.get("tenant", self._named)
        if not isinstance(token, str) or not (self._named is None or isinstance(self._named, str)):
            raise ProblemError("authentication", 'the first frame must be {"token": "<API key or token>"}')
        return token

    async def entry(self, *, count: bool = True) -> Entry:
        """Return the caller's entry as it is now; a revoked key or an ended token closes the socket."""
        try:
            return (await self._door.admit_token(self._token, self._named, count=count)).enter(self.action)
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
            raise CloseError(1009, f"a frame has more than {self._limit} bytes")
        return text if text is not None else "\x00 binary"  # which is no JSON either

    async def _answer(self, text: str) -> None:
        key: Any = None
        try:
            frame = _parsed(text)
            key = frame.get("key")
            if frame.get("type") == "ping":
                self.outbox.put({"type": "pong"})
                return
            await self.take(frame, key)
        except (CloseError, WebSocketDisconnect):
            raise
        except Exception as error:
            self.tell_problem(error, key)

    async def unless_gone(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for something as long as the other side is there to hear of it."""
        tasks = [asyncio.ensure_future(work), asyncio.ensure_future(self._gone.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()

    def _refusal(self, error: Exception) -> Exception:
        """Tell the problem, and return what closes the socket with its code."""
        if isinstance(error, CloseError | WebSocketDisconnect):
            return error
        status = self.tell_problem(error)
        return CloseError(4000 + status if status < 500 else 1011)

    def tell_problem(self, error: BaseException, key: Any = None) -> int:
        """Tell what went wrong; return the status of it."""
        problem = problem_of_validation(error) if isinstance(error, ValidationError) else problem_of(error)
        document = problem.to_json(self._socket.url.path)
        if "retry-after" in problem.headers:
            document["retry_after_s"] = int(problem.headers["retry-after"])
        self.outbox.put({"type": "problem", "problem": document} | keyed(key))
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


def kind_of(frame: dict[str, Any], kinds: tuple[str, ...]) -> str:
    """Take the kind of a frame out of it, and return it.

    Raises:
        ProblemError: it is none of these kinds.
    """
    kind = frame.pop("type", None)
    if kind not in kinds:
        *others, last = (f'"{one}"' for one in (*kinds, "ping"))
        raise ProblemError("invalid-input", f"type: expected {', '.join(others)} or {last}")
    return str(kind)


def keyed(key: Any) -> dict[str, str]:
    """Return the caller's own name of a frame, for the answer to it."""
    return {"key": key[:200]} if isinstance(key, str) else {}
