"""Bodies of one row or many, as JSON."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from rejoinder.errors import InvalidInputError
from rejoinder.serving.problems import ProblemError
from rejoinder.serving.responses import refuse_deep

__all__ = ["rows_of"]

_BOM: Final = b"\xef\xbb\xbf"


def rows_of(body: bytes) -> list[Any]:
    """Return the rows of a JSON body: those of an array, or the one that it is.

    A row of an array that cannot be used, since its text is not UTF-8 or it is nested too deeply, is the `InvalidInputError` that says so,
    and stops no other.

    Raises:
        ProblemError: the body is not JSON; or it is one row, and that cannot be used.
    """
    body = body.removeprefix(_BOM)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        rows = _rows_with_bad_texts(body)
        if rows is None:
            reason = f"the body is not JSON in UTF-8: {error.msg} at character {error.pos}"
            raise ProblemError("malformed", reason) from error
        return rows
    if not isinstance(value, list):
        refuse_deep(value, body)
        return [value]
    return [_shallow(row, body) for row in value]


def _rows_with_bad_texts(body: bytes) -> list[Any] | None:
    """Return the rows of an array that is JSON but for texts that are not UTF-8; None: it is no such array."""
    try:
        value = json.loads(body.decode("utf-8", "surrogateescape"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return [_shallow(_readable(row), body) for row in value] if isinstance(value, list) else None


def _readable(row: Any) -> Any:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return InvalidInputError("the row holds text that is not UTF-8: send it as UTF-8")
    return row


def _shallow(row: Any, body: bytes) -> Any:
    try:
        refuse_deep(row, body)
    except ProblemError as error:
        return InvalidInputError(str(error))
    return row


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
