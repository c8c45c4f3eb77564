"""Headers that routes read."""

from __future__ import annotations

import re

from fastapi import Request

from rejoinder.errors import InvalidInputError

__all__ = ["IDEMPOTENCY_PARAMETER", "idempotency_key", "wants_events"]

_KEY = re.compile(r"[!-~]{1,200}")

IDEMPOTENCY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A request that is repeated with the same key gets the same answer and changes nothing.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
"""How OpenAPI describes the header; it is read by hand, since this is on the way of every message."""


def idempotency_key(request: Request, in_body: str | None) -> str | None:
    """Return the key of a request, from its header or its body.

    Raises:
        InvalidInputError: it is too long or not printable ASCII, or header and body differ.
    """
    given = request.headers.get("idempotency-key")
    if given is None:
        return in_body
    if not _KEY.fullmatch(given):
        raise InvalidInputError("the header Idempotency-Key must be 1 to 200 printable ASCII characters without spaces")
    if in_body is not None and in_body != given:
        raise InvalidInputError("the header Idempotency-Key and the field idempotency_key differ: send one of them")
    return given


def wants_events(request: Request) -> bool:
    """Say whether the caller asks for server-sent events."""
    return "text/event-stream" in request.headers.get("accept", "")
