"""What every request passes before a route sees it: plain ASGI, a few microseconds each."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.serving.event_lines import EVENTS_PATH, STREAMED_PATHS, is_lines
from rejoinder.serving.guests import CHANNELS, PLUGINS, ROUTE_S, Guest, channel_guest, plugin_guest
from rejoinder.serving.problems import ProblemError, problem_of

if TYPE_CHECKING:
    from rejoinder.serving.door import Door

__all__ = ["AccessGuard", "BodyLimit", "Failures"]

_logger = logging.getLogger("rejoinder.serving")

_TOO_LARGE = "the body is larger than {} bytes, the most that is taken at once"


class Failures:
    """Answers what nothing else caught with an error id, and logs it: the outermost guard."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception as error:
            problem = problem_of(error)
            if started:  # too late for another answer: the connection must end visibly broken
                raise
            await problem.response(scope["path"])(scope, receive, send)


class BodyLimit:
    """Refuses bodies that are too large: at once when their length is declared, else as soon as too much has come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS") or _is_streamed(scope):
            await self._app(scope, receive, send)
            return
        settings = scope["app"].state.door.application.settings
        of_events = scope["path"] == EVENTS_PATH
        limit: int = settings.events.max_batch_bytes if of_events else settings.server.max_body_bytes
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if declared is not None and (not declared.isdigit() or len(declared) > 18 or int(declared) > limit):
            response = problem_of(ProblemError("too-large", _TOO_LARGE.format(limit), connection="close")).response(
                scope["path"]
            )
            await response(scope, receive, send)
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            if message["type"] == "http.request":
                came += len(message.get("body", b""))
                if came > limit:
                    # An HTTPException, since FastAPI turns every other error while it reads a body into a 400.
                    raise HTTPException(413, _TOO_LARGE.format(limit), {"connection": "close"})
            return message

        await self._app(scope, counted, send)


class AccessGuard:
    """Lets nobody pass to `/v1` who is not known, before any of the body is read.

    Open are the health checks, and sockets of conversations, whose token may come later. Channels are open too: their callers are
    other services, which the channel authenticates by itself. What belongs to a plugin is not found by tenants without it.
    """

    open_paths = frozenset({"/v1/health", "/v1/ready"})

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with who calls in `scope["rejoinder.access"]`."""
        path: str = scope.get("path", "")
        if not path.startswith("/v1/") or path in self.open_paths:
            await self._app(scope, receive, send)
            return
        door: Door = scope["app"].state.door
        guest = None
        try:
            if path.startswith(CHANNELS):
                guest = await channel_guest(door, path)
            elif scope["type"] == "http" or path.startswith(PLUGINS):
                scope["rejoinder.access"] = access = await door.admit(_authorization(scope), scope)
                if path.startswith(PLUGINS):
                    guest = await plugin_guest(door, access, path)
        except Exception as error:  # whatever it is, it must not let the request through
            await _refuse(error, scope, receive, send)
            return
        if guest is None:
            await self._app(scope, receive, send)
        else:
            scope["rejoinder.guest"] = guest
            await self._as_guest(guest, scope, receive, send)

    async def _as_guest(self, guest: Guest, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a plugin's route answer; one that hangs is given up."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(ROUTE_S) as limit:

                async def begun(message: Message) -> None:
                    limit.reschedule(None)  # the answer has begun: streams may take their time
                    await send(message)

                await self._app(scope, receive, begun)
        except TimeoutError as error:
            if not limit.expired():
                raise
            _logger.error("plugin %s: its route %s gave no answer in %s s", guest.plugin, scope["path"], ROUTE_S)  # noqa: TRY400
            late = ProblemError("timeout", f"the plugin {guest.plugin!r} gave no answer in {ROUTE_S:.0f} s")
            late.__cause__ = error
            await _refuse(late, scope, receive, send)


def _is_streamed(scope: Scope) -> bool:
    """Tell whether a route reads a body of any length as it comes, and bounds each line by itself."""
    media = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return scope["path"] in STREAMED_PATHS and is_lines(media.decode("latin-1"))


async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    problem = problem_of(error)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4000 + problem.kind.status, "reason": problem.kind.title})
        return
    await problem.response(scope["path"])(scope, receive, send)


def _authorization(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == b"authorization"), None)
