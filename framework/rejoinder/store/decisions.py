"""Decisions: whatever was put before a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from rejoinder.payloads import Decision
from rejoinder.store.access import missing, reading, writing
from rejoinder.store.statements import RowChange
from rejoinder.store.tables import DecisionRow, table_of
from rejoinder.wire import from_json, to_json

__all__ = ["add_decision", "decisions_of_turn", "get_decision", "list_decisions"]

_decisions = table_of(DecisionRow)
_c = _decisions.c
_COLUMNS = tuple(column for column in _c if column.name not in ("tenant_id", "turn_id"))
_INSERT = RowChange(insert(_decisions), _decisions.columns.keys())


@writing
def add_decision(session: Session, tenant_id: str, decision: Decision, *, turn_id: str | None = None) -> None:
    """Keep a decision.

    Raises:
        ConflictError: there is one of this id, or no such turn in this tenant.
    """
    insert_decision(session, tenant_id, decision, turn_id)


@reading
def get_decision(session: Session, tenant_id: str, decision_id: str) -> Decision:
    """Return a decision.

    Raises:
        NotFoundError: the tenant has no such decision.
    """
    return find_decision(session, tenant_id, decision_id)


@reading
def decisions_of_turn(session: Session, tenant_id: str, turn_id: str) -> list[Decision]:
    """Return the decisions of a turn, oldest first."""
    mine = (_c.tenant_id == tenant_id, _c.turn_id == turn_id)
    return [plain_decision(row) for row in session.execute(select(*_COLUMNS).where(*mine).order_by(_c.at, _c.id))]


@reading
def list_decisions(
    session: Session,
    tenant_id: str,
    *,
    task: str | None = None,
    user_id: str | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[Decision]:
    """Return decisions, newest first, at most `limit`; only those that fit what is given."""
    statement = select(*_COLUMNS).where(_c.tenant_id == tenant_id)
    if task is not None:
        statement = statement.where(_c.task == task)
    if user_id is not None:
        statement = statement.where(_c.user_id == user_id)
    if since is not None:
        statement = statement.where(_c.at >= since)
    return [plain_decision(row) for row in session.execute(statement.order_by(_c.at.desc(), _c.id.desc()).limit(limit))]


def find_decision(session: Session, tenant_id: str, decision_id: str) -> Decision:
    """Return a decision, within another access function."""
    row = session.execute(select(*_COLUMNS).where(_c.tenant_id == tenant_id, _c.id == decision_id)).first()
    if row is None:
        raise missing("decision", decision_id)
    return plain_decision(row)


def hold_decision(session: Session, tenant_id: str, decision_id: str) -> None:
    """Let what else writes about a decision wait until this transaction is over, within another access function."""
    session.execute(select(_c.id).where(_c.tenant_id == tenant_id, _c.id == decision_id).with_for_update())


def decisions_of_turns(session: Session, tenant_id: str, turn_ids: Sequence[str]) -> dict[str, Decision]:
    """Return the first decision of each of these turns that has any, by turn, within another access function."""
    mine = (_c.tenant_id == tenant_id, _c.turn_id.in_(turn_ids))
    found: dict[str, Decision] = {}
    for row in session.execute(select(_c.turn_id, *_COLUMNS).where(*mine).order_by(_c.at, _c.id)):
        values = dict(row._mapping)
        found.setdefault(values.pop("turn_id"), from_json(Decision, values))
    return found


def insert_decision(session: Session, tenant_id: str, decision: Decision, turn_id: str | None) -> None:
    """Insert a decision, within another access function; a Core statement, since it is on every turn's way."""
    values: dict[str, Any] = {**to_json(decision), "at": decision.at, "tenant_id": tenant_id, "turn_id": turn_id}
    _INSERT.run(session, values)


def plain_decision(row: Any) -> Decision:
    """Return a row of the table as the payload that it holds, within another access function."""
    return from_json(Decision, dict(row._mapping))
