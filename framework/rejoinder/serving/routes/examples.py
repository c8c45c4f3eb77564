"""Labelled examples in bulk: in as JSON, JSON lines or Parquet, out as JSON lines or Parquet."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from rejoinder.errors import InvalidInputError
from rejoinder.learning.example_files import Format, line_of, read_rows, stored_examples, write_parquet
from rejoinder.learning.example_import import ExampleImport, Row
from rejoinder.learning.holdback import held_back
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import ProblemError, responses_for
from rejoinder.serving.responses import JsonRoute, json_response, refuse_deep
from rejoinder.serving.routes.models import TaskFilter
from rejoinder.serving.schemas.examples import ImportOut
from rejoinder.store.examples import Provenance

router = APIRouter(prefix="/examples", tags=["examples"], route_class=JsonRoute)

_LINES = "application/x-ndjson"
_PARQUET = "application/vnd.apache.parquet"
_MOST_BAD = 100
_MOST_UNPACKED = 32
"""Times the largest body that a Parquet file may come to, unpacked."""

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/ExampleIn"}}
            },
            _LINES: {"schema": {"type": "string", "description": "One example a line."}},
            _PARQUET: {"schema": {"type": "string", "format": "binary"}},
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
    """A row that cannot be used is left out and reported; on the others the models are fitted anew. The same row counts once. What was
    exported keeps its ids, moments and where it came from."""
    application = door.application
    most = _MOST_UNPACKED * application.settings.server.max_body_bytes
    rows = _rows(request.headers.get("content-type", ""), await request.body(), most)
    redacting = await application.models.request_for(entry.tenant, entry.caller)
    every = application.models.hold_back_every
    loading = ExampleImport(
        application.database, application.host, redacting, held_back=lambda example: held_back(example.text, every)
    )
    report = await loading.load(rows)
    if report.loaded:
        await application.models.refit(entry.tenant)
    bad = sorted(report.bad, key=lambda one: one.line)
    return json_response(
        {
            "loaded": report.loaded,
            "repeated": report.repeated,
            "bad": [{"index": one.line - 1, "reason": one.reason} for one in bad[:_MOST_BAD]],
            "bad_count": len(bad),
        }
    )


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {_LINES: {"schema": {"type": "string"}}, _PARQUET: {}}}, **responses_for("not-found")},
    summary="Take examples out",
)
async def export_examples(
    entry: Annotated[Entry, Depends(May("correct"))],
    door: TheDoor,
    task: TaskFilter = None,
    kind: Annotated[Format, Query(alias="format", description="JSON lines, or a Parquet file.")] = "jsonl",
) -> Response:
    """By task and time, with where each came from; examples that a later correction contradicts are left out."""
    pages = stored_examples(door.application.database, entry.tenant, task=task)
    headers = {"cache-control": "no-store"}
    if kind == "jsonl":
        return StreamingResponse(_lines(pages), media_type=_LINES, headers=headers)
    file = io.BytesIO()
    await write_parquet(pages, file)
    return Response(file.getvalue(), headers=headers, media_type=_PARQUET)


async def _lines(pages: AsyncIterator[list[Provenance]]) -> AsyncIterator[bytes]:
    async for page in pages:
        yield b"".join(map(line_of, page))


def _rows(content_type: str, body: bytes, most_bytes: int) -> list[Row]:
    """Return the rows of a body; of a line that is no JSON, why.

    Args:
        most_bytes: what a Parquet file may come to.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media == _PARQUET:
        return _some([_shallow(row) for row in read_rows(io.BytesIO(body), "parquet", most_bytes=most_bytes)])
    if media in (_LINES, "application/jsonl", "application/json-lines"):
        return _some([_shallow(row) for row in read_rows(io.BytesIO(body), "jsonl")])
    if media != "application/json":
        raise ProblemError("media-type", f"send application/json, {_LINES} or {_PARQUET}")
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(
            "malformed", f"the body is not JSON in UTF-8: {error.msg} at character {error.pos}"
        ) from error
    refuse_deep(rows, body)
    if not isinstance(rows, list):
        raise InvalidInputError("the body must be a JSON array of examples")
    return _some([Row(number, row, row) for number, row in enumerate(rows, start=1)])


def _some(rows: list[Row]) -> list[Row]:
    if not rows:
        raise InvalidInputError("there is no example in the body")
    return rows


def _shallow(row: Row) -> Row:
    """Return a row, or that it is nested too deeply."""
    try:
        refuse_deep(row.value, orjson.dumps(row.raw))
    except (ProblemError, orjson.JSONEncodeError) as error:
        return Row(row.line, InvalidInputError(str(error)), None)
    return row
