"""Sources: the feeds and folders from which a tenant's events are fetched, and how far each was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from rejoinder.store.access import get_or_none, get_record, list_records, missing, plain, reading, writing
from rejoinder.store.tables import SourceRow, table_of

__all__ = [
    "claim_source",
    "claim_sources",
    "delete_source",
    "get_source",
    "has_due_sources",
    "list_sources",
    "poll_soon",
    "put_source",
    "source_failed",
    "source_polled",
]

_sources = table_of(SourceRow)
_c = _sources.c


@writing
def put_source(
    session: Session,
    tenant_id: str,
    source_id: str,
    *,
    kind: str,
    location: str,
    every_s: float,
    time_zone: str | None = None,
    options: Mapping[str, Any] | None = None,
    at: datetime,
) -> SourceRow:
    """Keep a source, in place of an older one of this id; it is due at once. One that moved is read from its beginning."""
    row = get_or_none(session, SourceRow, tenant_id, source_id)
    if row is None:
        row = SourceRow(
            tenant_id=tenant_id,
            id=source_id,
            kind=kind,
            location=location,
            every_s=every_s,
            created_at=at,
            next_poll_at=at,
        )
    elif (row.kind, row.location) != (kind, location):
        row.kind, row.location, row.cursor = kind, location, None
    row.every_s, row.time_zone, row.options = every_s, time_zone, dict(options or {})
    row.next_poll_at, row.failures, row.error = at, 0, None
    session.add(row)
    session.flush()
    return row


@reading
def get_source(session: Session, tenant_id: str, source_id: str) -> SourceRow:
    """Return a source.

    Raises:
        NotFoundError: the tenant has no such source.
    """
    return get_record(session, SourceRow, "source", tenant_id, source_id)


@reading
def list_sources(session: Session, tenant_id: str) -> list[SourceRow]:
    """Return a tenant's sources by id."""
    return list_records(session, select(SourceRow).where(_c.tenant_id == tenant_id).order_by(_c.id))


@writing
def delete_source(session: Session, tenant_id: str, source_id: str) -> None:
    """Fetch nothing more from a source; the events that came from it stay.

    Raises:
        NotFoundError: the tenant has no such source.
    """
    statement = delete(_sources).where(_c.tenant_id == tenant_id, _c.id == source_id)
    if session.execute(statement.returning(_c.id)).first() is None:
        raise missing("source", source_id)


@reading
def has_due_sources(session: Session, tenant_id: str, *, at: datetime) -> bool:
    """Return whether a tenant has a source to look at by a moment."""
    due = select(_c.id).where(_c.tenant_id == tenant_id, _c.next_poll_at <= at)
    return session.execute(due.limit(1)).first() is not None


@writing
def poll_soon(session: Session, tenant_id: str, source_id: str, *, at: datetime) -> None:
    """Let a source be due now.

    Raises:
        NotFoundError: the tenant has no such source.
    """
    _change(session, tenant_id, source_id, {"next_poll_at": at})


@writing
def claim_sources(session: Session, tenant_id: str, *, lease_s: float, limit: int, at: datetime) -> list[SourceRow]:
    """Take sources that are due, the longest first; nobody else gets them for `lease_s` seconds."""
    due = (
        select(_c.id)
        .where(_c.tenant_id == tenant_id, _c.next_poll_at <= at)
        .order_by(_c.next_poll_at, _c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(session.scalars(due))
    mine = (_c.tenant_id == tenant_id, _c.id.in_(ids))
    session.execute(update(_sources).where(*mine).values(next_poll_at=at + timedelta(seconds=lease_s)))
    return list_records(session, select(SourceRow).where(*mine).order_by(_c.id))


@writing
def claim_source(session: Session, tenant_id: str, source_id: str, *, lease_s: float, at: datetime) -> SourceRow:
    """Take one source, due or not.

    Raises:
        NotFoundError: the tenant has no such source.
    """
    _change(session, tenant_id, source_id, {"next_poll_at": at + timedelta(seconds=lease_s)})
    return plain(get_source)(session, tenant_id, source_id)


@writing
def source_polled(
    session: Session,
    tenant_id: str,
    source_id: str,
    location: str,
    *,
    cursor: str | None,
    counts: Mapping[str, int],
    problems: Sequence[str],
    at: datetime,
    next_poll_at: datetime,
) -> bool:
    """Note how far a source was read; False where it is no more, or lies elsewhere now: then nothing was noted.

    Args:
        location: where it was read.
        counts: what became of the documents that were read, by status.
        problems: what could not be used; kept until there is something new.
    """
    row = get_or_none(session, SourceRow, tenant_id, source_id)
    if row is None or row.location != location:
        return False
    row.cursor, row.polled_at, row.next_poll_at, row.failures, row.error = cursor, at, next_poll_at, 0, None
    row.taken = {name: row.taken.get(name, 0) + counts.get(name, 0) for name in {*row.taken, *counts}}
    if counts or problems:
        row.problems = list(problems)
    session.add(row)
    return True


@writing
def source_failed(
    session: Session, tenant_id: str, source_id: str, location: str, *, error: str, at: datetime, next_poll_at: datetime
) -> None:
    """Note that a source could not be reached, unless it is no more or lies elsewhere now."""
    mine = (_c.tenant_id == tenant_id, _c.id == source_id, _c.location == location)
    changes = {"failures": _c.failures + 1, "error": error, "polled_at": at, "next_poll_at": next_poll_at}
    session.execute(update(_sources).where(*mine).values(**changes))


def _change(session: Session, tenant_id: str, source_id: str, changes: dict[str, Any]) -> None:
    statement = update(_sources).where(_c.tenant_id == tenant_id, _c.id == source_id).values(**changes)
    if session.execute(statement.returning(_c.id)).first() is None:
        raise missing("source", source_id)
