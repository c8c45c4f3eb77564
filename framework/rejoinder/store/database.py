"""The record store: one SQLite file or one PostgreSQL database, opened once per process.

Access functions (`rejoinder.store.turns` and its neighbours) take a `Database` or a session:

- with a `Database`, a call is a transaction of its own; on SQLite the whole function runs in one thread hop and shares its
  commit with other writes (see `rejoinder.store.lanes` for why);
- with a session of `read()` or `write()`, it is part of that session's transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from rejoinder.errors import StoreError
from rejoinder.store.engines import Synchronous, async_engine, make_sqlite_file, parse_url
from rejoinder.store.failures import connecting, mapped_errors
from rejoinder.store.lanes import SqliteLanes

__all__ = ["Database"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_POOL_SIZE = 10


class Database:
    """An open record store. Make one with `await Database.open(url)`; close it with `await database.close()`.

    Attributes:
        dialect: "sqlite" or "postgresql".
        shown_url: its address, without the password.
    """

    def __init__(self, url: str, *, synchronous: Synchronous = "FULL") -> None:
        """Prepare engines; nothing is connected yet. Call `open` instead."""
        self._address = parse_url(url)
        self.dialect: Literal["sqlite", "postgresql"] = self._address.dialect
        self.shown_url = self._address.shown
        self._lock = asyncio.Lock()
        self._lock_holder: asyncio.Task[object] | None = None
        self._lanes: SqliteLanes | None = None
        if self._address.path is not None:
            make_sqlite_file(self._address.path)
            self._lanes = SqliteLanes(self._address, synchronous=synchronous, lock=self._lock)
            self._read_engine = async_engine(self._address, synchronous=synchronous, write=False, size=5)
            self._write_engine = async_engine(self._address, synchronous=synchronous, write=True, size=1)
        else:
            self._write_engine = async_engine(self._address, synchronous=synchronous, write=True, size=_POOL_SIZE)
            self._read_engine = self._write_engine.execution_options(postgresql_readonly=True)

    @classmethod
    async def open(cls, url: str, *, synchronous: Synchronous = "FULL") -> Database:
        """Open a store and make sure that it answers. Call `migrate` before its first use.

        Args:
            url: "sqlite:///file" or "postgresql://user:password@host:port/name". A missing SQLite file is made, in a folder
                that only its owner may enter.
            synchronous: SQLite only. FULL: what is committed survives a power cut; NORMAL: faster, survives a crash of the
                process but may lose the last commits in a power cut.
        Raises:
            SettingsError: the URL is no such URL, or PostgreSQL's driver is missing.
            StoreUnavailableError: it does not answer.
        """
        database = cls(url, synchronous=synchronous)
        try:
            await database.ping()
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Give a session on one snapshot that refuses to write.

        Raises:
            StoreUnavailableError: the store does not answer.
            StoreError: something was written.
        """
        async with AsyncSession(self._read_engine, expire_on_commit=False) as session:
            with connecting(self.shown_url):
                await session.connection()
            with mapped_errors():
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose work is committed at the end, or undone when the block raises.

        On SQLite one block at a time writes; keep blocks short and await nothing slow in them.

        Raises:
            ConflictError: it contradicts another record; nothing was written.
            StoreUnavailableError: the store does not answer; nothing was written.
            StoreError: a block inside a block of the same task.
        """
        async with self._alone(), AsyncSession(self._write_engine, expire_on_commit=False) as session:
            with connecting(self.shown_url):
                await session.connection()
            with mapped_errors():
                yield session
                await session.commit()

    async def run_read(
        self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function of a blocking session that only reads, in a transaction of its own.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        if self._lanes is not None:
            return await self._lanes.read(partial(_call, function, args, kwargs))
        async with self.read() as session:
            return await session.run_sync(function, *args, **kwargs)

    async def run_write(
        self, function: Callable[Concatenate[Session, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a function of a blocking session in a transaction of its own; return once it is committed.

        Raises:
            ConflictError: it contradicts another record; nothing was written.
            StoreUnavailableError: the store does not answer; nothing was written.
        """
        if self._lanes is not None:
            self._refuse_nesting()
            return await self._lanes.write(partial(_call, function, args, kwargs))
        async with self.write() as session:
            return await session.run_sync(function, *args, **kwargs)

    async def glance(self, statement: str, parameters: Mapping[str, str]) -> Any:
        """Return the one value that a keyed look at a row gives; None where there is no such row.

        On SQLite it runs in the caller's thread, where a row that was used lately takes some 15 us and a hop to another thread 200.

        Args:
            statement: SQL that both databases know, with parameters such as `:id`.
        Raises:
            StoreUnavailableError: the store does not answer.
        """
        if self._lanes is not None:
            return self._lanes.glance(statement, parameters)
        async with self.read() as session:
            return (await session.execute(text(statement), dict(parameters))).scalar()

    async def ping(self) -> None:
        """Make sure that the store answers.

        Raises:
            StoreUnavailableError: it does not.
        """
        async with self.read() as session:
            with connecting(self.shown_url):
                await session.execute(text("SELECT 1"))

    async def migrate(self) -> None:
        """Bring the tables to this version's schema; safe when several processes start at once.

        Raises:
            StoreError: the store was made by a newer version of Rejoinder.
            StoreUnavailableError: it does not answer.
        """
        from rejoinder.store.schema import upgrade

        await self._on_schema(upgrade)

    async def downgrade(self, revision: str) -> None:
        """Bring the tables back to an older revision; "base" removes them all, with everything in them.

        Raises:
            StoreError: there is no such revision.
            StoreUnavailableError: the store does not answer.
        """
        from rejoinder.store.schema import downgrade

        await self._on_schema(partial(downgrade, revision=revision))

    async def forget_deleted(self) -> None:
        """Empty SQLite's write-ahead log into its file, so that what was deleted is in neither; on PostgreSQL its vacuum sees to that.

        A long reader may keep it from happening now: then the log is emptied in the course of time.
        """
        if self._lanes is None:
            return
        async with self._alone(), self._write_engine.connect() as connection:
            raw = await connection.get_raw_connection()
            if raw.driver_connection is not None:
                await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def current_revision(self) -> str | None:
        """Return the revision of the store's schema; None when it has no tables yet."""
        from rejoinder.store.schema import current_revision

        async with self.read() as session:
            return await (await session.connection()).run_sync(current_revision)

    async def close(self) -> None:
        """Finish waiting writes and give back all connections and threads."""
        if self._lanes is not None:
            await self._lanes.close()
            await self._read_engine.dispose()
        await self._write_engine.dispose()

    async def _on_schema(self, change: Callable[..., None]) -> None:
        async with self._alone():
            connection = self._write_engine.connect()
            with connecting(self.shown_url):
                await connection.start()
            try:
                with mapped_errors():
                    await connection.run_sync(change)
                    await connection.commit()
            finally:
                await connection.close()
        if self._lanes is None:  # asyncpg's prepared statements know the old tables
            await self._write_engine.dispose()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold this process's write lock where there can be one writer only."""
        self._refuse_nesting()
        if self._lanes is None:
            yield
            return
        async with self._lock:
            self._lock_holder = asyncio.current_task()
            try:
                yield
            finally:
                self._lock_holder = None

    def _refuse_nesting(self) -> None:
        if self._lock_holder is not None and self._lock_holder is asyncio.current_task():
            raise StoreError(
                "this task writes already: hand on the session of its write() block instead of the Database"
            )


def _call(function: Callable[..., _T], args: tuple[object, ...], kwargs: dict[str, object], session: Session) -> _T:
    return function(session, *args, **kwargs)
