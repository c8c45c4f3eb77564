"""What people say of alerts moves the tenant's threshold, until there are as many false alarms as wanted and no more.

After each mark the threshold (natural logarithm) moves by a step times what the false alarms since the last mark were too many:
stochastic approximation, as in Gibbs and Candes, "Adaptive conformal inference under distribution shift" (2021). In the long run the
rate of alerts marked as noise is the wanted one, whatever the stream is like.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from rejoinder.store.access import plain, reading, writing
from rejoinder.store.alerts import get_alert_row
from rejoinder.store.tables import AlertRow, AlertThreshold, table_of

__all__ = ["Mark", "mark_alert", "moved_by", "threshold_of"]

Mark = Literal["useful", "noise"]

_STEP: Final = 0.25
_MOST_WANTED: Final = 3.0
_BOUND: Final = 6.0
"""The threshold moves by at most so much to either side."""

_alerts, _thresholds = table_of(AlertRow), table_of(AlertThreshold)


def moved_by(mark: Mark, wanted: float) -> float:
    """Return what a mark adds to the threshold.

    Args:
        wanted: false alarms that were wanted in the time since the last mark, >= 0; more than three count as three, so that little is
            concluded from a time in which nobody marked.
    """
    return _STEP * ((mark == "noise") - min(_MOST_WANTED, wanted))


@reading
def threshold_of(session: Session, tenant_id: str) -> tuple[float, int]:
    """Return what marks have added to a tenant's threshold, and how many there are."""
    c = _thresholds.c
    row = session.execute(select(c.shift, c.marks).where(c.tenant_id == tenant_id)).first()
    return (0.0, 0) if row is None else (row.shift, row.marks)


@writing
def mark_alert(
    session: Session, tenant_id: str, alert_id: str, mark: Mark, *, by: str, at: datetime, wanted_per_day: float
) -> float:
    """Note what somebody thinks of an alert, and move the tenant's threshold; return what marks have added to it.

    The same mark again changes nothing; another one takes the place of the first.

    Raises:
        NotFoundError: the tenant has no such alert.
    """
    kind = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    first = kind.insert(_thresholds).values(tenant_id=tenant_id, shift=0.0, marks=0, marked_at=at)
    t, c = _thresholds.c, _alerts.c
    locked = first.on_conflict_do_update(index_elements=[t.tenant_id], set_={"shift": t.shift})
    shift, marks, last = session.execute(locked.returning(t.shift, t.marks, t.marked_at)).one()
    row = plain(get_alert_row)(session, tenant_id, alert_id)
    if row.mark == mark:
        return float(shift)
    if row.mark is None:
        since = last if marks else row.raised_at
        days = max(0.0, (at - since).total_seconds() / 86_400)
        move = moved_by(mark, wanted_per_day * days)
    else:  # what was wanted since then is in it already
        move = row.marked_shift + (_STEP if mark == "noise" else -_STEP)
        shift -= row.marked_shift
    after = min(_BOUND, max(-_BOUND, shift + move))
    mine = (c.tenant_id == tenant_id, c.id == alert_id)
    said = {"mark": mark, "marked_at": at, "marked_by": by, "marked_shift": after - shift}
    session.execute(update(_alerts).where(*mine).values(**said))
    changes = {"shift": after, "marks": marks + (row.mark is None), "marked_at": at if row.mark is None else last}
    session.execute(update(_thresholds).where(t.tenant_id == tenant_id).values(**changes))
    return float(after)
