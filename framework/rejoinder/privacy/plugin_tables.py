"""Rows of users in tables of plugins (`register_tables`), as far as these are in the record store and name tenant and user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, delete, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from rejoinder.host import Host

__all__ = ["delete_rows", "rows_of"]

_TENANT = "tenant_id"


async def delete_rows(session: AsyncSession, host: Host, tenant: str, user_id: str) -> dict[str, int]:
    """Delete a user's rows in the tables of all plugins, enabled for the tenant or not; return how many, by table."""
    counts = {}
    for table, mine in await _tables(session, host, tenant, user_id):
        count = (await session.execute(delete(table).where(*mine))).rowcount  # type: ignore[attr-defined]
        if count:
            counts[str(table.name)] = count
    return counts


async def rows_of(session: AsyncSession, host: Host, tenant: str, user_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return a user's rows in the tables of all plugins, each with the table's name."""
    found = []
    for table, mine in await _tables(session, host, tenant, user_id):
        found += [(str(table.name), dict(row._mapping)) for row in await session.execute(select(table).where(*mine))]
    return found


async def _tables(session: AsyncSession, host: Host, tenant: str, user_id: str) -> list[tuple[Table, tuple[Any, ...]]]:
    registered = list(_registered(host))
    if not registered:
        return []
    there = await (await session.connection()).run_sync(_names)
    return [
        (table, (table.c[_TENANT] == tenant, table.c[key] == user_id))
        for table, key in registered
        if table.name in there
    ]


def _registered(host: Host) -> Iterator[tuple[Table, str]]:
    for _, value in host.registered("register_tables"):
        table = getattr(value.model, "__table__", None)
        if isinstance(table, Table) and value.user_key in table.c and _TENANT in table.c:
            yield table, value.user_key


def _names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())
