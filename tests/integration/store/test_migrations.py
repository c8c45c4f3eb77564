"""The schema: up, down, and the same as the tables say."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from rejoinder.errors import StoreError
from rejoinder.store.columns import UtcDateTime
from rejoinder.store.database import Database
from rejoinder.store.events import list_events, unread_count, unread_events
from rejoinder.store.tables import metadata
from rejoinder.store.tenants import list_tenants
from sqlalchemy import Connection, bindparam, inspect, text

NEWEST = "0016"


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


async def run_sync(database: Database, function):
    async with database.read() as session:
        return await (await session.connection()).run_sync(function)


async def test_migrated_schema_is_what_the_tables_say(database: Database):
    assert await run_sync(database, differences) == []


async def test_up_and_down_and_up_again(empty_place):
    database = await Database.open(empty_place.url)
    assert await database.current_revision() is None
    await database.migrate()
    assert await database.current_revision() == NEWEST
    assert await run_sync(database, tables) == {*metadata.tables, "alembic_version"}
    await database.downgrade("base")
    assert await run_sync(database, tables) == {"alembic_version"}
    assert await database.current_revision() is None
    await database.migrate()
    assert await run_sync(database, differences) == []
    await database.close()


async def test_migrating_twice_changes_nothing(database: Database):
    await database.migrate()
    assert await database.current_revision() == NEWEST


async def test_a_store_of_a_newer_version_is_refused_and_left_alone(empty_place):
    database = await Database.open(empty_place.url)
    await database.migrate()
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"'9999'.*newer version.*nothing was changed"):
        await database.migrate()
    with pytest.raises(StoreError, match="newer version"):
        await database.downgrade("base")
    assert "tenants" in await run_sync(database, tables)
    await database.close()


async def test_an_unknown_revision_to_go_back_to_is_refused(database: Database):
    with pytest.raises(StoreError, match=r"no schema revision '0001x'.*Did you mean '0001'"):
        await database.downgrade("0001x")


async def test_a_store_without_tables_says_what_to_do(empty_place):
    database = await Database.open(empty_place.url)
    with pytest.raises(StoreError, match=r"Database\.migrate\(\) first"):
        await list_tenants(database)
    await database.close()


@pytest.mark.parametrize("processes", [3])
async def test_several_processes_may_migrate_at_once(empty_place, processes: int):
    program = (
        "import asyncio, sys\n"
        "from rejoinder.store.database import Database\n"
        "async def main():\n"
        "    database = await Database.open(sys.argv[1])\n"
        "    await database.migrate()\n"
        "    print(await database.current_revision())\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, empty_place.url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(processes)
    ]
    outputs = [await process.communicate() for process in started]
    assert [out.strip() for out, _ in outputs] == [NEWEST.encode()] * processes, outputs


async def test_events_that_are_there_become_a_stream_that_was_read_as_far_as_it_was(database: Database):
    await database.downgrade("0009")
    rows = [("e1", "new", 3), ("e2", "done", 2), ("e3", "new", 1), ("e4", "set_aside", 4)]
    values = "'acme', :id, 'click', :at, '{}', :status, 0"
    adding = text(f"INSERT INTO events (tenant_id, id, kind, at, data, status, attempts) VALUES ({values})")  # noqa: S608  # our own
    async with database.write() as session:
        for event_id, status, day in rows:
            moment = datetime(2026, 1, day, tzinfo=UTC)
            await session.execute(
                adding.bindparams(bindparam("at", type_=UtcDateTime())),
                {"id": event_id, "status": status, "at": moment},
            )
    await database.migrate()
    assert [one.id for one in await list_events(database, "acme")] == ["e2", "e4", "e3", "e1"]
    unread = await unread_events(database, "acme", limit=9)
    assert unread is not None
    assert [one.id for one in unread.events] == ["e3", "e1"]
    assert await unread_count(database, "acme") == 2
