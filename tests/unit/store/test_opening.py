"""Opening a store: URLs, files, pragmas, and what happens when it is not there."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
from rejoinder.errors import SettingsError, StoreError, StoreUnavailableError
from rejoinder.store.database import Database
from rejoinder.store.engines import parse_url
from rejoinder.store.tenants import list_tenants
from sqlalchemy import text


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlte:///x.db", r"must start with sqlite:/// .*Did you mean 'sqlite'\?"),
        ("mysql://localhost/x", "must start with sqlite:/// or postgresql://, not 'mysql'"),
        ("x.db", "must start with"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("postgresql://host:port/x", "cannot be read"),
    ],
)
async def test_other_urls_are_refused(url: str, message: str):
    with pytest.raises(SettingsError, match=message):
        await Database.open(url)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_a_password_is_never_shown(scheme: str):
    address = parse_url(f"{scheme}://ann:secret@localhost:5432/rejoinder")
    assert address.dialect == "postgresql"
    assert "secret" not in address.shown


async def test_a_new_file_is_its_owners_only(database: Database, tmp_path: Path):
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()} == {0o600}


async def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path):
    (tmp_path / "mine").mkdir(mode=0o755)
    await (await Database.open(f"sqlite:///{tmp_path / 'mine' / 'store.db'}")).close()
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o755


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", 2), ("NORMAL", 1)])
async def test_every_connection_has_the_same_pragmas(url: str, synchronous, level: int):
    database = await Database.open(url, synchronous=synchronous)

    def pragmas(session) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [session.scalar(text(f"PRAGMA {name}")) for name in names]

    expected = ["wal", level, 1, 10_000]
    assert await database.run_read(pragmas) == expected
    assert await database.run_write(pragmas) == expected
    async with database.read() as session:
        assert await session.run_sync(pragmas) == expected
    async with database.write() as session:
        assert await session.run_sync(pragmas) == expected
    await database.close()


async def test_a_file_in_a_place_that_cannot_be_written_is_unavailable(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnavailableError, match="cannot be opened"):
        await Database.open(f"sqlite:///{tmp_path / 'file' / 'store.db'}")


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "store.db").write_text("hello, I am no database at all" * 100)
    with pytest.raises(StoreError, match="not a database"):
        await Database.open(f"sqlite:///{tmp_path / 'store.db'}")


async def test_a_server_that_is_not_there_is_unavailable():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(StoreUnavailableError, match=r"ann:\*\*\*@127\.0\.0\.1.* cannot be reached") as caught:
        await Database.open(f"postgresql://ann:secret@127.0.0.1:{port}/x")
    assert caught.value.__cause__ is not None


async def test_a_closed_store_is_unavailable(url: str):
    database = await Database.open(url)
    await database.close()
    with pytest.raises(StoreUnavailableError, match="was closed"):
        await list_tenants(database)


async def test_closing_twice_is_fine(url: str):
    database = await Database.open(url)
    await database.close()
    await database.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
async def test_no_file_stays_open_after_closing(url: str):
    database = await Database.open(url)
    await database.migrate()
    await list_tenants(database)
    await database.close()
    assert "store.db" not in open_files()


def open_files() -> str:
    """Return the names of this process's open files, one a line."""
    return "\n".join(str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
