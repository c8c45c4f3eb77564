"""Documents that answers are found in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.store.access import get_or_none, get_record, list_records, missing, reading, writing
from rejoinder.store.tables import Document, table_of

__all__ = ["delete_document", "get_document", "list_documents", "put_document"]

_c = table_of(Document).c


@writing
def put_document(
    session: Session,
    tenant_id: str,
    document_id: str,
    *,
    source: str,
    text: str,
    title: str = "",
    url: str | None = None,
    data: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> bool:
    """Keep a document, in place of an older one of its id.

    Returns:
        Whether its text is new or has changed, so that what was derived from it must be made again.
    Raises:
        ConflictError: there is no such tenant.
    """
    now = at or utc_now()
    digest = hashlib.sha256(text.encode()).hexdigest()
    document = get_or_none(session, Document, tenant_id, document_id)
    changed = document is None or document.sha256 != digest
    if document is None:
        document = Document(
            tenant_id=tenant_id, id=document_id, source=source, text=text, sha256=digest, created_at=now, updated_at=now
        )
    document.source, document.text, document.title, document.url = source, text, title, url
    document.data, document.sha256, document.updated_at = dict(data or {}), digest, now
    session.add(document)
    session.flush()
    return changed


@reading
def get_document(session: Session, tenant_id: str, document_id: str) -> Document:
    """Return a document.

    Raises:
        NotFoundError: the tenant has no such document.
    """
    return get_record(session, Document, "document", tenant_id, document_id)


@reading
def list_documents(
    session: Session, tenant_id: str, *, source: str | None = None, after: str = "", limit: int | None = None
) -> list[Document]:
    """Return documents by id, those after the id `after`, at most `limit` (None: all); of one source, if asked."""
    statement = select(Document).where(_c.tenant_id == tenant_id, _c.id > after)
    if source is not None:
        statement = statement.where(_c.source == source)
    return list_records(session, statement.order_by(_c.id).limit(limit))


@writing
def delete_document(session: Session, tenant_id: str, document_id: str) -> None:
    """Remove a document.

    Raises:
        NotFoundError: the tenant has no such document.
    """
    mine = (_c.tenant_id == tenant_id, _c.id == document_id)
    if session.execute(delete(Document).where(*mine).returning(_c.id)).first() is None:
        raise missing("document", document_id)
