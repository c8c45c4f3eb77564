"""Items that can be recommended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.store.access import get_or_none, get_record, list_records, missing, reading, writing
from rejoinder.store.tables import Item, table_of

__all__ = ["delete_item", "get_item", "get_items", "list_items", "put_item"]

_c = table_of(Item).c


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
    item = get_or_none(session, Item, tenant_id, item_id)
    if item is None:
        item = Item(tenant_id=tenant_id, id=item_id, title=title, created_at=now, updated_at=now)
    item.title, item.text, item.data, item.active, item.updated_at = title, text, dict(data or {}), active, now
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
def list_items(
    session: Session, tenant_id: str, *, active: bool | None = True, after: str = "", limit: int | None = None
) -> list[Item]:
    """Return items by id, those after the id `after`, at most `limit` (None: all)."""
    statement = select(Item).where(_c.tenant_id == tenant_id, _c.id > after)
    if active is not None:
        statement = statement.where(_c.active == active)
    return list_records(session, statement.order_by(_c.id).limit(limit))


@writing
def delete_item(session: Session, tenant_id: str, item_id: str) -> None:
    """Remove an item.

    Raises:
        NotFoundError: the tenant has no such item.
    """
    mine = (_c.tenant_id == tenant_id, _c.id == item_id)
    if session.execute(delete(Item).where(*mine).returning(_c.id)).first() is None:
        raise missing("item", item_id)
