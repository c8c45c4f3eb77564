"""What people did with items, out of the stream of events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from rejoinder.payloads import Decision, Event
from rejoinder.store.access import reading
from rejoinder.store.decisions import plain_decision
from rejoinder.store.tables import DecisionRow, EventRow, table_of
from rejoinder.wire import from_json

__all__ = [
    "Deed",
    "deeds_after",
    "lists_between",
    "new_deeds",
    "people_after",
    "recent_events",
    "recent_lists",
]

_c, _d = table_of(EventRow).c, table_of(DecisionRow).c
_PAYLOAD = (_c.id, _c.kind, _c.at, _c.user_id, _c.session_id, _c.item_id, _c.text, _c.data)


class Deed(NamedTuple):
    """An event about an item, as much of it as statistics need. `position` is its place in the stream."""

    position: int
    kind: str
    at: datetime
    user_id: str | None
    session_id: str | None
    item_id: str
    data: Any


@reading
def deeds_after(
    session: Session, tenant_id: str, *, kinds: Collection[str], position: int, limit: int
) -> tuple[list[Deed], int]:
    """Return events of these kinds after a position, in the order of arrival, at most `limit`, and the position up to which was looked."""
    statement = (
        select(_c.position, _c.kind, _c.at, _c.user_id, _c.session_id, _c.item_id, _c.data)
        .where(_c.tenant_id == tenant_id, _c.position > position)
        .order_by(_c.position)
        .limit(limit)
    )
    rows = session.execute(statement).all()
    found = [Deed(*row) for row in rows if row.kind in kinds and row.item_id is not None]
    return found, rows[-1].position if rows else position


@reading
def recent_events(
    session: Session,
    tenant_id: str,
    *,
    kinds: Collection[str],
    user_id: str | None,
    session_id: str | None,
    limit: int,
) -> list[Event]:
    """Return the last events of these kinds by a user, or in a session by nobody else, at most `limit`, the oldest first."""
    whose = [] if user_id is None else [_c.user_id == user_id]
    if session_id is not None:
        whose.append((_c.session_id == session_id) & _c.user_id.is_(None))
    if not whose:
        return []
    statement = (
        select(*_PAYLOAD)
        .where(_c.tenant_id == tenant_id, or_(*whose), _c.kind.in_(sorted(kinds)))
        .order_by(_c.at.desc(), _c.id.desc())
        .limit(limit)
    )
    return [from_json(Event, dict(row._mapping)) for row in reversed(session.execute(statement).all())]


@reading
def recent_lists(session: Session, tenant_id: str, *, task: str, user_ids: Sequence[str], limit: int) -> list[Decision]:
    """Return the last lists of a task that were put before these users, at most `limit`, oldest first."""
    statement = (
        select(*(column for column in _d if column.name not in ("tenant_id", "turn_id")))
        .where(_d.tenant_id == tenant_id, _d.user_id.in_(user_ids), _d.task == task, _d.kind == "list")
        .order_by(_d.at.desc(), _d.id.desc())
        .limit(limit)
    )
    return [plain_decision(row) for row in reversed(session.execute(statement).all())]


@reading
def lists_between(
    session: Session, tenant_id: str, *, task: str, since: datetime | None, until: datetime, limit: int
) -> list[Decision]:
    """Return the newest lists of a task that people were shown from `since` (None: ever) up to `until`, at most `limit`, oldest first."""
    wanted = [_d.tenant_id == tenant_id, _d.task == task, _d.kind == "list", _d.at < until, _d.user_id.is_not(None)]
    if since is not None:
        wanted.append(_d.at >= since)
    columns = (column for column in _d if column.name not in ("tenant_id", "turn_id"))
    statement = select(*columns).where(*wanted).order_by(_d.at.desc(), _d.id.desc()).limit(limit)
    return [plain_decision(row) for row in reversed(session.execute(statement).all())]


@reading
def new_deeds(
    session: Session, tenant_id: str, *, kinds: Collection[str], since: datetime | None, limit: int
) -> list[datetime]:
    """Return when the oldest events of these kinds came in after a moment, at most `limit`, oldest first."""
    wanted = [_c.tenant_id == tenant_id, _c.kind.in_(sorted(kinds)), _c.item_id.is_not(None)]
    if since is not None:
        wanted.append(_c.received_at > since)
    statement = select(_c.received_at).where(*wanted).order_by(_c.received_at).limit(limit)
    return list(session.scalars(statement))


@reading
def people_after(session: Session, tenant_id: str, *, kinds: Collection[str], after: str, limit: int) -> list[str]:
    """Return users who did something of these kinds, by id, those after an id, at most `limit`."""
    statement = (
        select(_c.user_id)
        .where(_c.tenant_id == tenant_id, _c.user_id > after, _c.kind.in_(sorted(kinds)))
        .distinct()
        .order_by(_c.user_id)
        .limit(limit)
    )
    return list(session.scalars(statement))
