"""Items that can be recommended: sent one by one, in batches or as a stream of lines; listed, looked at, removed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from rejoinder.documents.encoding import PassageEncoder
from rejoinder.errors import InvalidInputError
from rejoinder.events.lines import Lines
from rejoinder.items.loading import ItemLoading, ItemResult, counts_of
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.event_lines import LINES, is_lines
from rejoinder.serving.problems import ProblemError, responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.rows import rows_of
from rejoinder.serving.schemas.items import ItemList, ItemOut, ItemsTaken
from rejoinder.store import items
from rejoinder.store.tables import Item

if TYPE_CHECKING:
    from rejoinder.application import Application

router = APIRouter(prefix="/items", tags=["items"], route_class=JsonRoute)

_MOST_RESULTS: Final = 10_000
_ITEM: Final = {"$ref": "#/components/schemas/ItemIn"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"oneOf": [_ITEM, {"type": "array", "minItems": 1, "items": _ITEM}]}},
            LINES: {"schema": {"type": "string", "description": "One item a line, as many as there are."}},
        },
    }
}

ItemId = Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="The item's id.")]


@router.post(
    "",
    response_model=ItemsTaken,
    responses=responses_for("not-found", "media-type", "busy"),
    openapi_extra=_BODY,
    summary="Send items",
)
async def send_items(request: Request, entry: Annotated[Entry, Depends(May("ingest"))], door: TheDoor) -> Response:
    """One item, an array, or JSON lines. Each row has its own result, and one that cannot be used stops no other. An item takes the
    place of an older one of its id, and can be listed at once, in every process."""
    application = door.application
    await application.tenants.get(entry.tenant)
    encoder = await PassageEncoder.of_service(application.encoder, entry.tenant)
    loading = ItemLoading(application.database, entry.tenant, encoder, clock=application.clock)
    results: list[ItemResult] = []
    media = request.headers.get("content-type", "")
    if is_lines(media):
        lines = Lines(application.settings.server.max_body_bytes)
        async for piece in request.stream():
            results += await loading.take(lines.feed(piece))
        results += await loading.take(lines.close())
    elif media.partition(";")[0].strip().lower() == "application/json":
        results += await loading.take(list(enumerate(rows_of(await request.body()))))
    else:
        raise ProblemError("media-type", f"send application/json or {LINES}")
    if not results:
        raise InvalidInputError("there is no item in the body")
    await _mirror(door.application, entry)
    listed = [one for number, one in enumerate(results) if number < _MOST_RESULTS or one.status == "refused"]
    return json_response({**counts_of(results), "results": [asdict(one) for one in listed[: 2 * _MOST_RESULTS]]})


@router.get("", response_model=ItemList, responses=responses_for("not-found"), summary="List items")
async def list_items(
    entry: Annotated[Entry, Depends(May("ingest"))],
    door: TheDoor,
    after: Annotated[
        str, Query(max_length=200, description="Only ids after this one: the last of the page before.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """By id, those included that are not available."""
    await door.application.tenants.get(entry.tenant)
    found = await items.list_items(door.application.database, entry.tenant, active=None, after=after, limit=limit)
    return json_response({"items": [shown(item) for item in found]})


@router.get("/{item_id}", response_model=ItemOut, responses=responses_for("not-found"), summary="Look at an item")
async def show_item(item_id: ItemId, entry: Annotated[Entry, Depends(May("ingest"))], door: TheDoor) -> Response:
    """As it is kept."""
    return json_response(shown(await items.get_item(door.application.database, entry.tenant, item_id)))


@router.delete("/{item_id}", status_code=204, responses=responses_for("not-found"), summary="Remove an item")
async def delete_item(item_id: ItemId, entry: Annotated[Entry, Depends(May("ingest"))], door: TheDoor) -> Response:
    """It is listed no more, in any process; what people did with it stays, and counts again if it comes back."""
    await items.delete_item(door.application.database, entry.tenant, item_id)
    await _mirror(door.application, entry)
    return Response(status_code=204)


async def _mirror(application: Application, entry: Entry) -> None:
    """Let the tenant's graph, where it has one, follow in the background."""
    request = await application.models.request_for(entry.tenant, entry.caller)
    application.item_mirror.start(entry.tenant, request.graph)


def shown(item: Item) -> dict[str, Any]:
    """Return an item as the API shows it."""
    said = {"tags": [], "price": None, "image": None, "url": None, "published": None, "data": {}} | item.data
    kept = {name: said[name] for name in ("tags", "price", "image", "url", "published", "data")}
    whole = {"id": item.id, "title": item.title, "text": item.text, "available": item.active}
    return {**whole, **kept, "updated_at": item.updated_at}
