"""Take items in: each row on its own, so that one that cannot be used stops no other; with the vector of what each says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson
from pydantic import ValidationError

from rejoinder.context import Clock, utc_now
from rejoinder.documents.encoding import PassageEncoder, sum_of, vector_to
from rejoinder.errors import InvalidInputError
from rejoinder.items.arriving import ItemIn, item_text, understood
from rejoinder.store.database import Database
from rejoinder.store.items import NewItem, list_items, put_items, put_vectors, vectors_of

__all__ = ["ItemLoading", "ItemResult", "counts_of"]

_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one row.

    Attributes:
        index: its place in what was sent, from 0.
        id: the item's; None where the row names none that can be used.
        reason: why it was refused.
    """

    index: int
    id: str | None
    status: Literal["new", "changed", "unchanged", "refused"]
    reason: str = ""


def counts_of(results: Sequence[ItemResult]) -> dict[str, int]:
    """Return how many rows became what."""
    counts = Counter(one.status for one in results)
    return {status: counts[status] for status in ("new", "changed", "unchanged", "refused")}


class ItemLoading:
    """Takes in the items of one tenant.

    Args:
        encoder: of their texts; None: they are kept without vectors, and are not found by what they say.
    """

    def __init__(
        self, database: Database, tenant: str, encoder: PassageEncoder | None, *, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._tenant = tenant
        self._encoder = encoder
        self._clock = clock

    async def take(self, rows: Sequence[tuple[int, Any]]) -> list[ItemResult]:
        """Keep what can be kept of rows, each with its index; return what became of each once it is durable.

        Args:
            rows: a row is a line of JSON (bytes), a value read from JSON, or the error that it could not be read for.
        Raises:
            ConflictError: there is no such tenant.
            StoreUnavailableError: the store cannot be reached.
        """
        results: list[ItemResult] = []
        for start in range(0, len(rows), _AT_ONCE):
            results += await self._take(rows[start : start + _AT_ONCE])
        return results

    async def encode_missing(self) -> int:
        """Make the vectors of items that have none of this encoder and of what it reads of an item by now; return how many.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        count, after = 0, ""
        while items := await list_items(self._database, self._tenant, active=None, after=after, limit=_AT_ONCE):
            after = items[-1].id
            before = {one.id: one for one in items}
            made = await self._with_vectors(
                [NewItem(id=one.id, title=one.title, text=one.text, data=one.data) for one in items]
            )
            stale = {
                one.id: one
                for one in made
                if (one.sha256, one.encoder_hash) != (before[one.id].sha256, before[one.id].encoder_hash)
            }
            if stale:
                revisions = {item_id: before[item_id].revision for item_id in stale}
                count += await put_vectors(self._database, self._tenant, stale, revisions)
        return count

    async def _take(self, rows: Sequence[tuple[int, Any]]) -> list[ItemResult]:
        read = [(index, *_read(value)) for index, value in rows]
        new = await self._with_vectors([one for _, one, _ in read if isinstance(one, NewItem)])
        changes = iter(await put_items(self._database, self._tenant, new, at=self._clock()) if new else ())
        return [
            ItemResult(index=index, id=one.id, status=next(changes))
            if isinstance(one, NewItem)
            else ItemResult(index=index, id=one, status="refused", reason=reason)
            for index, one, reason in read
        ]

    async def _with_vectors(self, items: Sequence[NewItem]) -> list[NewItem]:
        if self._encoder is None or not items:
            return list(items)
        texts = {sum_of(text): text for text in (item_text(one.title, one.text, one.data) for one in items)}
        known = await vectors_of(self._database, self._tenant, self._encoder.hash, list(texts))
        missing = [digest for digest in texts if digest not in known]
        if missing:
            vectors = await self._encoder.encode([texts[digest] for digest in missing])
            known = {**known, **{digest: vector_to(row) for digest, row in zip(missing, vectors, strict=True)}}
        found = []
        for one in items:
            digest = sum_of(item_text(one.title, one.text, one.data))
            found.append(replace(one, sha256=digest, encoder_hash=self._encoder.hash, vector=known[digest]))
        return found


def _read(value: Any) -> tuple[NewItem | str | None, str]:
    """Return the item and "", or the id, if the row has one, and why it cannot be used."""
    try:
        if isinstance(value, InvalidInputError):
            raise value
        if isinstance(value, bytes):
            value = orjson.loads(value)
        return understood(ItemIn.model_validate(value)), ""
    except orjson.JSONDecodeError as error:
        return None, f"the row is not JSON in UTF-8: {error.msg} at character {error.pos}"
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"]) or "the row"
        named = value.get("id") if isinstance(value, dict) else None
        return (named if isinstance(named, str) else None), f"{place}: {found['msg']}"[:300]
    except InvalidInputError as error:
        return None, str(error)
