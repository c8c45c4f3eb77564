"""When schedules were last kept, so that of any number of workers one does what is due."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.store.access import add_missing, reading, writing
from rejoinder.store.tables import ScheduleRow, table_of

__all__ = ["claim_schedule", "kept_schedules"]

_schedules = table_of(ScheduleRow)
_c = _schedules.c


@reading
def kept_schedules(session: Session, tenant_id: str) -> dict[str, datetime]:
    """Return when each of a tenant's schedules was last kept."""
    rows = session.execute(select(_c.id, _c.last_at).where(_c.tenant_id == tenant_id))
    return {name: last for name, last in rows}  # noqa: C416  # typed rows


@writing
def claim_schedule(session: Session, tenant_id: str, name: str, *, every_s: float, at: datetime | None = None) -> bool:
    """Return whether a schedule is due and the caller's to keep; of several that ask at once, one gets it.

    Args:
        every_s: seconds from one time to the next, > 0; one that was never kept is due.
    """
    now = at or utc_now()
    if add_missing(session, _schedules, [{"tenant_id": tenant_id, "id": name, "last_at": now}]):
        return True
    due = (_c.tenant_id == tenant_id, _c.id == name, _c.last_at <= now - timedelta(seconds=every_s))
    return session.execute(update(_schedules).where(*due).values(last_at=now).returning(_c.id)).first() is not None
