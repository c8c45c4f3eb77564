"""Every tenant's documents as hooks search them: in memory, and never older than the store says when it is asked.

Each search compares one number with the store (some 20 us). Where it differs, only the documents that changed are read and the index is
made anew beside the turns, in a thread; a search waits for that a moment, and takes the old one where it takes longer. What it finds there
says of which revision of its document it is, so that nobody cites what is not there any more: `is_current` asks the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rejoinder.documents.encoding import above, vector_from
from rejoinder.errors import ModelError, RejoinderError
from rejoinder.store.documents import document_revision, document_revisions, list_passages, read_revision

if TYPE_CHECKING:
    from rejoinder.documents.index import IndexedPassage, PassageIndex
    from rejoinder.models.encoding.service import EncoderService
    from rejoinder.store.database import Database
    from rejoinder.store.tables import Document, PassageRow

__all__ = ["DocumentIndexes", "TenantDocuments"]

_DOCUMENTS_AT_ONCE: Final = 200
_MOST_PASSAGES: Final = 500_000

_logger = logging.getLogger("rejoinder.documents")


class TenantDocuments:
    """One tenant's documents, for hooks."""

    __slots__ = ("_owner", "tenant")

    def __init__(self, owner: DocumentIndexes, tenant: str) -> None:
        self._owner = owner
        self.tenant = tenant

    async def index(self, *, wait_s: float = 1.0) -> PassageIndex | None:
        """Return the index of all documents, as they are now where it can be made in so many seconds, else as they were.

        None: there are no documents, or the first index is not made yet.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        return await self._owner.index(self.tenant, wait_s)

    def forget(self) -> None:
        """Free the index; the next search makes it again."""
        self._owner.forget(self.tenant)

    async def is_current(self, document_id: str, revision: int) -> bool:
        """Return whether the store still has this content of a document.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        return await document_revision(self._owner.database, self.tenant, document_id) == revision


@dataclass(slots=True)
class _Kept:
    """One tenant's index: of which revision it is, and the revision of each document in it."""

    index: PassageIndex | None = None
    revision: int = 0
    documents: dict[str, int] = field(default_factory=dict)
    refresh: asyncio.Task[None] | None = None


class DocumentIndexes:
    """The indexes of one process, those used last kept in memory.

    Args:
        encoder: whose vectors are used; passages that have none of it are found by words.
        most_passages: kept in memory of all tenants together; an index of 10,000 takes some 40 MB.
    """

    def __init__(self, database: Database, encoder: EncoderService, *, most_passages: int = _MOST_PASSAGES) -> None:
        self.database = database
        self._encoder = encoder
        self._most_passages = most_passages
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def of(self, tenant: str) -> TenantDocuments:
        """Return the documents of a tenant, whether there are any or not."""
        return TenantDocuments(self, tenant)

    async def index(self, tenant: str, wait_s: float) -> PassageIndex | None:
        """See `TenantDocuments.index`."""
        revision = await read_revision(self.database, tenant)
        kept = self._kept.get(tenant)
        if kept is None:
            if not revision:
                return None
            kept = self._kept[tenant] = _Kept()
        self._kept.move_to_end(tenant)
        if kept.revision != revision:
            refresh = kept.refresh
            if refresh is None or refresh.done() or refresh.get_loop() is not asyncio.get_running_loop():
                refresh = kept.refresh = asyncio.create_task(self._refresh(tenant, kept))
            await asyncio.wait({refresh}, timeout=wait_s)
        return kept.index

    def forget(self, tenant: str) -> None:
        """Free what is kept of a tenant."""
        kept = self._kept.pop(tenant, None)
        if kept is not None and kept.refresh is not None and not kept.refresh.get_loop().is_closed():
            kept.refresh.cancel()

    def close(self) -> None:
        """Free everything."""
        for tenant in list(self._kept):
            self.forget(tenant)

    async def _refresh(self, tenant: str, kept: _Kept) -> None:
        try:
            while kept.revision != (revision := await read_revision(self.database, tenant)):
                await self._catch_up(tenant, kept, revision)
        except RejoinderError as error:
            _logger.warning("documents of tenant %s are not up to date: %s", tenant, error)
        except ImportError as error:
            _logger.error("documents need the package %s: pip install 'rejoinder[documents]'", error.name)  # noqa: TRY400
        except Exception:  # the next search tries again
            _logger.exception("documents of tenant %s are not up to date", tenant)

    async def _catch_up(self, tenant: str, kept: _Kept, revision: int) -> None:
        now = await document_revisions(self.database, tenant)
        changed = sorted(one for one, own in now.items() if kept.documents.get(one) != own)
        gone = {one for one in kept.documents if one not in now} | set(changed)
        encoder_hash = await self._encoder_hash()
        rows: list[tuple[Document, list[PassageRow]]] = []
        for start in range(0, len(changed), _DOCUMENTS_AT_ONCE):
            rows += await list_passages(self.database, tenant, changed[start : start + _DOCUMENTS_AT_ONCE])
        before = kept.index
        kept.index = await asyncio.to_thread(_with, before, gone, rows, encoder_hash)
        kept.documents = {one: own for one, own in kept.documents.items() if one not in gone}
        kept.documents |= {document.id: document.revision for document, _ in rows}
        kept.revision = revision
        if kept.index is not None and not kept.index.has_vectors and encoder_hash is not None:
            _logger.warning(
                "passages of tenant %s have no vectors of the encoder %s and are found by words: rejoinder documents encode",
                tenant,
                encoder_hash,
            )
        self._make_room(tenant)

    async def _encoder_hash(self) -> str | None:
        try:
            return (await self._encoder.ready()).hash
        except ModelError:
            return None

    def _make_room(self, tenant: str) -> None:
        sizes = {name: len(kept.index or ()) for name, kept in self._kept.items()}
        total = sum(sizes.values())
        for name in list(self._kept):
            if total <= self._most_passages or name == tenant:
                break
            total -= sizes[name]
            del self._kept[name]


def _with(
    before: PassageIndex | None,
    gone: set[str],
    rows: Sequence[tuple[Document, list[PassageRow]]],
    encoder_hash: str | None,
) -> PassageIndex | None:
    from rejoinder.documents.index import PassageIndex

    new = [one for document, passages in rows for one in _passages(document, passages, encoder_hash)]
    index = PassageIndex(new) if before is None else before.with_changes(gone, new)
    return index if len(index) else None


def _passages(document: Document, rows: Sequence[PassageRow], encoder_hash: str | None) -> list[IndexedPassage]:
    from rejoinder.documents.index import IndexedPassage

    return [
        IndexedPassage(
            document_id=document.id,
            revision=document.revision,
            number=row.number,
            title=document.title,
            url=document.url,
            headings=above(document.title, row.headings),
            text=document.text[row.start_char : row.end_char],
            start=row.start_char,
            kind="reply" if row.kind == "reply" else "text",
            vector=vector_from(row.vector) if row.vector and row.encoder_hash == encoder_hash else None,
        )
        for row in rows
    ]
