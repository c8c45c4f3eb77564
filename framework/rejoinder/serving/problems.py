"""Every error as `application/problem+json` (RFC 9457), in one shape.

    {"type": "urn:rejoinder:problem:not-found", "title": "Not found", "status": 404,
     "detail": "there is no conversation 'conv_1'", "instance": "/v1/conversations/conv_1"}

`errors` lists the wrong fields where there are any; `error_id` names the log entry of an error that is ours. What a caller sent
is never repeated in `errors`: only where it is wrong, and why.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from rejoinder.errors import (
    AccessError,
    AuthenticationError,
    BacklogError,
    ConflictError,
    EncoderBusyError,
    InvalidInputError,
    ModelError,
    ModelNotReadyError,
    NotFoundError,
    RateLimitedError,
    RedactionError,
    RejoinderError,
    StoreUnavailableError,
)

__all__ = [
    "KINDS",
    "MEDIA_TYPE",
    "Kind",
    "Problem",
    "ProblemError",
    "answer_problem",
    "problem_of",
    "problem_of_validation",
    "responses_for",
]

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:rejoinder:problem:"

_logger = logging.getLogger("rejoinder.serving")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: the end of its `type`, its status, its title, and what the caller can do."""

    name: str
    status: int
    title: str
    advice: str


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("malformed", 400, "Malformed request", "Send valid JSON in UTF-8, with valid header values."),
        Kind("authentication", 401, "Authentication needed", "Send `Authorization: Bearer <API key or token>`."),
        Kind("access", 403, "Not allowed", "Use a key whose role may do this."),
        Kind("not-found", 404, "Not found", "Check the id; what belongs to others is not found either."),
        Kind("method-not-allowed", 405, "Method not allowed", "Use one of the methods in the header `Allow`."),
        Kind("conflict", 409, "Conflict", "Look at the present state; use a new idempotency key for a new request."),
        Kind("model-not-ready", 409, "Model not ready", "Teach the bot a few examples of this task first."),
        Kind("too-large", 413, "Body too large", "Send less at once."),
        Kind("media-type", 415, "Unsupported media type", "Send `Content-Type: application/json`."),
        Kind("invalid-input", 422, "Invalid input", "Correct what `detail` and `errors` name; nothing was changed."),
        Kind("rate-limited", 429, "Too many requests", "Wait for the seconds in the header `Retry-After`."),
        Kind("internal", 500, "Internal error", "Tell the operator the `error_id`."),
        Kind("busy", 503, "Too busy", "Try again after the seconds in the header `Retry-After`."),
        Kind(
            "models-unavailable", 503, "Models unavailable", "Nothing was changed; the server's log says what is wrong."
        ),
        Kind("store-unavailable", 503, "Store unavailable", "Nothing was changed; try again later."),
        Kind(
            "not-redacted",
            503,
            "Message not stored",
            "The message could not be made safe to store and was dropped; try later.",
        ),
        Kind("timeout", 504, "Time-out", "Try again later."),
    )
}
"""All kinds of problems by name, in the order of their status."""

_BY_STATUS = {401: "authentication", 403: "access", 404: "not-found", 405: "method-not-allowed", 409: "conflict"}
_BY_STATUS |= {400: "malformed", 413: "too-large", 415: "media-type", 422: "invalid-input", 429: "rate-limited"}

_BY_ERROR: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, "authentication"),
    (AccessError, "access"),
    (NotFoundError, "not-found"),
    (RateLimitedError, "rate-limited"),
    (ConflictError, "conflict"),
    (InvalidInputError, "invalid-input"),
    (EncoderBusyError, "busy"),
    (BacklogError, "busy"),
    (ModelNotReadyError, "model-not-ready"),
    (ModelError, "models-unavailable"),
    (StoreUnavailableError, "store-unavailable"),
    (RedactionError, "not-redacted"),
)
"""The first that fits counts; what fits none is an internal error."""

_MAX_ERRORS = 20
_MAX_DETAIL = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, ready to be sent.

    Attributes:
        errors: for wrong fields: `{"field": "body.text", "reason": "..."}`.
        error_id: names the log entry of an internal error.
    """

    kind: Kind
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    error_id: str | None = None

    def to_json(self, instance: str = "") -> dict[str, Any]:
        """Return the problem document; `instance` is the path that was asked for."""
        document: dict[str, Any] = {
            "type": PREFIX + self.kind.name,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": _sayable(self.detail)[:_MAX_DETAIL],
            "instance": _sayable(instance),
        }
        if self.errors:
            document["errors"] = [{key: _sayable(text) for key, text in one.items()} for one in self.errors]
        if self.error_id:
            document["error_id"] = self.error_id
        return document

    def response(self, instance: str = "") -> Response:
        """Return the problem as an HTTP response."""
        headers = {"cache-control": "no-store", **self.headers}
        if self.kind.status == 401:
            headers.setdefault("www-authenticate", "Bearer")
        content = orjson.dumps(self.to_json(instance))
        return Response(content, self.kind.status, headers, MEDIA_TYPE)


class ProblemError(Exception):
    """Ends a request with a problem of a given kind; for what no `RejoinderError` says."""

    def __init__(self, kind: str, detail: str, *, errors: Sequence[Mapping[str, str]] = (), **headers: str) -> None:
        super().__init__(detail)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.problem = Problem(KINDS[kind], detail, errors, named)


def problem_of(error: BaseException) -> Problem:
    """Return the problem that an error is for the caller; internal ones are logged here, and say nothing of the inside."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, RequestValidationError):
        return problem_of_validation(error)
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, RejoinderError):
        retry_after_s = getattr(error, "retry_after_s", None)
        for cls, name in _BY_ERROR:
            if isinstance(error, cls):
                return replace(_known(name, error), headers=_retry_after(retry_after_s))
    return _internal(error)


def _known(name: str, error: Exception) -> Problem:
    kind = KINDS[name]
    if name == "not-redacted":
        return Problem(
            kind, "the message could not be made safe to store, so it was not stored; please try again later"
        )
    if name == "models-unavailable":
        _logger.error("the models cannot be used: %s", error)
        return Problem(kind, "the models of this server cannot be used; its operator finds the reason in its log")
    if name == "store-unavailable":
        _logger.error("the store cannot be reached: %s", error)
        return Problem(kind, "the record store cannot be reached; nothing was changed; please try again later")
    if type(error.__cause__).__module__.startswith("sqlalchemy"):  # the database's words name tables and columns
        _logger.info("%s: %s", name, error)
        return Problem(
            kind, "this contradicts a record that is there already, or cannot be stored; nothing was changed"
        )
    return Problem(kind, str(error))


def _retry_after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"retry-after": str(max(1, math.ceil(seconds)))}


def _internal(error: BaseException) -> Problem:
    error_id = "err_" + secrets.token_hex(8)
    _logger.error("%s: %s", error_id, type(error).__name__, exc_info=error, extra={"error_id": error_id})
    detail = f"something went wrong on our side; it is logged as {error_id}"
    return Problem(KINDS["internal"], detail, error_id=error_id)


def _of_http(error: HTTPException) -> Problem:
    kind = KINDS[_BY_STATUS.get(error.status_code, "internal")]
    if kind.status != error.status_code:
        if error.status_code >= 500:
            return _internal(error)
        kind = Kind(f"http-{error.status_code}", error.status_code, error.detail or "Refused", "")
    details = {
        "Not Found": "there is nothing at this address; `/docs` lists what there is",
        "Method Not Allowed": "this address does not take this method; the header Allow says which it takes",
        "There was an error parsing the body": "the body is not JSON in UTF-8",
    }
    return Problem(kind, details.get(error.detail, error.detail), headers=dict(error.headers or {}))


def problem_of_validation(error: RequestValidationError | ValidationError) -> Problem:
    """Return the problem of a request whose fields are wrong; `ValidationError` of pydantic is else an error of ours."""
    findings = error.errors()
    for one in findings:
        if one["type"] == "json_invalid":
            why = str(one.get("ctx", {}).get("error", "it cannot be read"))
            return Problem(KINDS["malformed"], f"the body is not JSON in UTF-8: {why} at character {one['loc'][-1]}")
    errors = [
        {"field": ".".join(str(part) for part in one["loc"])[:200], "reason": _reason(one)}
        for one in findings[:_MAX_ERRORS]
    ]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    first = errors[0] if errors else {"field": "request", "reason": "cannot be used"}
    return Problem(KINDS["invalid-input"], f"{first['field']}: {first['reason']}{more}", errors)


def _reason(finding: Mapping[str, Any]) -> str:
    reasons = {"extra_forbidden": "there is no such field", "missing": "this field is needed"}
    reason = reasons.get(str(finding["type"]), str(finding["msg"]))
    return reason.removeprefix("Value error, ")[:300]


def _sayable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot say."""
    return text.encode("utf-8", "backslashreplace").decode()


async def answer_problem(request: Request, error: Exception) -> Response:
    """Answer an error that a route raised: the application's exception handler."""
    return problem_of(error).response(request.url.path)


def responses_for(*names: str) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route that may answer with these kinds, besides those that every route has."""
    every = ("malformed", "authentication", "access", "too-large", "invalid-input", "rate-limited", "internal")
    found: dict[int | str, dict[str, Any]] = {}
    for name in dict.fromkeys((*every, "models-unavailable", "store-unavailable", *names)):
        kind = KINDS[name]
        told = found.get(kind.status, {}).get("description")
        description = f"{told} {kind.title}: {kind.advice}" if told else f"{kind.title}: {kind.advice}"
        schema = {"$ref": "#/components/schemas/ProblemDocument"}
        found[kind.status] = {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}
    return found
