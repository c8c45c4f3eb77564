"""Events: what happened, and whether it was read. Nothing is skipped: what fails is set aside where a person sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from rejoinder.payloads import Event
from rejoinder.store.access import add_missing, missing, reading, writing
from rejoinder.store.tables import EventRow, table_of
from rejoinder.wire import from_json, to_json

__all__ = ["EventStatus", "add_events", "get_event", "list_events", "mark_events"]

EventStatus = Literal["new", "done", "set_aside"]

_events = table_of(EventRow)
_c = _events.c
_COLUMNS = tuple(column for column in _c if column.name not in ("tenant_id", "status", "attempts", "error"))


@writing
def add_events(session: Session, tenant_id: str, events: Iterable[Event]) -> list[str]:
    """Keep the events whose ids are not there yet; return these ids, in the order given.

    Raises:
        ConflictError: there is no such tenant.
    """
    given = {event.id: event for event in events}
    rows = [
        {**to_json(event), "at": event.at, "tenant_id": tenant_id, "status": "new", "attempts": 0, "error": None}
        for event in given.values()
    ]
    added = set(add_missing(session, _events, rows))
    return [event_id for event_id in given if event_id in added]


@reading
def get_event(session: Session, tenant_id: str, event_id: str) -> Event:
    """Return an event.

    Raises:
        NotFoundError: the tenant has no such event.
    """
    row = session.execute(select(*_COLUMNS).where(_c.tenant_id == tenant_id, _c.id == event_id)).first()
    if row is None:
        raise missing("event", event_id)
    return _event(row)


@reading
def list_events(
    session: Session,
    tenant_id: str,
    *,
    status: EventStatus | None = None,
    kind: str | None = None,
    user_id: str | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[Event]:
    """Return events in the order of their moments, then ids, at most `limit`; only those that fit what is given."""
    statement = select(*_COLUMNS).where(_c.tenant_id == tenant_id)
    for column, value in ((_c.status, status), (_c.kind, kind), (_c.user_id, user_id)):
        if value is not None:
            statement = statement.where(column == value)
    if since is not None:
        statement = statement.where(_c.at >= since)
    return [_event(row) for row in session.execute(statement.order_by(_c.at, _c.id).limit(limit))]


@writing
def mark_events(
    session: Session, tenant_id: str, event_ids: Sequence[str], status: EventStatus, *, error: str | None = None
) -> int:
    """Note what became of an attempt to read events; return how many there were of these ids."""
    mine = (_c.tenant_id == tenant_id, _c.id.in_(event_ids))
    changes: dict[str, Any] = {"status": status, "error": error, "attempts": _c.attempts + 1}
    return len(session.execute(update(_events).where(*mine).values(**changes).returning(_c.id)).all())


def _event(row: Row[Any]) -> Event:
    return from_json(Event, dict(row._mapping))
