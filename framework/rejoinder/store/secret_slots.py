"""Encrypted raw values of slots that redaction masks everywhere else. This module sees ciphertext only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.store.access import get_record, reading, writing
from rejoinder.store.tables import Conversation, SecretSlot, table_of

__all__ = ["delete_expired_secrets", "get_secrets", "put_secret"]

_secrets = table_of(SecretSlot).c


@writing
def put_secret(
    session: Session, tenant_id: str, conversation_id: str, name: str, *, ciphertext: bytes, expires_at: datetime
) -> None:
    """Keep a slot's encrypted value until `expires_at`, in place of an older one.

    Raises:
        NotFoundError: the tenant has no such conversation.
    """
    get_record(session, Conversation, "conversation", tenant_id, conversation_id)
    session.merge(
        SecretSlot(
            tenant_id=tenant_id,
            conversation_id=conversation_id,
            name=name,
            ciphertext=ciphertext,
            expires_at=expires_at,
        )
    )
    session.flush()


@reading
def get_secrets(
    session: Session, tenant_id: str, conversation_id: str, *, at: datetime | None = None
) -> dict[str, bytes]:
    """Return a conversation's encrypted values by slot name, without those that expired by `at` (default now)."""
    mine = (_secrets.tenant_id == tenant_id, _secrets.conversation_id == conversation_id)
    rows = session.execute(
        select(_secrets.name, _secrets.ciphertext).where(*mine, _secrets.expires_at > (at or utc_now()))
    )
    return {name: ciphertext for name, ciphertext in rows}  # noqa: C416  # typed rows


@writing
def delete_expired_secrets(session: Session, tenant_id: str, *, at: datetime | None = None) -> int:
    """Remove a tenant's values that expired by `at` (default now); return how many."""
    expired = (_secrets.tenant_id == tenant_id, _secrets.expires_at <= (at or utc_now()))
    count = session.scalar(select(func.count()).select_from(SecretSlot).where(*expired)) or 0
    session.execute(delete(SecretSlot).where(*expired))
    return count
