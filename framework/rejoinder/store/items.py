"""Items that can be recommended.

Every change gets the next revision of the tenant's items, so that a process that keeps them in memory reads only what is new.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.store.access import get_or_none, get_record, list_records, missing, reading, writing
from rejoinder.store.chunks import in_chunks
from rejoinder.store.database import Database
from rejoinder.store.tables import Item, ItemsRevision, table_of

__all__ = [
    "ItemChange",
    "NewItem",
    "Revision",
    "delete_item",
    "get_item",
    "get_items",
    "item_ids",
    "item_revisions",
    "item_rows",
    "items_after",
    "known_items",
    "list_items",
    "put_item",
    "put_items",
    "put_vectors",
    "read_items_revision",
    "vectors_of",
]

ItemChange = Literal["new", "changed", "unchanged"]

_items, _revisions = table_of(Item), table_of(ItemsRevision)
_c, _r = _items.c, _revisions.c
_REVISION: Final = "SELECT revision FROM items_revisions WHERE tenant_id = :tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item to be kept; see `rejoinder.store.tables.Item`."""

    id: str
    title: str
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    active: bool = True
    sha256: str = ""
    encoder_hash: str = ""
    vector: bytes = b""


class Revision(NamedTuple):
    """How often a tenant's items changed, and how many were removed."""

    revision: int
    removed: int


@writing
def put_items(
    session: Session, tenant_id: str, new: Sequence[NewItem], *, at: datetime | None = None
) -> list[ItemChange]:
    """Keep items, in place of older ones of their ids; return what became of each. Of one id twice the last counts.

    Raises:
        ConflictError: there is no such tenant.
    """
    now = at or utc_now()
    before: dict[str, Any] = {}
    for some in in_chunks(sorted({one.id for one in new})):
        statement = select(_items).where(_c.tenant_id == tenant_id, _c.id.in_(some))
        before |= {row.id: row for row in session.execute(statement)}
    changes: list[ItemChange] = []
    rows: dict[str, dict[str, Any]] = {}
    revision: int | None = None
    for one in new:
        last = rows.get(one.id) or (before[one.id]._mapping if one.id in before else None)
        if last is not None and _same(last, one):
            changes.append("unchanged")
            continue
        changes.append("new" if last is None else "changed")
        if revision is None:
            revision = _next_revision(session, tenant_id)
        rows[one.id] = {
            "tenant_id": tenant_id,
            "id": one.id,
            "title": one.title,
            "text": one.text,
            "data": dict(one.data),
            "active": one.active,
            "sha256": one.sha256,
            "encoder_hash": one.encoder_hash,
            "vector": one.vector,
            "revision": revision,
            "created_at": now if last is None else last["created_at"],
            "updated_at": now,
        }
    if rows:
        kind = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        insertion = kind.insert(_items)
        kept = ("tenant_id", "id", "created_at")
        replaced = {column.name: insertion.excluded[column.name] for column in _c if column.name not in kept}
        session.execute(
            insertion.on_conflict_do_update(index_elements=[_c.tenant_id, _c.id], set_=replaced), list(rows.values())
        )
    return changes


@writing
def put_item(
    session: Session,
    tenant_id: str,
    item_id: str,
    *,
    title: str,
    text: str = "",
    data: Mapping[str, Any] | None = None,
    active: bool = True,
    at: datetime | None = None,
) -> Item:
    """Keep an item, in place of an older one of its id.

    Args:
        active: False: it stays known, but is offered no more.
    Raises:
        ConflictError: there is no such tenant.
    """
    now = at or utc_now()
    revision = _next_revision(session, tenant_id)
    item = get_or_none(session, Item, tenant_id, item_id)
    if item is None:
        item = Item(tenant_id=tenant_id, id=item_id, title=title, created_at=now, updated_at=now)
    item.title, item.text, item.data, item.active, item.updated_at = title, text, dict(data or {}), active, now
    item.sha256, item.encoder_hash, item.vector, item.revision = "", "", b"", revision
    session.add(item)
    session.flush()
    return item


@reading
def get_item(session: Session, tenant_id: str, item_id: str) -> Item:
    """Return an item.

    Raises:
        NotFoundError: the tenant has no such item.
    """
    return get_record(session, Item, "item", tenant_id, item_id)


@reading
def get_items(session: Session, tenant_id: str, item_ids: Sequence[str]) -> dict[str, Item]:
    """Return those of the items that there are, by id."""
    found = list_records(session, select(Item).where(_c.tenant_id == tenant_id, _c.id.in_(item_ids)))
    return {item.id: item for item in found}


@reading
def known_items(session: Session, tenant_id: str, item_ids: Collection[str]) -> frozenset[str]:
    """Return those of the ids that are items of the tenant."""
    found: set[str] = set()
    for some in in_chunks(sorted(set(item_ids))):
        found |= set(session.scalars(select(_c.id).where(_c.tenant_id == tenant_id, _c.id.in_(some))))
    return frozenset(found)


@reading
def vectors_of(session: Session, tenant_id: str, encoder_hash: str, sha256s: Collection[str]) -> dict[str, bytes]:
    """Return the vectors of texts with these sums, by the sum: what need not be encoded again."""
    found: dict[str, bytes] = {}
    for some in in_chunks(sorted(sha256s)):
        mine = (_c.tenant_id == tenant_id, _c.sha256.in_(some), _c.encoder_hash == encoder_hash, _c.vector != b"")
        found |= {row.sha256: row.vector for row in session.execute(select(_c.sha256, _c.vector).where(*mine))}
    return found


@writing
def put_vectors(session: Session, tenant_id: str, made: Mapping[str, NewItem], revisions: Mapping[str, int]) -> int:
    """Keep what was made of items' texts, each by its id, unless the item has changed since; return of how many it was kept.

    Args:
        revisions: of each item when its text was read.
    """
    revision: int | None = None
    kept = 0
    for item_id, one in made.items():
        revision = revision or _next_revision(session, tenant_id)
        mine = (_c.tenant_id == tenant_id, _c.id == item_id, _c.revision == revisions[item_id])
        values = {"sha256": one.sha256, "encoder_hash": one.encoder_hash, "vector": one.vector, "revision": revision}
        kept += session.execute(update(_items).where(*mine).values(values).returning(_c.id)).first() is not None
    return kept


@reading
def list_items(
    session: Session, tenant_id: str, *, active: bool | None = True, after: str = "", limit: int | None = None
) -> list[Item]:
    """Return items by id, those after the id `after`, at most `limit` (None: all)."""
    statement = select(Item).where(_c.tenant_id == tenant_id, _c.id > after)
    if active is not None:
        statement = statement.where(_c.active == active)
    return list_records(session, statement.order_by(_c.id).limit(limit))


@reading
def items_after(session: Session, tenant_id: str, revision: int) -> tuple[Revision, list[Any]]:
    """Return the revision of a tenant's items, and the rows of those that changed after another revision, by id."""
    row = session.execute(select(_r.revision, _r.removed).where(_r.tenant_id == tenant_id)).first()
    now = Revision(0, 0) if row is None else Revision(row.revision, row.removed)
    statement = select(_items).where(_c.tenant_id == tenant_id, _c.revision > revision).order_by(_c.id)
    return now, list(session.execute(statement))


@reading
def item_ids(session: Session, tenant_id: str) -> list[str]:
    """Return the ids of all items."""
    return list(session.scalars(select(_c.id).where(_c.tenant_id == tenant_id)))


@reading
def item_revisions(session: Session, tenant_id: str) -> dict[str, int]:
    """Return of each item, by its id, the revision at which it last changed."""
    return {
        row.id: row.revision for row in session.execute(select(_c.id, _c.revision).where(_c.tenant_id == tenant_id))
    }


@reading
def item_rows(session: Session, tenant_id: str, ids: Collection[str]) -> list[Any]:
    """Return the rows of those of the ids that there are, by id, without their vectors."""
    columns = [column for column in _c if column.name != "vector"]
    found: list[Any] = []
    for some in in_chunks(sorted(ids)):
        found += session.execute(select(*columns).where(_c.tenant_id == tenant_id, _c.id.in_(some)).order_by(_c.id))
    return found


async def read_items_revision(database: Database, tenant_id: str) -> int:
    """Return a number that grows with every change of a tenant's items; 0 before the first."""
    found: int | None = await database.glance(_REVISION, {"tenant": tenant_id})
    return found or 0


@writing
def delete_item(session: Session, tenant_id: str, item_id: str) -> None:
    """Remove an item.

    Raises:
        NotFoundError: the tenant has no such item.
    """
    mine = (_c.tenant_id == tenant_id, _c.id == item_id)
    if session.execute(delete(Item).where(*mine).returning(_c.id)).first() is None:
        raise missing("item", item_id)
    _next_revision(session, tenant_id, removed=1)


def _next_revision(session: Session, tenant_id: str, *, removed: int = 0) -> int:
    kind = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    first = kind.insert(_revisions).values(tenant_id=tenant_id, revision=1, removed=removed)
    next_one = first.on_conflict_do_update(
        index_elements=[_r.tenant_id], set_={"revision": _r.revision + 1, "removed": _r.removed + removed}
    )
    return int(session.execute(next_one.returning(_r.revision)).scalar_one())


def _same(row: Mapping[str, Any], new: NewItem) -> bool:
    said = (row["title"], row["text"], row["active"]) == (new.title, new.text, new.active)
    encoded = not new.vector or (row["sha256"], row["encoder_hash"]) == (new.sha256, new.encoder_hash)
    return said and encoded and _sorted(row["data"]) == _sorted(dict(new.data))


def _sorted(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
