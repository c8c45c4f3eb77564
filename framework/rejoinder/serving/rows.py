"""Bodies of one row or many, as JSON."""

from __future__ import annotations

from typing import Any

import orjson

from rejoinder.serving.problems import ProblemError
from rejoinder.serving.responses import refuse_deep

__all__ = ["rows_of"]


def rows_of(body: bytes) -> list[Any]:
    """Return the rows of a JSON body: those of an array, or the one that it is.

    Raises:
        ProblemError: the body is not JSON, or nested too deeply.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(
            "malformed", f"the body is not JSON in UTF-8: {error.msg} at character {error.pos}"
        ) from error
    refuse_deep(value, body)
    return value if isinstance(value, list) else [value]
