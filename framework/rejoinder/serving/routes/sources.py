"""Sources: feeds and folders from which events are fetched."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.sources import SourceIn, SourceList, SourceOut
from rejoinder.store import sources
from rejoinder.store.tables import SourceRow

router = APIRouter(prefix="/sources", tags=["events"], route_class=JsonRoute)

SourceId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="The source's id, which its events name.")
]
Reader = Annotated[Entry, Depends(May("ingest"))]
Manager = Annotated[Entry, Depends(May("manage_tenant"))]


@router.get("", response_model=SourceList, responses=responses_for("not-found"), summary="List sources")
async def list_sources(entry: Reader, door: TheDoor) -> Response:
    """By id, with what came of each."""
    await door.application.tenants.get(entry.tenant)
    found = await sources.list_sources(door.application.database, entry.tenant)
    return json_response({"sources": [told_source(row) for row in found]})


@router.put(
    "/{source_id}",
    response_model=SourceOut,
    responses=responses_for("not-found", "media-type", "invalid-input"),
    summary="Add or change a source",
)
async def put_source(source_id: SourceId, body: SourceIn, entry: Manager, door: TheDoor) -> Response:
    """A worker looks at it soon, and then again and again. One that lies elsewhere from now on is read from its beginning."""
    application = door.application
    await application.tenants.get(entry.tenant)
    row = await sources.put_source(
        application.database, entry.tenant, source_id, **body.model_dump(), at=application.clock()
    )
    return json_response(told_source(row))


@router.get("/{source_id}", response_model=SourceOut, responses=responses_for("not-found"), summary="Look at a source")
async def show_source(source_id: SourceId, entry: Reader, door: TheDoor) -> Response:
    """With why it could not be reached, and what could not be used of it."""
    return json_response(told_source(await sources.get_source(door.application.database, entry.tenant, source_id)))


@router.post("/{source_id}/poll", status_code=202, responses=responses_for("not-found"), summary="Look at a source now")
async def poll_source(source_id: SourceId, entry: Reader, door: TheDoor) -> Response:
    """A worker looks at it within seconds, however long it was to wait."""
    await sources.poll_soon(door.application.database, entry.tenant, source_id, at=door.application.clock())
    return Response(status_code=202)


@router.delete("/{source_id}", status_code=204, responses=responses_for("not-found"), summary="Remove a source")
async def delete_source(source_id: SourceId, entry: Manager, door: TheDoor) -> Response:
    """Nothing more is fetched from it; its events stay."""
    await sources.delete_source(door.application.database, entry.tenant, source_id)
    return Response(status_code=204)


def told_source(row: SourceRow) -> dict[str, Any]:
    """Return a source as it is shown."""
    return {name: getattr(row, name) for name in SourceOut.model_fields}
