"""API keys: made, recognised, revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import AuthenticationError, InvalidInputError, NotFoundError
from rejoinder.store import keys as key_rows
from rejoinder.store.database import Database
from rejoinder.store.tenants import create_tenant, update_tenant
from rejoinder.tenants.keys import Keys
from rejoinder.tenants.principal import Principal
from sqlalchemy import text

SAME_TEXT = r"^the key or token is not valid; ask for a new one$"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path}/test.db", synchronous="NORMAL")
    await database.migrate()
    for tenant in ("acme", "blue"):
        await create_tenant(database, tenant, name=tenant)
    yield database
    await database.close()


@pytest.fixture
def keys(database: Database, clock: Any) -> Keys:
    return Keys(database, clock=clock, monotonic=clock.monotonic)


async def refused(keys: Keys, token: str) -> None:
    with pytest.raises(AuthenticationError, match=SAME_TEXT):
        await keys.authenticate(token)


async def test_a_key_is_recognised(keys: Keys) -> None:
    made = await keys.create("admin", tenant="acme", name="shop")
    expected = Principal(tenant="acme", role="admin", key_id=made.record.id, name="shop")
    assert await keys.authenticate(made.token) == expected
    assert await keys.authenticate(made.token) == expected
    assert made.token.startswith(f"{made.record.prefix}_")
    assert (made.record.name, made.record.tenant) == ("shop", "acme")


async def test_an_operator_key_has_no_tenant(keys: Keys) -> None:
    made = await keys.create("operator", tenant=None)
    assert (await keys.authenticate(made.token)).tenant is None
    assert [one.id for one in await keys.list(None)] == [made.record.id]
    assert await keys.list("acme") == []


async def test_only_a_hash_is_stored_and_nothing_shows_the_key(keys: Keys, database: Database) -> None:
    made = await keys.create("admin", tenant="acme")
    secret = made.token.rpartition("_")[2]
    async with database.read() as session:
        rows = (await session.execute(text("SELECT * FROM api_keys"))).all()
    assert secret not in str(rows) + repr(made) + repr(await keys.list("acme"))


@pytest.mark.parametrize(("role", "tenant"), [("operator", "acme"), ("admin", None), ("boss", "acme")])
async def test_role_and_tenant_must_fit(keys: Keys, role: str, tenant: str | None) -> None:
    with pytest.raises(InvalidInputError):
        await keys.create(role, tenant=tenant)


async def test_a_key_needs_a_tenant_that_is_there(keys: Keys) -> None:
    with pytest.raises(NotFoundError):
        await keys.create("admin", tenant="nobody")


async def test_a_key_that_expired_already_is_not_made(keys: Keys) -> None:
    with pytest.raises(InvalidInputError, match="a moment to come"):
        await keys.create("admin", tenant="acme", expires_at=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "token", ["", "rj_", "rj_00000000_" + "a" * 43, "rj_00000000_short", "Bearer x", "rj_0000000é_" + "a" * 43]
)
async def test_an_unknown_key_is_refused(keys: Keys, token: str) -> None:
    await refused(keys, token)


async def test_a_changed_key_is_refused(keys: Keys) -> None:
    made = await keys.create("admin", tenant="acme")
    last = "A" if made.token[-1] != "A" else "B"
    await refused(keys, made.token[:-1] + last)
    await refused(keys, "rj_00000000" + made.token[11:])


async def test_a_key_expires_though_it_is_cached(keys: Keys, clock: Any) -> None:
    made = await keys.create("admin", tenant="acme", expires_at=clock.now + timedelta(seconds=1))
    await keys.authenticate(made.token)
    clock.turn(1.0)
    await refused(keys, made.token)


async def test_a_revoked_key_is_refused_at_once_in_this_process(keys: Keys) -> None:
    made = await keys.create("admin", tenant="acme")
    await keys.authenticate(made.token)
    record = await keys.revoke(made.record.id, tenant="acme")
    assert record.revoked_at is not None
    await refused(keys, made.token)


async def test_a_revocation_by_another_process_takes_hold_within_two_seconds(
    keys: Keys, database: Database, clock: Any
) -> None:
    made = await keys.create("admin", tenant="acme")
    await keys.authenticate(made.token)
    await Keys(database, clock=clock).revoke(made.record.id, tenant="acme")
    clock.turn(1.9)
    await refused(keys, made.token)


async def test_a_lookup_under_way_is_not_kept_when_a_key_is_revoked(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await keys.create("admin", tenant="acme")
    find_key = key_rows.find_key

    async def find_and_let_another_task_revoke(access: Any, digest: str) -> Any:
        row = await find_key(access, digest)
        monkeypatch.undo()
        await asyncio.create_task(keys.revoke(made.record.id, tenant="acme"))
        return row

    monkeypatch.setattr(key_rows, "find_key", find_and_let_another_task_revoke)
    await keys.authenticate(made.token)  # it began before the revocation
    await refused(keys, made.token)


async def test_a_tenant_does_not_revoke_keys_of_another(keys: Keys) -> None:
    made = await keys.create("admin", tenant="acme")
    for owner in ("blue", None):
        with pytest.raises(NotFoundError):
            await keys.revoke(made.record.id, tenant=owner)
    await keys.authenticate(made.token)


async def test_the_keys_of_a_disabled_tenant_are_refused(keys: Keys, database: Database) -> None:
    made = await keys.create("admin", tenant="acme")
    await update_tenant(database, "acme", disabled=True)
    await refused(keys, made.token)


async def test_the_use_of_a_key_is_noted_once_a_minute(keys: Keys, clock: Any) -> None:
    made = await keys.create("admin", tenant="acme")
    noted = []
    for _ in range(4):
        await keys.authenticate(made.token)
        noted.append((await keys.list("acme"))[0].last_used_at)
        clock.turn(30.0)
    assert noted[0] is not None
    assert noted[0] == noted[1]
    assert noted[2] == noted[3] == noted[0] + timedelta(seconds=60)
