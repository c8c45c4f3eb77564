"""Rules by which users want to be told: kept, listed and removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from rejoinder.errors import ConflictError
from rejoinder.store.access import add_missing, get_record, list_records, missing, reading, writing
from rejoinder.store.chunks import in_chunks
from rejoinder.store.ids import new_id
from rejoinder.store.tables import AlertRule, Tenant, table_of

__all__ = ["Looked", "add_alert_rule", "list_alert_rules", "remove_alert_rule", "rules_about", "rules_looked_at"]

_rules, _tenants = table_of(AlertRule), table_of(Tenant)
_c = _rules.c


class Looked(NamedTuple):
    """What came of a look at a rule: whether its condition held, and at which moment (by the documents' dates)."""

    holds: bool
    at: datetime


@writing
def add_alert_rule(
    session: Session,
    tenant_id: str,
    *,
    user_id: str,
    key: str,
    name: str,
    condition: Mapping[str, Any],
    at: datetime,
    most: int,
    rule_id: str | None = None,
) -> AlertRule:
    """Keep a rule, and return it as it is kept.

    Args:
        condition: the fields of a `rejoinder.monitoring.rules.Condition`.
        most: rules that the user may have with it.
        rule_id: an id that is known changes nothing; None: a new one.
    Raises:
        ConflictError: there is no such tenant, or the user has `most` rules already.
    """
    id_ = rule_id or new_id("rule")
    session.execute(
        select(_tenants.c.id).where(_tenants.c.id == tenant_id).with_for_update()
    )  # one is counted at a time
    others = (_c.tenant_id == tenant_id, _c.user_id == user_id, _c.id != id_)
    if (session.scalar(select(func.count()).select_from(_rules).where(*others)) or 0) >= most:
        raise ConflictError(
            f"one user may have {most} rules of alerts at most (`alerts.rules_per_user`): remove one first"
        )
    row = AlertRule(tenant_id=tenant_id, id=id_, user_id=user_id, key=key, name=name, created_at=at, **condition)
    add_missing(session, _rules, [row.model_dump()])
    return get_record(session, AlertRule, "alert rule", tenant_id, id_)


@reading
def list_alert_rules(
    session: Session, tenant_id: str, *, user_id: str | None = None, after: str = "", limit: int = 100
) -> list[AlertRule]:
    """Return rules by id, oldest first, those after the id `after`, at most `limit`; of one user, if asked."""
    statement = select(AlertRule).where(_c.tenant_id == tenant_id, _c.id > after)
    if user_id is not None:
        statement = statement.where(_c.user_id == user_id)
    return list_records(session, statement.order_by(_c.id).limit(limit))


@writing
def remove_alert_rule(session: Session, tenant_id: str, rule_id: str, *, user_id: str | None = None) -> None:
    """Remove a rule; with `user_id`, only if it is theirs.

    Raises:
        NotFoundError: there is no such rule of the tenant, or it is another user's.
    """
    mine = [_c.tenant_id == tenant_id, _c.id == rule_id]
    if user_id is not None:
        mine.append(_c.user_id == user_id)
    if session.execute(delete(_rules).where(*mine).returning(_c.id)).first() is None:
        raise missing("alert rule", rule_id)


@reading
def rules_about(session: Session, tenant_id: str, keys: Sequence[str]) -> list[AlertRule]:
    """Return all rules about these keys."""
    found: list[AlertRule] = []
    for some in in_chunks(keys):
        found += list_records(session, select(AlertRule).where(_c.tenant_id == tenant_id, _c.key.in_(some)))
    return found


@writing
def rules_looked_at(session: Session, tenant_id: str, looked: Mapping[str, Looked]) -> set[str]:
    """Note what came of looks at rules, by their ids; return those that were not removed meanwhile."""
    there: set[str] = set()
    for rule_id, one in sorted(looked.items()):  # in one order, so that two writers never wait for one another
        mine = (_c.tenant_id == tenant_id, _c.id == rule_id)
        changes = {"holds": one.holds, "looked_at": one.at}
        there.update(session.scalars(update(_rules).where(*mine).values(**changes).returning(_c.id)))
    return there
