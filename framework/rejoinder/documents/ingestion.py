"""Files into the store: read, cut, encoded where that is new, and kept in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.documents.content import Content
from rejoinder.documents.encoding import PassageEncoder, encoded_text, sum_of, vector_to
from rejoinder.documents.formats import UnreadableFileError, read_content
from rejoinder.documents.passages import Cut, about_tokens, cut
from rejoinder.errors import InvalidInputError
from rejoinder.store.documents import NewPassage, list_passages, put_document, set_vectors, vectors_of, without_vectors

if TYPE_CHECKING:
    from rejoinder.context import Clock
    from rejoinder.store.database import Database

__all__ = ["MOST_PASSAGES", "Ingested", "Ingestion"]

MOST_PASSAGES: Final = 20_000
"""Of one document."""

_MOST_ID_CHARS: Final = 300
_AT_ONCE: Final = 256
"""Passages encoded between two looks at the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What came of a file.

    Attributes:
        changed: whether its content is new to the store.
        passages: how many it has now; `encoded`: for how many a vector had to be made.
    """

    id: str
    title: str
    changed: bool
    passages: int
    encoded: int


class Ingestion:
    """Keeps the documents of one tenant.

    Args:
        encoder: makes vectors; None: passages are found by their words alone, until `encode_missing` is called with one.
    """

    def __init__(self, database: Database, tenant: str, encoder: PassageEncoder | None, *, clock: Clock) -> None:
        self._database = database
        self._tenant = tenant
        self._encoder = encoder
        self._clock = clock

    async def put(
        self,
        document_id: str,
        data: bytes,
        *,
        format: str,  # noqa: A002
        source: str,
        title: str = "",
        url: str | None = None,
    ) -> Ingested:
        """Read a file and keep it in place of an older one of its id; where nothing changed, nothing is encoded or written.

        Args:
            format: as `rejoinder.documents.formats.format_of` gives it.
            source: who brings it, such as "api" or a folder's name.
            title: what to call it; empty: what it calls itself, else its id.

        Raises:
            UnreadableFileError: it cannot be read; the text says why.
            InvalidInputError: the id is empty, too long or holds control characters.
            ConflictError: another source has a document of this id.
        """
        if not document_id.strip() or len(document_id) > _MOST_ID_CHARS or not document_id.isprintable():
            raise InvalidInputError(f"a document's id has 1 to {_MOST_ID_CHARS} characters, and no control characters")
        count = about_tokens if self._encoder is None else self._encoder.count

        def read() -> tuple[Content, Cut]:
            content = read_content(data, format)
            return content, cut(content, tokens=count)

        content, made = await asyncio.to_thread(read)
        if len(made.passages) > MOST_PASSAGES:
            raise UnreadableFileError(
                f"it has {len(made.passages)} passages, at most {MOST_PASSAGES} are kept: split it"
            )
        title = title.strip() or content.title or document_id
        texts = [encoded_text(title, one.headings, made.text[one.start : one.end]) for one in made.passages]
        vectors, encoded = await self._vectors(texts)
        encoder_hash = "" if self._encoder is None else self._encoder.hash
        passages = [
            NewPassage(
                start=one.start,
                end=one.end,
                headings=one.headings,
                kind=one.kind,
                sha256=(digest := sum_of(text)),
                encoder_hash=encoder_hash if digest in vectors else "",
                vector=vectors.get(digest, b""),
            )
            for one, text in zip(made.passages, texts, strict=True)
        ]
        changed = await put_document(
            self._database,
            self._tenant,
            document_id,
            source=source,
            text=made.text,
            title=title,
            url=url,
            data={"format": format},
            passages=passages,
            at=self._clock(),
        )
        return Ingested(id=document_id, title=title, changed=changed, passages=len(passages), encoded=encoded)

    async def encode_missing(self) -> int:
        """Make the vectors that passages lack, as after a change of the encoder; return how many."""
        if self._encoder is None:
            return 0
        total = 0
        for document_id in await without_vectors(self._database, self._tenant, self._encoder.hash):
            for document, rows in await list_passages(self._database, self._tenant, [document_id]):
                texts = [
                    encoded_text(document.title, row.headings, document.text[row.start_char : row.end_char])
                    for row in rows
                ]
                vectors, encoded = await self._vectors(texts)
                await set_vectors(self._database, self._tenant, vectors, encoder_hash=self._encoder.hash)
                total += encoded
        return total

    async def _vectors(self, texts: Sequence[str]) -> tuple[dict[str, bytes], int]:
        """Return a vector for each text by its sum, those that are kept already as they are, and how many had to be made."""
        if self._encoder is None:
            return {}, 0
        by_sum = {sum_of(text): text for text in texts}
        known = await vectors_of(self._database, self._tenant, self._encoder.hash, list(by_sum))
        missing = [digest for digest in by_sum if digest not in known]
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            made = await self._encoder.encode([by_sum[digest] for digest in part])
            known |= {digest: vector_to(vector) for digest, vector in zip(part, made, strict=True)}
        return known, len(missing)
