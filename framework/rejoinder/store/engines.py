"""Engines, set up alike for every connection: one place for the pragmas of SQLite and the options of PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from rejoinder.errors import SettingsError, StoreUnavailableError, did_you_mean
from rejoinder.store.columns import dump_json

__all__ = ["Address", "Synchronous", "async_engine", "parse_url", "sync_sqlite_engine"]

Synchronous = Literal["FULL", "NORMAL"]

_SCHEMES = {
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "postgresql+asyncpg": "postgresql",
}

_BUSY_TIMEOUT_S = 10.0
_POOL_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where the records are: the dialect, the URL for SQLAlchemy, the file of SQLite, and a form fit to be shown."""

    dialect: Literal["sqlite", "postgresql"]
    url: URL
    path: Path | None
    shown: str


def parse_url(text: str) -> Address:
    """Read a store's URL.

    Args:
        text: "sqlite:///relative.db", "sqlite:////absolute.db" or "postgresql://user:password@host:port/name".
    Raises:
        SettingsError: it is no such URL, SQLite has no file, or the driver of PostgreSQL is not installed.
    """
    scheme, found, _ = text.partition("://")
    if not found or scheme not in _SCHEMES:
        raise SettingsError(
            f"the record store's URL must start with sqlite:/// or postgresql://, not {scheme[:40]!r}."
            f"{did_you_mean(scheme, _SCHEMES)}"
        )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise SettingsError(f"the record store's URL cannot be read: {error}") from error
    if _SCHEMES[scheme] == "sqlite":
        return _sqlite_address(url)
    try:
        import asyncpg  # noqa: F401  # is it there?
    except ImportError as error:
        raise SettingsError("PostgreSQL needs its driver: pip install 'rejoinder[postgres]'") from error
    url = url.set(drivername="postgresql+asyncpg")
    return Address("postgresql", url, None, url.render_as_string(hide_password=True))


def _sqlite_address(url: URL) -> Address:
    if not url.database or url.database == ":memory:":
        raise SettingsError(
            "the record store needs a file, e.g. sqlite:///rejoinder.db; SQLite's :memory: cannot be shared"
        )
    path = Path(url.database).absolute()
    url = URL.create("sqlite", database=str(path))
    return Address("sqlite", url, path, f"sqlite:///{path}")


def make_sqlite_file(path: Path) -> None:
    """Make the file (mode 0600) and, where they are missing, its folders (mode 0700).

    A file that is there is not touched: closing it would drop the locks that this process's other connections hold on it (POSIX),
    and another process could then take away the write-ahead log that they use.

    Raises:
        StoreUnavailableError: the file system refuses.
    """
    try:
        for folder in reversed([path.parent, *path.parent.parents]):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            with contextlib.suppress(FileExistsError):  # another process was quicker
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreUnavailableError(f"the record store's file {path} cannot be opened: {error.strerror}") from error


def sync_sqlite_engine(address: Address, *, synchronous: Synchronous, write: bool, size: int) -> Engine:
    """Return an engine whose calls block, for the threads of `rejoinder.store.lanes`."""
    engine = create_engine(
        address.url, connect_args=_SQLITE_CONNECT, pool_size=size, max_overflow=0, pool_timeout=_POOL_WAIT_S
    )
    _prepare_sqlite(engine, synchronous=synchronous, write=write)
    return engine


def async_engine(address: Address, *, synchronous: Synchronous, write: bool, size: int) -> AsyncEngine:
    """Return an engine for AsyncSessions."""
    options: dict[str, Any] = {
        "pool_timeout": _POOL_WAIT_S,
        "pool_size": size,
        "json_serializer": dump_json,
        "json_deserializer": orjson.loads,
    }
    if address.dialect == "sqlite":
        url = address.url.set(drivername="sqlite+aiosqlite")
        engine = create_async_engine(url, connect_args=_SQLITE_CONNECT, max_overflow=0, **options)
        _prepare_sqlite(engine.sync_engine, synchronous=synchronous, write=write)
        return engine
    connect = {
        "timeout": 10,
        "command_timeout": 60,
        "server_settings": {"application_name": "rejoinder", "timezone": "UTC"},
    }
    return create_async_engine(address.url, connect_args=connect, pool_pre_ping=True, **options)


_SQLITE_CONNECT = {
    "timeout": _BUSY_TIMEOUT_S,
    "isolation_level": None,  # transactions begin where the "begin" event below says so
    "check_same_thread": False,
}


def _prepare_sqlite(engine: Engine, *, synchronous: Synchronous, write: bool) -> None:
    """Set the pragmas of each new connection, and begin writing transactions at once.

    BEGIN IMMEDIATE takes the write lock before anything is read, so that two processes wait for one another instead of
    failing where a reader wants to become a writer. Reading connections refuse to write: what they wrote would be lost.
    """
    pragmas = (
        "PRAGMA journal_mode=WAL",
        f"PRAGMA synchronous={synchronous}",
        "PRAGMA foreign_keys=ON",
        "PRAGMA journal_size_limit=67108864",  # a log that a long reader let grow shrinks again
        *(() if write else ("PRAGMA query_only=ON",)),
    )
    begin = "BEGIN IMMEDIATE" if write else "BEGIN"

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            for pragma in pragmas:
                cursor.execute(pragma)
        except BaseException:
            connection.close()  # the pool would forget it open
            raise
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        # Not by `exec_driver_sql`, which makes an execution context and a result of it: this is on the way of every turn.
        cursor = connection.connection.cursor()
        try:
            cursor.execute(begin)
        except sqlite3.Error as error:
            raise DBAPIError.instance(begin, (), error, sqlite3.Error, dialect=connection.dialect) from error
        finally:
            cursor.close()
