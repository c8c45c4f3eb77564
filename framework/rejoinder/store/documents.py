"""Documents that answers are found in, cut into passages with their vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.errors import ConflictError
from rejoinder.store.access import get_or_none, get_record, list_records, missing, reading, writing
from rejoinder.store.chunks import in_chunks
from rejoinder.store.columns import dump_json
from rejoinder.store.database import Database
from rejoinder.store.tables import Document, DocumentsRevision, PassageRow, table_of

__all__ = [
    "DocumentSummary",
    "NewPassage",
    "delete_document",
    "document_revision",
    "document_revisions",
    "get_document",
    "list_document_summaries",
    "list_documents",
    "list_passages",
    "put_document",
    "read_revision",
    "set_vectors",
    "vectors_of",
    "without_vectors",
]

_c = table_of(Document).c
_passages = table_of(PassageRow)
_revisions = table_of(DocumentsRevision)

_REVISION: Final = "SELECT revision FROM documents_revisions WHERE tenant_id = :tenant"
_DOCUMENT_REVISION: Final = "SELECT revision FROM documents WHERE tenant_id = :tenant AND id = :id"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassage:
    """A passage to be kept; see `rejoinder.store.tables.PassageRow`."""

    start: int
    end: int
    headings: tuple[str, ...] = ()
    kind: str = "text"
    sha256: str = ""
    encoder_hash: str = ""
    vector: bytes = b""


class DocumentSummary(NamedTuple):
    """A document without its text: how many characters and passages it has, and how many of these have a vector."""

    id: str
    source: str
    title: str
    url: str | None
    revision: int
    updated_at: datetime
    characters: int
    passages: int
    encoded: int


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
    passages: Sequence[NewPassage] = (),
    at: datetime | None = None,
) -> bool:
    """Keep a document with its passages, in place of an older one of its id.

    Returns:
        Whether anything that is searched or shown is new or has changed; else nothing is written, save vectors.
    Raises:
        ConflictError: there is no such tenant, or another source has a document of this id.
    """
    now = at or utc_now()
    shown = [[one.start, one.end, list(one.headings), one.kind] for one in passages]
    said = dump_json([source, text, title, url, dict(data or {}), shown])
    digest = hashlib.sha256(said.encode()).hexdigest()
    document = get_or_none(session, Document, tenant_id, document_id)
    if document is not None and document.source != source:
        raise ConflictError(
            f"the document {document_id!r} is one of the source {document.source!r}, not of {source!r}: remove it first, or use another id"
        )
    changed = document is None or document.sha256 != digest
    if document is None:
        document = Document(
            tenant_id=tenant_id, id=document_id, source=source, text=text, sha256=digest, created_at=now, updated_at=now
        )
    if changed:
        document.text, document.title, document.url = text, title, url
        document.data, document.sha256, document.updated_at = dict(data or {}), digest, now
        document.revision = _next_revision(session, tenant_id)
        session.add(document)
        session.flush()
        mine = (_passages.c.tenant_id == tenant_id, _passages.c.document_id == document_id)
        session.execute(delete(_passages).where(*mine))
        rows = [_row(tenant_id, document_id, number, one) for number, one in enumerate(passages)]
        if rows:
            session.execute(_passages.insert(), rows)
    elif any(one.vector for one in passages):
        _set_vectors(
            session, tenant_id, {one.sha256: one.vector for one in passages if one.vector}, passages[0].encoder_hash
        )
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


@reading
def list_document_summaries(
    session: Session, tenant_id: str, *, source: str | None = None, after: str = "", limit: int | None = None
) -> list[DocumentSummary]:
    """Return documents without their texts; arguments and order as `list_documents`."""
    own = (_passages.c.tenant_id == _c.tenant_id, _passages.c.document_id == _c.id)
    count = select(func.count()).select_from(_passages).where(*own)
    statement = select(
        _c.id,
        _c.source,
        _c.title,
        _c.url,
        _c.revision,
        _c.updated_at,
        func.length(_c.text),
        count.scalar_subquery(),
        count.where(_passages.c.vector != b"").scalar_subquery(),
    ).where(_c.tenant_id == tenant_id, _c.id > after)
    if source is not None:
        statement = statement.where(_c.source == source)
    return [DocumentSummary(*row) for row in session.execute(statement.order_by(_c.id).limit(limit))]


@writing
def delete_document(session: Session, tenant_id: str, document_id: str) -> None:
    """Remove a document and its passages.

    Raises:
        NotFoundError: the tenant has no such document.
    """
    mine = (_c.tenant_id == tenant_id, _c.id == document_id)
    if session.execute(delete(Document).where(*mine).returning(_c.id)).first() is None:
        raise missing("document", document_id)
    _next_revision(session, tenant_id)


async def read_revision(database: Database, tenant_id: str) -> int:
    """Return a number that grows with every change of a tenant's documents; 0 before the first."""
    found: int | None = await database.glance(_REVISION, {"tenant": tenant_id})
    return found or 0


async def document_revision(database: Database, tenant_id: str, document_id: str) -> int | None:
    """Return the revision that brought a document's content; None when the tenant has no such document."""
    found: int | None = await database.glance(_DOCUMENT_REVISION, {"tenant": tenant_id, "id": document_id})
    return found


@reading
def document_revisions(session: Session, tenant_id: str) -> dict[str, int]:
    """Return the revision that brought the content of each of a tenant's documents."""
    mine = select(_c.id, _c.revision).where(_c.tenant_id == tenant_id)
    return {row.id: row.revision for row in session.execute(mine)}


@reading
def list_passages(
    session: Session, tenant_id: str, document_ids: Collection[str]
) -> list[tuple[Document, list[PassageRow]]]:
    """Return these documents with their passages in order, as far as they are there."""
    found: list[tuple[Document, list[PassageRow]]] = []
    for part in in_chunks(sorted(document_ids)):
        documents = list_records(session, select(Document).where(_c.tenant_id == tenant_id, _c.id.in_(part)))
        mine = (_passages.c.tenant_id == tenant_id, _passages.c.document_id.in_(part))
        rows = list_records(
            session, select(PassageRow).where(*mine).order_by(_passages.c.document_id, _passages.c.number)
        )
        by_document: dict[str, list[PassageRow]] = {document.id: [] for document in documents}
        for row in rows:
            by_document[row.document_id].append(row)
        found += [(document, by_document[document.id]) for document in documents]
    return found


@reading
def vectors_of(session: Session, tenant_id: str, encoder_hash: str, sha256s: Collection[str]) -> dict[str, bytes]:
    """Return the vectors that a tenant's passages have of texts with these sums, by the sum: what need not be encoded again."""
    found: dict[str, bytes] = {}
    for part in in_chunks(sorted(sha256s)):
        mine = (
            _passages.c.tenant_id == tenant_id,
            _passages.c.sha256.in_(part),
            _passages.c.encoder_hash == encoder_hash,
            _passages.c.vector != b"",
        )
        rows = session.execute(select(_passages.c.sha256, _passages.c.vector).where(*mine))
        found |= {row.sha256: row.vector for row in rows}
    return found


@reading
def without_vectors(session: Session, tenant_id: str, encoder_hash: str) -> list[str]:
    """Return the ids of documents with passages that have no vector of this encoder."""
    mine = (
        _passages.c.tenant_id == tenant_id,
        (_passages.c.encoder_hash != encoder_hash) | (_passages.c.vector == b""),
    )
    return list(
        session.scalars(select(_passages.c.document_id).where(*mine).distinct().order_by(_passages.c.document_id))
    )


@writing
def set_vectors(session: Session, tenant_id: str, vectors: Mapping[str, bytes], *, encoder_hash: str) -> None:
    """Keep vectors for all passages of a tenant whose texts have these sums; what serves takes them up as a change."""
    _set_vectors(session, tenant_id, vectors, encoder_hash)


def _set_vectors(session: Session, tenant_id: str, vectors: Mapping[str, bytes], encoder_hash: str) -> None:
    concerned: set[str] = set()
    for digest, vector in vectors.items():
        mine = (
            _passages.c.tenant_id == tenant_id,
            _passages.c.sha256 == digest,
            (_passages.c.encoder_hash != encoder_hash) | (_passages.c.vector == b""),
        )
        changed = update(_passages).where(*mine).values(vector=vector, encoder_hash=encoder_hash)
        concerned |= set(session.scalars(changed.returning(_passages.c.document_id)))
    if not concerned:
        return
    revision = _next_revision(session, tenant_id)
    for part in in_chunks(sorted(concerned)):
        session.execute(update(Document).where(_c.tenant_id == tenant_id, _c.id.in_(part)).values(revision=revision))


def _next_revision(session: Session, tenant_id: str) -> int:
    kind = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    first = kind.insert(_revisions).values(tenant_id=tenant_id, revision=1)
    next_one = first.on_conflict_do_update(
        index_elements=[_revisions.c.tenant_id], set_={"revision": _revisions.c.revision + 1}
    )
    return int(session.execute(next_one.returning(_revisions.c.revision)).scalar_one())


def _row(tenant_id: str, document_id: str, number: int, passage: NewPassage) -> dict[str, Any]:
    values = asdict(passage)
    start, end, headings = values.pop("start"), values.pop("end"), list(values.pop("headings"))
    place = {"tenant_id": tenant_id, "document_id": document_id, "number": number}
    return {**place, "start_char": start, "end_char": end, "headings": headings, **values}
