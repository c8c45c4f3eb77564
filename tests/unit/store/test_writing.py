"""Writing to SQLite: one writer, shared commits, and what is left when one of them fails."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from rejoinder.errors import ConflictError, NotFoundError, StoreError, StoreUnavailableError
from rejoinder.store import items
from rejoinder.store.database import Database
from rejoinder.store.tenants import get_tenant, update_tenant
from sqlalchemy import event, text


async def put(database: Database, *item_ids: str) -> list[object]:
    return await asyncio.gather(
        *(items.put_item(database, "acme", item_id, title=item_id) for item_id in item_ids), return_exceptions=True
    )


async def test_writes_at_once_share_commits(database: Database):
    commits = 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    assert database._lanes is not None
    event.listen(database._lanes._write_engine, "commit", count)
    await put(database, *(f"i{k}" for k in range(50)))
    assert len(await items.list_items(database, "acme")) == 50
    assert commits < 10


async def test_a_write_that_fails_takes_no_other_with_it(database: Database):
    async def bad() -> None:
        await items.put_item(database, "nobody", "i1", title="x")

    results = await asyncio.gather(put(database, "i1", "i2"), bad(), put(database, "i3"), return_exceptions=True)
    assert isinstance(results[1], ConflictError)
    assert set(await items.get_items(database, "acme", ["i1", "i2", "i3"])) == {"i1", "i2", "i3"}


async def test_a_write_that_raises_leaves_nothing(database: Database):
    def fail(session) -> None:
        session.execute(text("UPDATE tenants SET name = 'changed'"))
        raise ZeroDivisionError

    for others in ((), ("i1", "i2")):
        results = await asyncio.gather(database.run_write(fail), put(database, *others), return_exceptions=True)
        assert isinstance(results[0], ZeroDivisionError)
        assert (await get_tenant(database, "acme")).name == "Acme"
    assert set(await items.get_items(database, "acme", ["i1", "i2"])) == {"i1", "i2"}


async def test_a_write_alone_may_undo_what_went_straight_to_the_connection(database: Database):
    rename = text("UPDATE tenants SET name = 'changed'")

    def undoes(session) -> None:
        session.connection().execute(rename)
        session.rollback()

    def undoes_a_part(session) -> None:
        part = session.begin_nested()
        session.connection().execute(rename)
        part.rollback()
        session.connection().execute(text("UPDATE tenants SET disabled = true"))

    await database.run_write(undoes)
    assert (await get_tenant(database, "acme")).name == "Acme"
    await database.run_write(undoes_a_part)
    tenant = await get_tenant(database, "acme")
    assert (tenant.name, tenant.disabled) == ("Acme", True)


async def test_the_writer_keeps_its_connection_until_a_write_fails(database: Database):
    taken = 0

    def count(*_: object) -> None:
        nonlocal taken
        taken += 1

    await put(database, "i1")
    assert database._lanes is not None
    event.listen(database._lanes._write_engine, "checkout", count)
    await put(database, "i2")
    assert taken == 0
    with pytest.raises(ConflictError):
        await items.put_item(database, "nobody", "i1", title="x")
    await put(database, "i3")
    await put(database, "i4")
    assert taken == 1
    assert set(await items.get_items(database, "acme", ["i1", "i2", "i3", "i4"])) == {"i1", "i2", "i3", "i4"}


async def test_a_commit_that_fails_is_told_to_all_whose_writes_it_held(database: Database):
    def break_at_commit(session) -> None:
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        session.execute(
            text(
                "INSERT INTO users (tenant_id, id, created_at, agreed, disputed) VALUES ('nobody', 'ann', '2026-01-01', 0, 0)"
            )
        )

    async with database.write():  # meanwhile they gather
        waiting = [asyncio.create_task(database.run_write(break_at_commit)), asyncio.create_task(put(database, "i1"))]
        await asyncio.sleep(0.05)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], ConflictError)
    assert [type(result) for result in results[1]] == [ConflictError]
    assert await items.get_items(database, "acme", ["i1"]) == {}


async def test_a_cancelled_write_that_waits_is_left_out(database: Database):
    async with database.write():
        waiting = asyncio.create_task(items.put_item(database, "acme", "i1", title="x"))
        await asyncio.sleep(0.05)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await put(database, "i2")
    assert set(await items.get_items(database, "acme", ["i1", "i2"])) == {"i2"}


async def test_closing_finishes_what_waits(url: str, database: Database):
    second = await Database.open(url)
    writes = asyncio.create_task(put(second, *(f"i{k}" for k in range(20))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await second.close()
    assert not [result for result in await writes if isinstance(result, Exception)]
    assert len(await items.list_items(database, "acme")) == 20


async def test_sessions_and_calls_write_one_after_the_other(database: Database):
    async def count_up() -> None:
        async with database.write() as session:
            tenant = await get_tenant(session, "acme")
            await asyncio.sleep(0)
            await update_tenant(session, "acme", settings={"n": tenant.settings.get("n", 0) + 1})

    await asyncio.gather(*(count_up() for _ in range(10)), put(database, "i1"))
    assert (await get_tenant(database, "acme")).settings == {"n": 10}


async def test_a_block_that_raises_is_undone(database: Database):
    async def fail() -> None:
        async with database.write() as session:
            await update_tenant(session, "acme", name="changed")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await get_tenant(database, "acme")).name == "Acme"


async def test_a_cancelled_block_is_undone_and_frees_the_lock(database: Database):
    async def dawdle() -> None:
        async with database.write() as session:
            await update_tenant(session, "acme", name="changed")
            await asyncio.sleep(60)

    task = asyncio.create_task(dawdle())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await get_tenant(database, "acme")).name == "Acme"
    await put(database, "i1")


async def test_writing_within_ones_own_block_is_refused_instead_of_waiting_for_ever(database: Database):
    async with database.write():
        with pytest.raises(StoreError, match="hand on the session"):
            await items.put_item(database, "acme", "i1", title="x")
        with pytest.raises(StoreError, match="hand on the session"):
            await database.write().__aenter__()
    await put(database, "i1")


async def test_two_handles_on_one_file_wait_for_one_another(url: str, database: Database):
    second = await Database.open(url)
    one, two = await asyncio.gather(
        put(database, *(f"a{k}" for k in range(20))), put(second, *(f"b{k}" for k in range(20)))
    )
    assert not [result for result in one + two if isinstance(result, Exception)]
    assert len(await items.list_items(database, "acme")) == 40
    await second.close()


async def test_a_file_locked_for_long_is_unavailable(url: str, database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rejoinder.store.engines._SQLITE_CONNECT", {"timeout": 0.05, "isolation_level": None})
    second = await Database.open(url)
    blocker = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked"):
        await items.put_item(second, "acme", "i1", title="x")
    with pytest.raises(StoreUnavailableError, match="locked"):
        await second.write().__aenter__()
    blocker.execute("ROLLBACK")
    blocker.close()
    await put(second, "i1")
    await second.close()


async def test_readers_do_not_wait_for_a_writer(database: Database):
    async with database.write() as session:
        await update_tenant(session, "acme", name="changed")
        assert (await get_tenant(database, "acme")).name == "Acme"
    assert (await get_tenant(database, "acme")).name == "changed"


async def test_a_damaged_file_is_told(url: str, database: Database):
    await put(database, *(f"i{k}" for k in range(200)))
    await database.close()
    damage(Path(url.removeprefix("sqlite:///")))
    with pytest.raises(StoreError, match="malformed") as caught:
        await Database.open(url)
    assert type(caught.value) is StoreError


def damage(path: Path) -> None:
    """Write over all but the first page."""
    data = path.read_bytes()
    path.write_bytes(data[:4096].ljust(len(data), b"\xff"))


async def test_not_found_names_what_is_missing(database: Database):
    with pytest.raises(NotFoundError, match="there is no item 'i9'"):
        await items.get_item(database, "acme", "i9")
