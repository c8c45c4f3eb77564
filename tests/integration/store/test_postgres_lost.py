"""PostgreSQL goes away: callers get StoreUnavailableError, and once it is back they go on."""

from __future__ import annotations

import pytest
from rejoinder.errors import StoreUnavailableError
from rejoinder.store import items
from rejoinder.store.database import Database
from sqlalchemy import text

from tests.services.postgres import running_postgres

pytestmark = pytest.mark.service


async def test_a_connection_that_the_server_ends_is_unavailable_and_the_next_one_works(postgres_template: str):
    database = await Database.open(postgres_template)
    killer = await Database.open(postgres_template)

    async def lose() -> None:
        async with database.write() as session:
            mine = await session.scalar(text("SELECT pg_backend_pid()"))
            async with killer.write() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
            await session.execute(text("SELECT 1"))

    with pytest.raises(StoreUnavailableError):
        await lose()
    assert await items.get_items(database, "acme", ["i1"]) == {}
    await killer.close()
    await database.close()


async def test_a_server_that_stopped_is_unavailable(postgres_url: str):
    assert postgres_url, "skips where PostgreSQL is missing"
    with running_postgres() as url:
        database = await Database.open(url)
        await database.migrate()
    for attempt in (
        items.list_items(database, "acme"),
        items.put_item(database, "acme", "i1", title="x"),
        database.ping(),
    ):
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            await attempt
    await database.close()
