"""What detectors remember, and how far a tenant's stream was looked through for changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from rejoinder.payloads import Alert, DetectorState, Observation
from rejoinder.store.access import plain, reading, writing
from rejoinder.store.alert_rules import Looked, rules_looked_at
from rejoinder.store.alerts import add_alert
from rejoinder.store.chunks import in_chunks
from rejoinder.store.tables import AlertThreshold, DetectorStateRow, EventRow, EventStream, ObservationRow, table_of
from rejoinder.wire import from_json

__all__ = ["Undetected", "changes_detected", "detector_states", "undetected", "undetected_count"]

_events, _streams, _observations = table_of(EventRow), table_of(EventStream), table_of(ObservationRow)
_states, _thresholds = table_of(DetectorStateRow), table_of(AlertThreshold)
_c, _s, _o = _events.c, _streams.c, _observations.c
_PAYLOAD = tuple(column for column in _o if column.name not in ("tenant_id", "number"))


class Undetected(NamedTuple):
    """What was observed next in a stream.

    Attributes:
        start, end: the positions up to which it was looked through, and will be.
        observations: in the order of their events.
    """

    start: int
    end: int
    observations: tuple[Observation, ...]


@reading
def undetected_count(session: Session, tenant_id: str) -> int:
    """Return how many events were read, and not yet looked through."""
    found = session.execute(select(_s.read - _s.detected).where(_s.tenant_id == tenant_id)).scalar()
    return found or 0


@reading
def undetected(session: Session, tenant_id: str, *, limit: int) -> Undetected | None:
    """Return the observations of the next events, at most `limit` events; None where all were looked through."""
    stream = session.execute(select(_s.read, _s.detected).where(_s.tenant_id == tenant_id)).first()
    if stream is None or stream.read <= stream.detected:
        return None
    end = min(stream.read, stream.detected + limit)
    statement = (
        select(*_PAYLOAD, _c.position)
        .join(_events, (_c.tenant_id == _o.tenant_id) & (_c.id == _o.event_id))
        .where(_c.tenant_id == tenant_id, _c.position > stream.detected, _c.position <= end)
        .order_by(_c.position, _o.number)
    )
    found = tuple(from_json(Observation, dict(row._mapping)) for row in session.execute(statement))
    return Undetected(stream.detected, end, found)


@reading
def detector_states(session: Session, tenant_id: str, keys: Iterable[str]) -> dict[str, DetectorState]:
    """Return the states of series by key, new ones for those never met, each with the tenant's threshold."""
    names = list(dict.fromkeys(keys))
    shift = session.execute(select(_thresholds.c.shift).where(_thresholds.c.tenant_id == tenant_id)).scalar() or 0.0
    states = {key: DetectorState(key=key, threshold=shift) for key in names}
    for some in in_chunks(names):
        mine = (_states.c.tenant_id == tenant_id, _states.c.key.in_(some))
        for row in session.execute(select(_states.c.key, _states.c.data, _states.c.offset).where(*mine)):
            states[row.key] = DetectorState(key=row.key, data=row.data, offset=row.offset, threshold=shift)
    return states


@writing
def changes_detected(
    session: Session,
    tenant_id: str,
    seen: Undetected,
    states: Sequence[DetectorState],
    alerts: Sequence[Alert],
    *,
    receivers: Sequence[str],
    group_within: timedelta,
    told: Sequence[Alert] = (),
    looked: Mapping[str, Looked] | None = None,
    at: datetime,
) -> bool:
    """Keep, in one transaction, the next states of series, the alerts that follow, and how far the stream was looked through.

    Args:
        told: alerts of rules: each was asked for, and is told by itself, unless its rule was removed meanwhile.
        looked: what came of looks at rules, by their ids.
        receivers: who gets each alert that is no part of another.
        group_within: see `rejoinder.store.alerts.add_alert`.
    Returns:
        False where somebody else was there first; then nothing was written.
    """
    mine = (_s.tenant_id == tenant_id, _s.detected == seen.start)
    if session.execute(update(_streams).where(*mine).values(detected=seen.end).returning(_s.read)).first() is None:
        return False
    for some in in_chunks([one.key for one in states]):
        session.execute(delete(_states).where(_states.c.tenant_id == tenant_id, _states.c.key.in_(some)))
    rows: list[dict[str, Any]] = [
        {"tenant_id": tenant_id, "key": one.key, "data": dict(one.data), "offset": one.offset} for one in states
    ]
    if rows:
        session.execute(insert(_states), rows)
    for alert in alerts:
        plain(add_alert)(session, tenant_id, alert, receivers=receivers, group_within=group_within, at=at)
    there = plain(rules_looked_at)(session, tenant_id, looked or {})
    for alert in told:
        if alert.data["rule"] in there:
            plain(add_alert)(session, tenant_id, alert, receivers=receivers, at=at)
    return True
