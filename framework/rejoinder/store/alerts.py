"""Alerts and their outbox: an alert is written together with its deliveries, and each is tried until it arrives or is set aside."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.payloads import Alert, Delivery
from rejoinder.store.access import add_missing, get_record, list_records, missing, plain, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.tables import AlertDelivery, AlertRow, EventRow, table_of
from rejoinder.wire import from_json, to_json

__all__ = [
    "ERASED",
    "DeliveryStatus",
    "acknowledge_alert",
    "add_alert",
    "claim_deliveries",
    "delivery_done",
    "delivery_failed",
    "get_alert",
    "get_alert_row",
    "has_due_deliveries",
    "last_alert_id",
    "list_alert_rows",
    "list_alerts",
    "list_deliveries",
    "parts_of",
    "tenants_with_due_deliveries",
]

DeliveryStatus = Literal["pending", "delivered", "set_aside"]

_alerts = table_of(AlertRow)
_outbox = table_of(AlertDelivery)
_events = table_of(EventRow)
_COLUMNS = tuple(column for column in _alerts.c if column.name in {one.name for one in fields(Alert)})
ERASED: Final = "(erased)"
"""Stands for somebody who was erased."""
_SEVERITIES: Final = ("info", "warning", "critical")
_QUOTE_CHARS: Final = 280
_MOST_COMPARED: Final = 50


@writing
def add_alert(
    session: Session,
    tenant_id: str,
    alert: Alert,
    *,
    receivers: Iterable[str] = (),
    group_within: timedelta = timedelta(0),
    at: datetime | None = None,
) -> bool:
    """Keep an alert and one pending delivery for each receiver; an incident that is known changes nothing.

    An alert that has the key of an earlier one, or shares half of its evidence with one, at most `group_within` before it, becomes a part
    of that one and is not delivered by itself, unless it is more severe.

    Returns:
        Whether the incident was new.
    Raises:
        ConflictError: there is no such tenant.
    """
    alert_id, due = new_id("alert"), at or utc_now()
    said = _with_quotes(session, tenant_id, alert)
    part_of = _whole_of(session, tenant_id, said, group_within)
    row = {**to_json(said), "at": alert.at, "tenant_id": tenant_id, "id": alert_id, "raised_at": due}
    if not add_missing(session, _alerts, [{**row, "part_of": part_of, "marked_shift": 0.0}]):
        return False
    if part_of is not None:
        return True
    deliveries = [
        {
            "tenant_id": tenant_id,
            "id": new_id("delivery"),
            "alert_id": alert_id,
            "receiver": receiver,
            "status": "pending",
            "attempts": 0,
            "next_attempt_at": due,
            "last_error": None,
            "delivered_at": None,
        }
        for receiver in dict.fromkeys(receivers)
    ]
    add_missing(session, _outbox, deliveries)
    return True


@reading
def get_alert(session: Session, tenant_id: str, incident: str) -> Alert:
    """Return the alert of an incident.

    Raises:
        NotFoundError: the tenant has no such incident.
    """
    c = _alerts.c
    row = session.execute(select(*_COLUMNS).where(c.tenant_id == tenant_id, c.incident == incident)).first()
    if row is None:
        raise missing("incident", incident)
    return _alert(row)


@reading
def list_alerts(session: Session, tenant_id: str, *, since: datetime | None = None, limit: int = 100) -> list[Alert]:
    """Return alerts, newest first, at most `limit`; `since`: only those of this moment or later."""
    c = _alerts.c
    statement = select(*_COLUMNS).where(c.tenant_id == tenant_id)
    if since is not None:
        statement = statement.where(c.at >= since)
    return [_alert(row) for row in session.execute(statement.order_by(c.at.desc(), c.id.desc()).limit(limit))]


@reading
def get_alert_row(session: Session, tenant_id: str, alert_id: str) -> AlertRow:
    """Return an alert with what became of it.

    Raises:
        NotFoundError: the tenant has no such alert.
    """
    return get_record(session, AlertRow, "alert", tenant_id, alert_id)


@reading
def list_alert_rows(
    session: Session,
    tenant_id: str,
    *,
    after: str = "",
    before: str = "",
    key: str | None = None,
    open_only: bool = False,
    whole_only: bool = False,
    limit: int = 100,
) -> list[AlertRow]:
    """Return alerts with what became of them, at most `limit`.

    Args:
        after: an alert's id: those raised after it, in their order; otherwise the newest come first.
        before: an alert's id: those raised before it.
        key: only those about this.
        open_only: only those that nobody has acknowledged.
        whole_only: only those that are no parts of others.
    """
    c = _alerts.c
    statement = select(AlertRow).where(c.tenant_id == tenant_id)
    if key is not None:
        statement = statement.where(c.key == key)
    if open_only:
        statement = statement.where(c.acknowledged_at.is_(None))
    if whole_only:
        statement = statement.where(c.part_of.is_(None))
    if before:
        statement = statement.where(c.id < before)
    order = c.id.desc()
    if after:
        statement, order = statement.where(c.id > after), c.id.asc()
    return list_records(session, statement.order_by(order).limit(limit))


@reading
def last_alert_id(session: Session, tenant_id: str) -> str | None:
    """Return the id of the alert raised last; None where there is none."""
    c = _alerts.c
    return session.scalars(select(c.id).where(c.tenant_id == tenant_id).order_by(c.id.desc()).limit(1)).first()


@reading
def parts_of(session: Session, tenant_id: str, incident: str) -> list[AlertRow]:
    """Return the alerts that are parts of another, oldest first."""
    mine = (_alerts.c.tenant_id == tenant_id, _alerts.c.part_of == incident)
    return list_records(session, select(AlertRow).where(*mine).order_by(_alerts.c.id))


@writing
def acknowledge_alert(session: Session, tenant_id: str, alert_id: str, *, by: str, at: datetime) -> None:
    """Note that somebody sees to an alert; who did so first stays noted.

    Raises:
        NotFoundError: the tenant has no such alert.
    """
    plain(get_alert_row)(session, tenant_id, alert_id)
    c = _alerts.c
    mine = (c.tenant_id == tenant_id, c.id == alert_id)
    session.execute(
        update(_alerts).where(*mine, c.acknowledged_at.is_(None)).values(acknowledged_at=at, acknowledged_by=by)
    )


@reading
def list_deliveries(
    session: Session,
    tenant_id: str,
    *,
    status: DeliveryStatus | None = None,
    alert_id: str | None = None,
    limit: int = 100,
) -> list[AlertDelivery]:
    """Return deliveries, oldest first, at most `limit`; of one status or alert, if asked."""
    statement = select(AlertDelivery).where(_outbox.c.tenant_id == tenant_id)
    if status is not None:
        statement = statement.where(_outbox.c.status == status)
    if alert_id is not None:
        statement = statement.where(_outbox.c.alert_id == alert_id)
    return list_records(session, statement.order_by(_outbox.c.id).limit(limit))


@reading
def has_due_deliveries(session: Session, tenant_id: str, *, at: datetime) -> bool:
    """Return whether a tenant has something to deliver by a moment."""
    c = _outbox.c
    due = select(c.id).where(c.tenant_id == tenant_id, c.status == "pending", c.next_attempt_at <= at)
    return session.execute(due.limit(1)).first() is not None


@reading
def tenants_with_due_deliveries(session: Session, *, at: datetime | None = None) -> list[str]:
    """Return the whole deployment's tenants that have something to deliver by `at` (default now)."""
    c = _outbox.c
    due = (c.status == "pending", c.next_attempt_at <= (at or utc_now()))
    return list(session.scalars(select(c.tenant_id).where(*due).distinct().order_by(c.tenant_id)))


@writing
def claim_deliveries(
    session: Session, tenant_id: str, *, lease_s: float, limit: int = 10, at: datetime | None = None
) -> list[Delivery]:
    """Take deliveries that are due, oldest first; nobody else gets them for `lease_s` seconds.

    Args:
        lease_s: after this time without `delivery_done` or `delivery_failed` it is due again, > 0: the taker may have died.
    """
    c = _outbox.c
    now = at or utc_now()
    due = (
        select(c.id)
        .where(c.tenant_id == tenant_id, c.status == "pending", c.next_attempt_at <= now)
        .order_by(c.next_attempt_at, c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(session.scalars(due))
    changes: dict[str, Any] = {"next_attempt_at": now + timedelta(seconds=lease_s), "attempts": c.attempts + 1}
    mine = (c.tenant_id == tenant_id, c.id.in_(ids))
    session.execute(update(_outbox).where(*mine).values(**changes))
    rows = session.execute(
        select(c.id.label("delivery_id"), c.receiver, c.attempts, *_COLUMNS)
        .join(_alerts, (_alerts.c.tenant_id == c.tenant_id) & (_alerts.c.id == c.alert_id))
        .where(*mine)
        .order_by(c.id)
    )
    return [
        Delivery(id=row.delivery_id, receiver=row.receiver, attempt=row.attempts, alert=_alert(row)) for row in rows
    ]


@writing
def delivery_done(session: Session, tenant_id: str, delivery_id: str, *, at: datetime | None = None) -> None:
    """Note that a delivery arrived.

    Raises:
        NotFoundError: the tenant has no such delivery.
    """
    changes = {"status": "delivered", "delivered_at": at or utc_now(), "last_error": None}
    _change(session, tenant_id, delivery_id, changes)


@writing
def delivery_failed(
    session: Session, tenant_id: str, delivery_id: str, *, error: str, next_attempt_at: datetime | None
) -> None:
    """Note that a delivery did not arrive, and when to try again; None: set it aside for a person.

    Raises:
        NotFoundError: the tenant has no such delivery.
    """
    changes: dict[str, Any] = {"last_error": error}
    changes.update({"status": "set_aside"} if next_attempt_at is None else {"next_attempt_at": next_attempt_at})
    _change(session, tenant_id, delivery_id, changes)


def forget_in_alerts(session: Session, tenant_id: str, user_id: str, event_ids: Set[str]) -> int:
    """Take a user out of a tenant's alerts, within another access function; return of how many.

    Args:
        event_ids: their events, which are no evidence any more.
    """
    c = _alerts.c
    changed = []
    rows = select(c.id, c.evidence, c.data, c.acknowledged_by, c.marked_by).where(c.tenant_id == tenant_id)
    for row in session.execute(rows.execution_options(yield_per=500)):
        evidence = [one for one in row.evidence if one["source"] not in event_ids]
        data = {name: one for name, one in row.data.items() if (name, one) != ("user", user_id)}
        deeds = {name: ERASED for name in ("acknowledged_by", "marked_by") if getattr(row, name) == user_id}
        if deeds or len(evidence) < len(row.evidence) or len(data) < len(row.data):
            changed.append((row.id, {"evidence": evidence, "data": data, **deeds}))
    for alert_id, values in changed:
        session.execute(update(_alerts).where(c.tenant_id == tenant_id, c.id == alert_id).values(**values))
    return len(changed)


def _with_quotes(session: Session, tenant_id: str, alert: Alert) -> Alert:
    """Add to an alert's evidence what its events say."""
    ids = [one.source for one in alert.evidence]
    c = _events.c
    rows = session.execute(select(c.id, c.text, c.url, c.source).where(c.tenant_id == tenant_id, c.id.in_(ids)))
    said = {row.id: row for row in rows}
    evidence = [
        replace(
            one,
            title=one.title or row.source,
            url=one.url or row.url,
            quote=one.quote or (row.text or "")[:_QUOTE_CHARS],
        )
        if (row := said.get(one.source)) is not None
        else one
        for one in alert.evidence
    ]
    return replace(alert, evidence=tuple(evidence))


def _whole_of(session: Session, tenant_id: str, alert: Alert, within: timedelta) -> str | None:
    """Return the incident that an alert is a part of."""
    c = _alerts.c
    near = (c.tenant_id == tenant_id, c.part_of.is_(None), c.at >= alert.at - within, c.at <= alert.at + within)
    recent = select(c.incident, c.key, c.severity, c.evidence).where(*near).order_by(c.id.desc()).limit(_MOST_COMPARED)
    mine = {one.source for one in alert.evidence}
    for row in session.execute(recent) if within else ():
        shared = mine & {one["source"] for one in row.evidence}
        alike = (alert.key and row.key == alert.key) or (mine and 2 * len(shared) >= len(mine))
        if alike and _SEVERITIES.index(row.severity) >= _SEVERITIES.index(alert.severity):
            incident: str = row.incident
            return incident
    return None


def _change(session: Session, tenant_id: str, delivery_id: str, changes: dict[str, Any]) -> None:
    c = _outbox.c
    statement = update(_outbox).where(c.tenant_id == tenant_id, c.id == delivery_id).values(**changes)
    if session.execute(statement.returning(c.id)).first() is None:
        raise missing("delivery", delivery_id)


def _alert(row: Row[Any]) -> Alert:
    return from_json(Alert, {column.name: getattr(row, column.name) for column in _COLUMNS})
