"""Tenants: the customers of the deployment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.errors import ConflictError, InvalidInputError
from rejoinder.store.access import get_or_none, get_record, list_records, missing, reading, writing
from rejoinder.store.tables import Tenant, table_of

__all__ = ["create_tenant", "delete_tenant", "get_tenant", "list_tenants", "update_tenant"]

_tenants = table_of(Tenant).c
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@writing
def create_tenant(
    session: Session,
    tenant_id: str,
    *,
    name: str,
    settings: Mapping[str, Any] | None = None,
    plugins: Sequence[str] | None = None,
    at: datetime | None = None,
) -> Tenant:
    """Add a tenant.

    Args:
        tenant_id: 1 to 63 small letters, digits and hyphens, e.g. "acme-bank".
        settings: nested by plugin.
        plugins: names of the plugins it has enabled; None: the deployment's defaults.
        at: when, aware; default now.
    Raises:
        InvalidInputError: the id has another form.
        ConflictError: there is such a tenant.
    """
    if not _SLUG.fullmatch(tenant_id):
        raise InvalidInputError(
            f"a tenant's id has 1 to 63 small letters, digits and inner hyphens, e.g. 'acme-bank', not {tenant_id[:80]!r}"
        )
    if get_or_none(session, Tenant, tenant_id) is not None:
        raise ConflictError(f"there is a tenant {tenant_id!r} already")
    tenant = Tenant(
        id=tenant_id,
        name=name,
        settings=dict(settings or {}),
        plugins=None if plugins is None else list(plugins),
        created_at=at or utc_now(),
    )
    session.add(tenant)
    session.flush()
    return tenant


@reading
def get_tenant(session: Session, tenant_id: str) -> Tenant:
    """Return a tenant, disabled or not.

    Raises:
        NotFoundError: there is none of this id.
    """
    return get_record(session, Tenant, "tenant", tenant_id)


@reading
def list_tenants(session: Session, *, disabled: bool | None = None) -> list[Tenant]:
    """Return the whole deployment's tenants by id; only those (not) disabled, if asked."""
    statement = select(Tenant).order_by(_tenants.id)
    if disabled is not None:
        statement = statement.where(_tenants.disabled == disabled)
    return list_records(session, statement)


@writing
def update_tenant(
    session: Session,
    tenant_id: str,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    plugins: Sequence[str] | None = None,
    default_plugins: bool = False,
    disabled: bool | None = None,
) -> Tenant:
    """Change what is given; leave the rest as it is.

    Args:
        settings: replaces all settings.
        plugins: replaces the list of enabled plugins.
        default_plugins: go back to the deployment's plugins; `plugins` must then be None.
        disabled: True: the tenant's keys and conversations are refused.
    Raises:
        InvalidInputError: both `plugins` and `default_plugins`.
        NotFoundError: there is no such tenant.
    """
    if plugins is not None and default_plugins:
        raise InvalidInputError("update_tenant: plugins and default_plugins exclude one another; name one of them")
    changes: dict[str, Any] = {
        key: value
        for key, value in (
            ("name", name),
            ("settings", None if settings is None else dict(settings)),
            ("plugins", None if plugins is None else list(plugins)),
            ("disabled", disabled),
        )
        if value is not None
    }
    if default_plugins:
        changes["plugins"] = None
    if changes:
        session.execute(update(Tenant).where(_tenants.id == tenant_id).values(**changes))
    return get_record(session, Tenant, "tenant", tenant_id)


@writing
def delete_tenant(session: Session, tenant_id: str) -> None:
    """Remove a tenant and every record of it, for good.

    Raises:
        NotFoundError: there is no such tenant.
    """
    if session.execute(delete(Tenant).where(_tenants.id == tenant_id).returning(_tenants.id)).first() is None:
        raise missing("tenant", tenant_id)
