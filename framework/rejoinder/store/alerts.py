"""Alerts and their outbox: an alert is written together with its deliveries, and each is tried until it arrives or is set aside."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.payloads import Alert, Delivery
from rejoinder.store.access import add_missing, list_records, missing, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.tables import AlertDelivery, AlertRow, table_of
from rejoinder.wire import from_json, to_json

__all__ = [
    "DeliveryStatus",
    "add_alert",
    "claim_deliveries",
    "delivery_done",
    "delivery_failed",
    "get_alert",
    "list_alerts",
    "list_deliveries",
    "tenants_with_due_deliveries",
]

DeliveryStatus = Literal["pending", "delivered", "set_aside"]

_alerts = table_of(AlertRow)
_outbox = table_of(AlertDelivery)
_COLUMNS = tuple(column for column in _alerts.c if column.name not in ("tenant_id", "id"))


@writing
def add_alert(
    session: Session, tenant_id: str, alert: Alert, *, receivers: Iterable[str] = (), at: datetime | None = None
) -> bool:
    """Keep an alert and one pending delivery for each receiver; an incident that is known changes nothing.

    Returns:
        Whether the incident was new.
    Raises:
        ConflictError: there is no such tenant.
    """
    alert_id = new_id("alert")
    row = {**to_json(alert), "at": alert.at, "tenant_id": tenant_id, "id": alert_id}
    if not add_missing(session, _alerts, [row]):
        return False
    due = at or utc_now()
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
def list_deliveries(
    session: Session, tenant_id: str, *, status: DeliveryStatus | None = None, limit: int = 100
) -> list[AlertDelivery]:
    """Return deliveries, oldest first, at most `limit`; of one status, if asked."""
    statement = select(AlertDelivery).where(_outbox.c.tenant_id == tenant_id)
    if status is not None:
        statement = statement.where(_outbox.c.status == status)
    return list_records(session, statement.order_by(_outbox.c.id).limit(limit))


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


def _change(session: Session, tenant_id: str, delivery_id: str, changes: dict[str, Any]) -> None:
    c = _outbox.c
    statement = update(_outbox).where(c.tenant_id == tenant_id, c.id == delivery_id).values(**changes)
    if session.execute(statement.returning(c.id)).first() is None:
        raise missing("delivery", delivery_id)


def _alert(row: Row[Any]) -> Alert:
    return from_json(Alert, {column.name: getattr(row, column.name) for column in _COLUMNS})
