"""Conversations and their state between turns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.errors import ConflictError
from rejoinder.payloads import ConversationState, Mode
from rejoinder.store.access import get_record, list_records, missing, reading, writing
from rejoinder.store.database import Database
from rejoinder.store.ids import new_id
from rejoinder.store.statements import RowChange
from rejoinder.store.tables import Conversation, table_of
from rejoinder.store.users import add_user
from rejoinder.wire import to_json

__all__ = [
    "close_conversation",
    "delete_conversation",
    "get_conversation",
    "list_conversations",
    "open_conversation",
    "state_version",
    "update_state",
]

_conversations = table_of(Conversation)
_c = _conversations.c
_REPLACE_STATE = RowChange(
    update(_conversations)
    .where(
        _c.tenant_id == bindparam("of_tenant"), _c.id == bindparam("of_id"), _c.state_version == bindparam("of_version")
    )
    .values(turns=func.coalesce(bindparam("of_turns", type_=_c.turns.type), _c.turns)),
    ("state", "state_version", "mode", "updated_at"),
)
_STATE_VERSION = "SELECT state_version FROM conversations WHERE tenant_id = :tenant AND id = :id"


@writing
def open_conversation(
    session: Session,
    tenant_id: str,
    *,
    user_id: str,
    channel: str = "api",
    conversation_id: str | None = None,
    at: datetime | None = None,
) -> Conversation:
    """Begin a conversation; its user is added when new.

    Args:
        conversation_id: default a new id.
    Raises:
        ConflictError: there is such a conversation, or no such tenant.
    """
    now = at or utc_now()
    add_user(session, tenant_id, user_id, now)
    conversation = Conversation(
        tenant_id=tenant_id,
        id=conversation_id or new_id("conv"),
        user_id=user_id,
        channel=channel,
        created_at=now,
        updated_at=now,
        state=to_json(ConversationState()),
    )
    session.add(conversation)
    session.flush()
    return conversation


@reading
def get_conversation(session: Session, tenant_id: str, conversation_id: str) -> Conversation:
    """Return a conversation.

    Raises:
        NotFoundError: the tenant has no such conversation.
    """
    return get_record(session, Conversation, "conversation", tenant_id, conversation_id)


@reading
def list_conversations(
    session: Session,
    tenant_id: str,
    *,
    user_id: str | None = None,
    mode: Mode | None = None,
    closed: bool | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[Conversation]:
    """Return conversations, last changed first, at most `limit`; only those that fit what is given.

    Args:
        before: changed before this moment: the `updated_at` of the last one of the page before.
    """
    statement = select(Conversation).where(_c.tenant_id == tenant_id)
    if user_id is not None:
        statement = statement.where(_c.user_id == user_id)
    if mode is not None:
        statement = statement.where(_c.mode == mode)
    if closed is not None:
        statement = statement.where(_c.closed == closed)
    if before is not None:
        statement = statement.where(_c.updated_at < before)
    return list_records(session, statement.order_by(_c.updated_at.desc(), _c.id.desc()).limit(limit))


@writing
def update_state(
    session: Session,
    tenant_id: str,
    conversation_id: str,
    *,
    expected_version: int,
    state: ConversationState,
    at: datetime | None = None,
) -> ConversationState:
    """Replace a conversation's state outside a turn, e.g. when an agent takes over.

    Returns:
        The state as stored: its version is `expected_version` + 1.
    Raises:
        ConflictError: the state has changed since `expected_version`; load it again.
        NotFoundError: the tenant has no such conversation.
    """
    return replace_state(session, tenant_id, conversation_id, expected_version, state, at or utc_now())


async def state_version(database: Database, tenant_id: str, conversation_id: str) -> int | None:
    """Return the version of a conversation's state; None when the tenant has no such conversation."""
    found: int | None = await database.glance(_STATE_VERSION, {"tenant": tenant_id, "id": conversation_id})
    return found


@writing
def close_conversation(session: Session, tenant_id: str, conversation_id: str, *, at: datetime | None = None) -> None:
    """Mark a conversation as over.

    Raises:
        NotFoundError: the tenant has no such conversation.
    """
    mine = (_c.tenant_id == tenant_id, _c.id == conversation_id)
    changes = {"closed": True, "updated_at": at or utc_now()}
    if session.execute(update(Conversation).where(*mine).values(**changes).returning(_c.id)).first() is None:
        raise missing("conversation", conversation_id)


@writing
def delete_conversation(session: Session, tenant_id: str, conversation_id: str) -> None:
    """Remove a conversation with its turns, their decisions and feedback.

    Raises:
        NotFoundError: the tenant has no such conversation.
    """
    mine = (_c.tenant_id == tenant_id, _c.id == conversation_id)
    if session.execute(delete(Conversation).where(*mine).returning(_c.id)).first() is None:
        raise missing("conversation", conversation_id)


def replace_state(
    session: Session,
    tenant_id: str,
    conversation_id: str,
    expected_version: int,
    state: ConversationState,
    at: datetime,
    turns: int | None = None,
) -> ConversationState:
    """Replace a state if it still has the expected version, within another access function."""
    stored = replace(state, version=expected_version + 1)
    values = {
        "of_tenant": tenant_id,
        "of_id": conversation_id,
        "of_version": expected_version,
        "state": to_json(stored),
        "state_version": stored.version,
        "mode": stored.mode,
        "updated_at": at,
        "of_turns": turns,
    }
    if _REPLACE_STATE.run(session, values) != 1:
        found = get_record(session, Conversation, "conversation", tenant_id, conversation_id)
        raise ConflictError(
            f"conversation {conversation_id!r} has state version {found.state_version}, not {expected_version}: "
            "another turn came between; load it again"
        )
    return stored
