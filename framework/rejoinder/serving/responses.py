"""Requests and responses in JSON, by orjson.

Responses are built from values that are right by construction, so that nothing is validated again on its way out; the response
models of `schemas` document them, and the tests hold the one against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from rejoinder.serving.problems import ProblemError

__all__ = ["JsonRoute", "json_response", "read_body", "refuse_deep"]

_Model = TypeVar("_Model", bound=BaseModel)

_MAX_DEPTH = 64
"""Levels of nesting in a body; the most that a `Json` field of a payload may have."""

_HEADERS = {"cache-control": "no-store"}


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a value that JSON can say as a response, with moments as ISO 8601 in UTC."""
    content = orjson.dumps(value, option=orjson.OPT_UTC_Z)
    return Response(content, status, _HEADERS if headers is None else _HEADERS | headers, "application/json")


def refuse_deep(value: Any, text: bytes | str) -> None:
    """Do nothing when a value that was read from a JSON text is not nested too deeply for what walks it later.

    Raises:
        ProblemError: it has more than 64 levels.
    """
    opened = text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")
    if opened <= _MAX_DEPTH:
        return
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _MAX_DEPTH:
            raise ProblemError("malformed", f"the JSON is nested more than {_MAX_DEPTH} levels deep")
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(part for part in one.values() if isinstance(part, dict | list))
            elif isinstance(one, list):
                inner.extend(part for part in one if isinstance(part, dict | list))
        level = inner


class _JsonRequest(Request):
    async def json(self) -> Any:
        """Return the body, read by orjson: no NaN, no lone surrogates, nothing but UTF-8."""
        body = await self.body()
        value = orjson.loads(body)
        refuse_deep(value, body)
        return value


_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class JsonRoute(APIRoute):
    """A route whose body must be JSON in UTF-8."""

    def get_route_handler(self) -> _Handler:
        """Return FastAPI's handler, with our way of reading the body."""
        handle = self.answering(super().get_route_handler())
        takes_json = self.body_field is not None

        async def handle_json(request: Request) -> Response:
            if takes_json:
                _refuse_other_media(request)
            return await handle(_JsonRequest(request.scope, request.receive))

        return handle_json

    def answering(self, handle: _Handler) -> _Handler:
        """Return FastAPI's handler, which solves dependencies for each request, or what stands before it."""
        return handle


async def read_body(request: Request, model: type[_Model]) -> _Model | None:
    """Return a body as a model, as FastAPI would read it; None where there is anything to say against it, which FastAPI says then."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return None
    try:
        return model.model_validate(await request.json())
    except (ValueError, ProblemError, ClientDisconnect):
        return None


def _refuse_other_media(request: Request) -> None:
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise ProblemError(
            "media-type", f"the body is of type {media[:100] or '(none)'!r}: send `Content-Type: application/json`"
        )
