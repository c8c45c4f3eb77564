"""Requests and responses in JSON, by orjson.

Responses are built from values that are right by construction, so that nothing is validated again on its way out; the response
models of `schemas.py` document them, and the tests hold the one against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from rejoinder.serving.problems import ProblemError

__all__ = ["JsonRoute", "json_response"]

_HEADERS = {"cache-control": "no-store"}


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a value that JSON can say as a response, with moments as ISO 8601 in UTC."""
    content = orjson.dumps(value, option=orjson.OPT_UTC_Z)
    return Response(content, status, _HEADERS if headers is None else _HEADERS | headers, "application/json")


class _JsonRequest(Request):
    async def json(self) -> Any:
        """Return the body, read by orjson: no NaN, no lone surrogates, nothing but UTF-8."""
        body = await self.body()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise
        except RecursionError as error:
            raise ProblemError("malformed", "the body is nested too deeply") from error


class JsonRoute(APIRoute):
    """A route whose body must be JSON in UTF-8."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, with our way of reading the body."""
        handle = super().get_route_handler()
        takes_json = self.body_field is not None

        async def handle_json(request: Request) -> Response:
            if takes_json:
                _refuse_other_media(request)
            return await handle(_JsonRequest(request.scope, request.receive))

        return handle_json


def _refuse_other_media(request: Request) -> None:
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise ProblemError(
            "media-type", f"the body is of type {media[:100] or '(none)'!r}: send `Content-Type: application/json`"
        )
