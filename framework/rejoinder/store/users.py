"""Users: people, by pseudonym."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.store.access import add_missing, get_record, list_records, missing, reading, writing
from rejoinder.store.tables import Conversation, DecisionRow, EventRow, ExampleRow, FeedbackRow, User, table_of

__all__ = ["delete_user", "ensure_user", "get_user", "list_users", "set_consent"]

_users = table_of(User).c
_OF_A_USER: tuple[Table, ...] = tuple(
    table_of(record) for record in (FeedbackRow, ExampleRow, EventRow, DecisionRow, Conversation)
)


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
    """Remove a user and all that is theirs: conversations, turns, decisions, feedback, examples, events.

    Returns:
        How many rows of each table named the user (rows below a conversation go with it uncounted).
    Raises:
        NotFoundError: nothing of this tenant names the user.
    """
    counts: dict[str, int] = {}
    for table in (*_OF_A_USER, table_of(User)):
        column = table.c.id if table.name == "users" else table.c.user_id
        mine: tuple[Any, ...] = (table.c.tenant_id == tenant_id, column == user_id)
        count = session.scalar(select(func.count()).select_from(table).where(*mine))
        if count:
            session.execute(delete(table).where(*mine))
            counts[table.name] = count
    if not counts:
        raise missing("user", user_id)
    session.expire_all()
    return counts


def add_user(session: Session, tenant_id: str, user_id: str, at: datetime) -> None:
    """Add a user unless there is one, within another access function."""
    add_missing(session, table_of(User), [{"tenant_id": tenant_id, "id": user_id, "consent": None, "created_at": at}])
