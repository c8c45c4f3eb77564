"""Labelled examples in bulk: in as JSON or JSON lines, out as JSON lines."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from starlette.responses import StreamingResponse

from rejoinder import context
from rejoinder.errors import InvalidInputError, RedactionError
from rejoinder.learning.holdback import held_back
from rejoinder.learning.task_loading import IMPORTED
from rejoinder.payloads import Example
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import Door, TheDoor
from rejoinder.serving.problems import ProblemError, problem_of_validation, responses_for
from rejoinder.serving.responses import JsonRoute, json_response, refuse_deep
from rejoinder.serving.routes.models import TaskFilter
from rejoinder.serving.schemas import ExampleIn, ImportOut
from rejoinder.store import examples
from rejoinder.wire import to_json

router = APIRouter(prefix="/examples", tags=["examples"], route_class=JsonRoute)

_LINES = "application/x-ndjson"
_MOST_BAD = 100
_PAGE = 500

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/ExampleIn"}}
            },
            _LINES: {"schema": {"type": "string", "description": "One example a line."}},
        },
    }
}


@router.post(
    "",
    response_model=ImportOut,
    responses=responses_for("not-found", "media-type", "busy"),
    openapi_extra=_BODY,
    summary="Load labelled examples",
)
async def import_examples(
    request: Request, entry: Annotated[Entry, Depends(May("manage_models"))], door: TheDoor
) -> Response:
    """A row that cannot be used is left out and reported; on the others the models are fitted anew. The same row counts once."""
    rows = _rows(request.headers.get("content-type", ""), await request.body())
    made, bad = [], []
    redacting = await door.application.models.request_for(entry.tenant, entry.caller)
    for index, row in enumerate(rows):
        try:
            made.append(await _example(row, door, entry, redacting))
        except ValidationError as error:
            bad.append({"index": index, "reason": problem_of_validation(error).detail})
        except (InvalidInputError, RedactionError) as error:
            reason = "it could not be redacted" if isinstance(error, RedactionError) else str(error)
            bad.append({"index": index, "reason": reason})
    loaded = await _teach(door, entry.tenant, made)
    return json_response(
        {"loaded": loaded, "repeated": len(made) - loaded, "bad": bad[:_MOST_BAD], "bad_count": len(bad)}
    )


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {_LINES: {"schema": {"type": "string"}}}}, **responses_for("not-found")},
    summary="Take examples out",
)
async def export_examples(
    entry: Annotated[Entry, Depends(May("correct"))], door: TheDoor, task: TaskFilter = None
) -> Response:
    """JSON lines, by task and time; examples that a later correction contradicts are left out."""
    counts = await examples.count_examples(door.application.database, entry.tenant)
    tasks = sorted(counts) if task is None else [task]
    headers = {"cache-control": "no-store"}
    return StreamingResponse(_lines(door, entry.tenant, tasks), media_type=_LINES, headers=headers)


async def _teach(door: Door, tenant: str, made: list[Example]) -> int:
    """Store the examples that are new, and fit the models anew on all; return how many were new."""
    application = door.application
    every = application.models.hold_back_every
    new: set[str] = set()
    for start in range(0, len(made), _PAGE):
        batch = made[start : start + _PAGE]
        new.update(
            await examples.add_examples(
                application.database, tenant, batch, held_back=lambda example: held_back(example.text, every)
            )
        )
    if new:
        await application.models.refit(tenant)
    return len(new)


async def _lines(door: Door, tenant: str, tasks: list[str]) -> AsyncIterator[bytes]:
    for task in tasks:
        after = None
        while True:
            page = await examples.list_examples(door.application.database, tenant, task, after=after, limit=_PAGE)
            yield b"".join(orjson.dumps(to_json(one)) + b"\n" for one in page)
            if len(page) < _PAGE:
                break
            after = (page[-1].at or context.utc_now(), page[-1].id)


def _rows(content_type: str, body: bytes) -> Iterator[Any]:
    """Return an iterator of rows; of a line that is no JSON, its ProblemError."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in (_LINES, "application/jsonl", "application/json-lines"):
        lines = [line for line in body.split(b"\n") if line.strip()]
        return iter([_line(line) for line in _some(lines)])
    if kind != "application/json":
        raise ProblemError("media-type", f"send application/json or {_LINES}")
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(
            "malformed", f"the body is not JSON in UTF-8: {error.msg} at character {error.pos}"
        ) from error
    refuse_deep(rows, body)
    if not isinstance(rows, list):
        raise InvalidInputError("the body must be a JSON array of examples")
    return iter(_some(rows))


def _some(rows: list[Any]) -> list[Any]:
    if not rows:
        raise InvalidInputError("there is no example in the body")
    return rows


def _line(line: bytes) -> Any:
    try:
        value = orjson.loads(line)
        refuse_deep(value, line)
    except orjson.JSONDecodeError as error:
        return InvalidInputError(f"the line is not JSON in UTF-8: {error.msg} at character {error.pos}")
    except ProblemError as error:
        return InvalidInputError(str(error))
    return value


async def _example(row: Any, door: Door, entry: Entry, redacting: context.Request) -> Example:
    """Return a row as an example, redacted.

    Raises:
        ValidationError, InvalidInputError, RedactionError: it cannot be used.
    """
    if isinstance(row, InvalidInputError):
        raise row
    given = ExampleIn.model_validate(row)
    if given.label is None and given.target is None:
        raise InvalidInputError("label: an example needs a label, or a target")
    for text in (given.text, given.label or "x", given.other or "x"):
        if not text.strip() or "\x00" in text:
            raise InvalidInputError("text, label and other must hold more than white space, and no NUL character")
    identity = orjson.dumps([given.task, given.text, given.label, given.other, given.polarity, given.target])
    redact = door.application.host.redact_text
    return Example(
        id="imp_" + hashlib.sha256(identity).hexdigest()[:32],
        task=given.task,
        text=await redact(given.text, "train", redacting),
        label=None if given.label is None else await redact(given.label, "train", redacting),
        other=None if given.other is None else await redact(given.other, "train", redacting),
        target=given.target,
        polarity=given.polarity,
        weight=given.weight,
        source=IMPORTED,
        at=door.application.clock(),
    )
