"""The rows that are about a user, table by table, as they are stored."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from rejoinder.store.access import reading
from rejoinder.store.tables import (
    AlertRule,
    Conversation,
    DecisionRow,
    EventRow,
    ExampleRow,
    FeedbackRow,
    HandOffRow,
    Turn,
    User,
    table_of,
)

__all__ = ["KINDS", "personal_rows"]

_TABLES: Final = {
    "user": table_of(User),
    "conversation": table_of(Conversation),
    "turn": table_of(Turn),
    "decision": table_of(DecisionRow),
    "feedback": table_of(FeedbackRow),
    "example": table_of(ExampleRow),
    "event": table_of(EventRow),
    "hand_off": table_of(HandOffRow),
    "alert_rule": table_of(AlertRule),
}
KINDS: Final = tuple(_TABLES)
_OURS: Final = ("tenant_id", "request_hash", "trace")
"""Columns that say nothing of a person."""


@reading
def personal_rows(
    session: Session, tenant_id: str, user_id: str, kind: str, *, after: str = "", limit: int = 100
) -> list[dict[str, Any]]:
    """Return rows of one of `KINDS` that are about a user, by id, those after the id `after`, at most `limit`."""
    table = _TABLES[kind]
    columns = [column for column in table.c if column.name not in _OURS]
    statement: Select[Any] = select(*columns).where(table.c.tenant_id == tenant_id, table.c.id > after)
    if kind == "user":
        statement = statement.where(table.c.id == user_id)
    elif kind == "example":
        statement = statement.where(or_(table.c.user_id == user_id, table.c.subject_id == user_id))
    elif kind == "turn":
        owner = _TABLES["conversation"].c
        mine = select(owner.id).where(owner.tenant_id == tenant_id, owner.user_id == user_id)
        statement = statement.where(table.c.conversation_id.in_(mine))
    else:
        statement = statement.where(table.c.user_id == user_id)
    return [dict(row._mapping) for row in session.execute(statement.order_by(table.c.id).limit(limit))]
