"""Users: people, by pseudonym."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.learning.user_trust import UserTrust
from rejoinder.store.access import add_missing, get_record, list_records, missing, reading, writing
from rejoinder.store.alerts import ERASED, forget_in_alerts
from rejoinder.store.tables import (
    AlertRule,
    Conversation,
    DecisionRow,
    EventRow,
    ExampleRow,
    FeedbackRow,
    QuestionCluster,
    ReviewItem,
    TopicProposal,
    User,
    table_of,
)

__all__ = ["consents_of", "delete_user", "ensure_user", "get_user", "list_users", "set_consent", "weigh_statements"]

_users = table_of(User).c
_events = table_of(EventRow).c
_OF_A_USER: tuple[Table, ...] = tuple(
    table_of(record) for record in (FeedbackRow, ExampleRow, EventRow, DecisionRow, Conversation, AlertRule)
)
_DEEDS = (
    *(table_of(record).c.decided_by for record in (QuestionCluster, TopicProposal)),
    table_of(ReviewItem).c.reviewed_by,
)
"""Columns that name who decided on what is the tenant's."""


@writing
def ensure_user(session: Session, tenant_id: str, user_id: str, *, at: datetime | None = None) -> None:
    """Add a user unless there is one of this id.

    Raises:
        ConflictError: there is no such tenant.
    """
    add_user(session, tenant_id, user_id, at or utc_now())


@reading
def get_user(session: Session, tenant_id: str, user_id: str) -> User:
    """Return a user.

    Raises:
        NotFoundError: the tenant has no such user.
    """
    return get_record(session, User, "user", tenant_id, user_id)


@reading
def list_users(session: Session, tenant_id: str, *, after: str = "", limit: int = 100) -> list[User]:
    """Return users by id, those after the id `after`, at most `limit`."""
    mine = (_users.tenant_id == tenant_id, _users.id > after)
    return list_records(session, select(User).where(*mine).order_by(_users.id).limit(limit))


@reading
def consents_of(session: Session, tenant_id: str, user_ids: Sequence[str]) -> dict[str, bool | None]:
    """Return what users said of their data being learned from, by user; None: nobody asked. Unknown users are left out."""
    mine = (_users.tenant_id == tenant_id, _users.id.in_(user_ids))
    rows = session.execute(select(_users.id, _users.consent).where(*mine))
    return {user_id: consent for user_id, consent in rows}  # noqa: C416  # typed rows


@writing
def weigh_statements(
    session: Session, tenant_id: str, statements: Mapping[str, tuple[float, float]], *, at: datetime
) -> None:
    """Add to what is known of users' statements.

    Args:
        statements: by user, the chance in [0, 1] that a statement of theirs is right, and how much of a statement it counts for.
    """
    for user_id in sorted(statements):  # in one order, so that two writers never wait for one another
        add_user(session, tenant_id, user_id, at)
        mine = (_users.tenant_id == tenant_id, _users.id == user_id)
        row = session.execute(select(_users.agreed, _users.disputed).where(*mine).with_for_update()).one()
        right, weight = statements[user_id]
        trust = UserTrust(row.agreed, row.disputed).after(right, weight=weight)
        session.execute(update(table_of(User)).where(*mine).values(agreed=trust.agreed, disputed=trust.disputed))


@writing
def set_consent(session: Session, tenant_id: str, user_id: str, consent: bool | None) -> User:
    """Note what a user said of their data being learned from; None: take the answer back.

    Raises:
        NotFoundError: the tenant has no such user.
    """
    mine = (_users.tenant_id == tenant_id, _users.id == user_id)
    session.execute(update(User).where(*mine).values(consent=consent))
    return get_record(session, User, "user", tenant_id, user_id)


@writing
def delete_user(session: Session, tenant_id: str, user_id: str) -> dict[str, int]:
    """Remove a user and all that is theirs: conversations, turns, decisions, feedback, examples, events, rules of alerts.

    What is the tenant's stays without them: alerts that their rules raised, or that quote what they wrote, and what they decided on.

    Returns:
        How many rows of each table named the user (rows below a conversation go with it uncounted).
    Raises:
        NotFoundError: nothing of this tenant names the user.
    """
    counts: dict[str, int] = {}
    wrote = select(_events.id).where(_events.tenant_id == tenant_id, _events.user_id == user_id)
    event_ids = set(session.scalars(wrote))
    for table in (*_OF_A_USER, table_of(User)):
        column = table.c.id if table.name == "users" else table.c.user_id
        mine: tuple[Any, ...] = (table.c.tenant_id == tenant_id, column == user_id)
        count = session.scalar(select(func.count()).select_from(table).where(*mine))
        if count:
            session.execute(delete(table).where(*mine))
            counts[table.name] = count
    if of_alerts := forget_in_alerts(session, tenant_id, user_id, event_ids):
        counts["alerts"] = of_alerts
    for column in _DEEDS:
        statement = update(column.table).where(column.table.c.tenant_id == tenant_id, column == user_id)
        if done := len(session.execute(statement.values({column: ERASED}).returning(column.table.c.id)).all()):
            counts[str(column.table.name)] = done
    if not counts:
        raise missing("user", user_id)
    session.expire_all()
    return counts


def trust_of(session: Session, tenant_id: str, user_id: str) -> tuple[float, float]:
    """Return `User.agreed` and `User.disputed`, within another access function; zeros for a user who is not known."""
    mine = (_users.tenant_id == tenant_id, _users.id == user_id)
    row = session.execute(select(_users.agreed, _users.disputed).where(*mine)).first()
    return (0.0, 0.0) if row is None else (row.agreed, row.disputed)


def add_user(session: Session, tenant_id: str, user_id: str, at: datetime) -> None:
    """Add a user unless there is one, within another access function."""
    new = {"tenant_id": tenant_id, "id": user_id, "consent": None, "created_at": at, "agreed": 0.0, "disputed": 0.0}
    add_missing(session, table_of(User), [new])
