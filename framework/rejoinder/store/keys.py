"""API keys, known by their hashes. A key without a tenant is an operator's, good for the whole deployment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.store.access import list_records, missing, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.tables import ApiKey, table_of

__all__ = ["create_key", "find_key", "list_keys", "revoke_key", "touch_key"]

_keys = table_of(ApiKey).c


@writing
def create_key(
    session: Session,
    tenant_id: str | None,
    *,
    prefix: str,
    hash: str,  # noqa: A002  # the column's name
    role: str,
    name: str = "",
    expires_at: datetime | None = None,
    at: datetime | None = None,
) -> ApiKey:
    """Add a key.

    Args:
        tenant_id: whose it is; None: an operator's.
        prefix: its first characters, to be shown in lists.
        hash: SHA-256 of the whole key, hexadecimal.
        role: as in `rejoinder.payloads.Role`, or an operator's.
    Raises:
        ConflictError: this hash is there already, or there is no such tenant.
    """
    key = ApiKey(
        id=new_id("key"),
        tenant_id=tenant_id,
        prefix=prefix,
        hash=hash,
        role=role,
        name=name,
        created_at=at or utc_now(),
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    return key


@reading
def find_key(session: Session, hash: str) -> ApiKey | None:  # noqa: A002  # the column's name
    """Return the key of this hash in the whole deployment, be it revoked or expired; None when there is none."""
    return next(iter(list_records(session, select(ApiKey).where(_keys.hash == hash))), None)


@reading
def list_keys(session: Session, tenant_id: str | None) -> list[ApiKey]:
    """Return a tenant's keys (None: the operators'), oldest first."""
    return list_records(session, select(ApiKey).where(_keys.tenant_id == tenant_id).order_by(_keys.id))


@writing
def touch_key(session: Session, tenant_id: str | None, key_id: str, *, at: datetime | None = None) -> None:
    """Note that a key was used; nothing happens when it is gone."""
    mine = (_keys.tenant_id == tenant_id, _keys.id == key_id)
    session.execute(update(ApiKey).where(*mine).values(last_used_at=at or utc_now()))


@writing
def revoke_key(session: Session, tenant_id: str | None, key_id: str, *, at: datetime | None = None) -> ApiKey:
    """Make a key worthless from now on; the first time counts.

    Raises:
        NotFoundError: the tenant has no such key.
    """
    mine = (_keys.tenant_id == tenant_id, _keys.id == key_id)
    session.execute(update(ApiKey).where(*mine, _keys.revoked_at.is_(None)).values(revoked_at=at or utc_now()))
    found = list_records(session, select(ApiKey).where(*mine))
    if not found:
        raise missing("key", key_id)
    return found[0]
