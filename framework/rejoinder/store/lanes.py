"""SQLite's fast lanes: functions that run in a thread, whole, writes that share a commit, and glances at one row.

Why: an AsyncSession over aiosqlite hands every statement to a thread and waits for the event loop to be told, five times for a
turn, each time in competition with the loop for the interpreter's lock; a whole function costs one such hop. And with
synchronous=FULL a commit waits for the disk (here 4 ms): writes that arrive while one commit is under way share the next one,
so that their number per second is not bound to the disk's. Each keeps its own savepoint: one that fails takes no other with it,
and none is acknowledged before the commit that holds it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from rejoinder.eager import start_at_once
from rejoinder.errors import StoreUnavailableError
from rejoinder.store.engines import Address, Synchronous, sync_sqlite_engine
from rejoinder.store.failures import mapped_errors

__all__ = ["SqliteLanes"]

_T = TypeVar("_T")
_Outcome: TypeAlias = tuple[Any, BaseException | None]

_READERS = 4
_BATCH = 64
"""Most writes that share one commit."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    work: Callable[[Session], Any]
    done: asyncio.Future[Any]


class SqliteLanes:
    """Threads with connections of their own: several that read, one that writes.

    Args:
        lock: held while something is written; shared with whoever else in this process writes to the file.
    """

    def __init__(self, address: Address, *, synchronous: Synchronous, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._read_engine = sync_sqlite_engine(address, synchronous=synchronous, write=False, size=_READERS + 1)
        self._write_engine = sync_sqlite_engine(address, synchronous=synchronous, write=True, size=1)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="rejoinder-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="rejoinder-write")
        self._waiting: deque[_Job] = deque()
        self._drain: asyncio.Task[None] | None = None
        self._glances: Any = None
        self._connection: Connection | None = None
        """The writer's, kept from one write to the next until one fails."""
        self._closed = False

    async def read(self, work: Callable[[Session], _T]) -> _T:
        """Run a function that only reads, on one snapshot, in a thread.

        Raises:
            StoreUnavailableError: the file cannot be read, or the lanes are closed.
        """
        self._refuse_when_closed()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Session], _T]) -> _T:
        """Run a function that writes; return once what it wrote is on the disk.

        Cancelled before its turn, it is left out; cancelled later, it may have been written all the same.

        Raises:
            ConflictError: it contradicts another record.
            StoreUnavailableError: the file is locked or full, or the lanes are closed; nothing was written.
        """
        self._refuse_when_closed()
        job = _Job(work, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._drain is None or self._drain.done():
            (self._drain,) = start_at_once((self._drain_waiting(),))
        result: _T = await job.done
        return result

    def glance(self, statement: str, parameters: Mapping[str, str]) -> Any:
        """Return the first value that a keyed look at one row gives, in this thread; None where there is no such row.

        Only for rows that were used lately: others wait for the disk. Readers do not wait for the one that writes (WAL).

        Raises:
            StoreUnavailableError: the file cannot be read, or the lanes are closed.
        """
        self._refuse_when_closed()
        with mapped_errors():
            if self._glances is None:
                self._glances = self._read_engine.raw_connection()
            try:
                rows = self._glances.driver_connection.execute(statement, parameters).fetchall()
            except sqlite3.Error as error:
                raise StoreUnavailableError(f"the record store gave no answer: {error}") from error
        return rows[0][0] if rows else None

    async def close(self) -> None:
        """Finish what waits, then give back threads and connections."""
        self._closed = True
        if self._drain is not None:
            await asyncio.wait([self._drain])
        for pool in (self._readers, self._writer):
            await asyncio.to_thread(pool.shutdown)
        if self._glances is not None:
            self._glances.close()
        self._let_go()
        self._read_engine.dispose()
        self._write_engine.dispose()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreUnavailableError("the record store was closed in this process")

    async def _drain_waiting(self) -> None:
        while self._waiting:
            async with self._lock:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                batch = [job for job in batch if not job.done.cancelled()]
                if not batch:
                    continue
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._writer, self._write_and_tell, batch, loop)

    def _read(self, work: Callable[[Session], _T]) -> _T:
        with mapped_errors(), self._read_engine.connect() as connection, Session(connection) as session:
            return work(session)

    def _write_and_tell(self, batch: list[_Job], loop: asyncio.AbstractEventLoop) -> None:
        """Write, and tell those who wait directly, not by way of the task that waits for this thread."""
        outcomes = self._write([job.work for job in batch])
        loop.call_soon_threadsafe(_settle, batch, outcomes)

    def _write(self, batch: list[Callable[[Session], Any]]) -> list[_Outcome]:
        """Run a batch in one transaction; return for each its result or its error, after the commit."""
        try:
            with mapped_errors():
                connection = self._connection = self._connection or self._write_engine.connect()
                with connection.begin():
                    if len(batch) == 1:
                        return [(_alone(connection, batch[0]), None)]
                    outcomes = [_outcome(connection, work) for work in batch]
        except BaseException as error:  # the commit failed, or the only one did: nothing was written
            self._let_go()
            return [(None, error)] * len(batch)
        return outcomes

    def _let_go(self) -> None:
        """Give the writer's connection back, so that the next write gets it as new."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _settle(batch: list[_Job], outcomes: list[_Outcome]) -> None:
    for job, (result, error) in zip(batch, outcomes, strict=True):
        if job.done.cancelled():
            continue
        if error is None:
            job.done.set_result(result)
        else:
            job.done.set_exception(error)


class _LateSession:
    """A session in a transaction of its own, made when it is first asked for more than its connection: most turns never do."""

    __slots__ = ("_connection", "_made")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._made: Session | None = None

    def connection(self) -> Connection:
        return self._connection if self._made is None else self._made.connection()

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = Session(self._connection, expire_on_commit=False, join_transaction_mode="rollback_only")
            self._made.connection()  # so that its savepoints and roll-backs are about what was written before as well
        return getattr(self._made, name)

    def end(self) -> None:
        """Write what the session still holds."""
        if self._made is not None:
            self._made.commit()

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


def _alone(connection: Connection, work: Callable[[Session], Any]) -> Any:
    """Do the only work of a transaction."""
    session = _LateSession(connection)
    with mapped_errors(), closing(session):
        result = work(cast("Session", session))
        session.end()
        return result


def _outcome(connection: Connection, work: Callable[[Session], Any]) -> _Outcome:
    """Do one work of several, in a savepoint of its own."""
    session = Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
    try:
        with mapped_errors(), session:
            result = work(session)
            session.commit()
            return result, None
    except BaseException as error:  # handed to whoever asked for this write
        return None, error
