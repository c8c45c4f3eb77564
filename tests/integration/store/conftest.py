"""Every test here runs on SQLite and on PostgreSQL, each with a new, migrated database."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from rejoinder.store.database import Database
from rejoinder.store.tables import metadata
from sqlalchemy import text

_ROOT = str(Path(__file__).parents[3])
if _ROOT not in sys.path:  # tests/services is shared by several folders of tests
    sys.path.append(_ROOT)

from tests.services.postgres import postgres_url  # noqa: E402

__all__ = ["postgres_url"]

_TENANTS = """
    INSERT INTO tenants (id, name, settings, plugins, created_at, disabled) VALUES
    ('acme', 'Acme', '{}', NULL, '2026-01-01 00:00:00', FALSE), ('other', 'Other', '{}', NULL, '2026-01-01 00:00:00', FALSE)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, settings = '{}', plugins = NULL, disabled = FALSE
"""


@dataclass(frozen=True)
class Place:
    """Where a test's store is: its URL."""

    dialect: str
    url: str


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
async def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A database without tables."""
    if request.param == "sqlite":
        yield Place("sqlite", f"sqlite:///{tmp_path / 'store.db'}")
        return
    async with _new_database(request.getfixturevalue("postgres_url")) as url:
        yield Place("postgresql", url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file with the tenants, to be copied."""
    path = tmp_path_factory.mktemp("store") / "template.db"
    asyncio.run(_prepare(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The URL of a migrated database that tests share, one after the other."""

    async def make() -> None:
        async with _connection(postgres_url) as connection:
            await connection.execute("CREATE DATABASE rejoinder")
        await _prepare(_named(postgres_url, "rejoinder"))

    asyncio.run(make())
    return _named(postgres_url, "rejoinder")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A migrated database with nothing but the tenants "acme" and "other"."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "store.db")
        return Place("sqlite", f"sqlite:///{path}")
    return Place("postgresql", request.getfixturevalue("postgres_template"))


@pytest.fixture
async def place(migrated: Place) -> AsyncIterator[Place]:
    """The same, emptied afterwards where it is shared."""
    yield migrated
    if migrated.dialect == "sqlite":
        return
    async with _connection(migrated.url) as connection:
        await connection.execute("DELETE FROM tenants WHERE id NOT IN ('acme', 'other')")
        for table in reversed(metadata.sorted_tables):
            if table.name != "tenants":
                await connection.execute(f"DELETE FROM {table.name}")  # noqa: S608  # our own names
        await connection.execute(_TENANTS)


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    """An open store with the tenants "acme" and "other"."""
    opened = await Database.open(place.url)
    yield opened
    await opened.close()


async def _prepare(url: str) -> None:
    opened = await Database.open(url, synchronous="NORMAL")
    try:
        await opened.migrate()
        async with opened.write() as session:
            await session.execute(text(_TENANTS))
    finally:
        await opened.close()


@asynccontextmanager
async def _new_database(server: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    async with _connection(server) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    yield _named(server, name)
    async with _connection(server) as connection:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def _named(server: str, name: str) -> str:
    return server.rpartition("/")[0] + "/" + name
