"""Documents that answers are found in: sent as files, listed, looked at, removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from rejoinder.documents.encoding import PassageEncoder
from rejoinder.documents.formats import MEDIA_TYPES, format_of
from rejoinder.documents.ingestion import Ingestion
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.documents import DocumentDetails, DocumentList, IngestedOut
from rejoinder.store import documents

router = APIRouter(prefix="/documents", tags=["documents"], route_class=JsonRoute)

DocumentId = Annotated[
    str, Path(pattern=r"^[^\x00-\x1f\x7f]{1,300}$", description="The document's id, such as a path: `faq/refunds.md`.")
]

_FILE = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES},
    }
}


@router.get("", response_model=DocumentList, responses=responses_for("not-found"), summary="List documents")
async def list_documents(
    entry: Annotated[Entry, Depends(May("ingest"))],
    door: TheDoor,
    source: Annotated[str | None, Query(max_length=200, description="Only of this source.")] = None,
    after: Annotated[
        str, Query(max_length=300, description="Only ids after this one: the last of the page before.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """By id, without their texts."""
    await door.application.tenants.get(entry.tenant)
    found = await documents.list_document_summaries(
        door.application.database, entry.tenant, source=source, after=after, limit=limit
    )
    return json_response({"documents": [one._asdict() for one in found]})


@router.put(
    "/{document_id:path}",
    response_model=IngestedOut,
    responses=responses_for("not-found", "conflict"),
    openapi_extra=_FILE,
    summary="Send a document",
)
async def put_document(
    document_id: DocumentId,
    request: Request,
    entry: Annotated[Entry, Depends(May("ingest"))],
    door: TheDoor,
    title: Annotated[str, Query(max_length=300, description="What to call it; empty: what it calls itself.")] = "",
    url: Annotated[
        str | None, Query(max_length=2000, pattern=r"^https?://", description="Where people can read it.")
    ] = None,
    source: Annotated[str, Query(min_length=1, max_length=200, description="Who brings it.")] = "api",
) -> Response:
    """The body is the file itself: Markdown, plain text, HTML, PDF, DOCX or CSV, by `Content-Type`, else by what the id ends with.
    It takes the place of an older one of this id and source (another source's is a conflict), and answers the next message in every
    process; passages that did not change are not encoded again."""
    application = door.application
    await application.tenants.get(entry.tenant)
    media_type = request.headers.get("content-type", "")
    generic = media_type.partition(";")[0].strip().lower() in ("", "application/octet-stream")
    format_name = format_of(document_id, "" if generic else media_type)
    encoder = await PassageEncoder.of_service(application.encoder, entry.tenant)
    ingestion = Ingestion(application.database, entry.tenant, encoder, clock=application.clock)
    done = await ingestion.put(
        document_id, await request.body(), format=format_name, source=source, title=title, url=url
    )
    return json_response({name: getattr(done, name) for name in IngestedOut.model_fields})


@router.get(
    "/{document_id:path}",
    response_model=DocumentDetails,
    responses=responses_for("not-found"),
    summary="Look at a document",
)
async def show_document(
    document_id: DocumentId, entry: Annotated[Entry, Depends(May("ingest"))], door: TheDoor
) -> Response:
    """Its text as it was read, and its passages; the spans of citations are places in this text."""
    database = door.application.database
    await documents.get_document(database, entry.tenant, document_id)
    [(found, rows)] = await documents.list_passages(database, entry.tenant, [document_id])
    passages = [
        {"start": row.start_char, "end": row.end_char, "headings": row.headings, "kind": row.kind} for row in rows
    ]
    shown = {name: getattr(found, name) for name in DocumentDetails.model_fields if name != "passages"}
    return json_response({**shown, "passages": passages})


@router.delete(
    "/{document_id:path}", status_code=204, responses=responses_for("not-found"), summary="Remove a document"
)
async def delete_document(
    document_id: DocumentId, entry: Annotated[Entry, Depends(May("ingest"))], door: TheDoor
) -> Response:
    """From then on nothing of it is cited, in any process."""
    await documents.delete_document(door.application.database, entry.tenant, document_id)
    return Response(status_code=204)
