"""One process's connection to the graph server: a driver, managed transactions with retries, and healing when the server was gone."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

from rejoinder.errors import GraphError, GraphQueryError, GraphUnavailableError
from rejoinder.graph.addresses import Address

try:
    from neo4j import (
        READ_ACCESS,
        WRITE_ACCESS,
        Driver,
        GraphDatabase,
        ManagedTransaction,
        NotificationMinimumSeverity,
        Record,
        unit_of_work,
    )
    from neo4j.exceptions import AuthError, ConstraintError, DriverError, Neo4jError
except ImportError as error:
    raise GraphError("the knowledge graph needs more packages: pip install 'rejoinder[graph]'") from error

from rejoinder.graph.driver_errors import is_lost, is_passing, mapped
from rejoinder.graph.in_flight import InFlight

__all__ = ["Connection", "Run"]

Run = Callable[[str, Mapping[str, Any]], list[Record]]
"""Runs Cypher with its parameters inside a transaction, and returns its rows."""

_T = TypeVar("_T")

_CONNECT_S: Final = 5.0
_ACQUIRE_S: Final = 10.0
_SILENT_S: Final = 10.0
"""Time beyond that of a query after which a server that does not answer counts as gone."""
_READ_RETRY_S: Final = 2.0
_WRITE_RETRY_S: Final = 30.0
"""Time for which a write is tried again while others write the same."""
_REAL_S: Final = 3.0
"""Time for which one and the same constraint is found broken again and again, after which this write itself must be wrong."""
_FIRST_PAUSE_S: Final = 0.002
_LONGEST_PAUSE_S: Final = 0.25
_HEAL_PAUSE_S: Final = 0.2
_HEAL_LONGEST_PAUSE_S: Final = 5.0
_HEAL_IDLE_S: Final = 60.0
"""Time after the last call for which the server is looked for."""
_OLDEST_NEO4J: Final = 5


class _Opened(NamedTuple):
    address: Address
    driver: Driver


class Connection:
    """A connection that all threads of a process share.

    When the server is gone, a call raises GraphUnavailableError at once, and a thread looks for the server (starting the embedded one
    anew); a later call finds it there.

    Args:
        find: gives the server's address, starting it where need be; may take seconds.
        pool_size: most calls at the same time; others wait.
        query_timeout_s: time that one query may take, > 0.
    """

    def __init__(self, find: Callable[[], Address], *, pool_size: int = 16, query_timeout_s: float = 30.0) -> None:
        self._find = find
        self._pool_size = pool_size
        self._query_timeout_s = query_timeout_s
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._lost: str | None = None
        self._healer: threading.Thread | None = None
        self._closing = threading.Event()
        self._asked = 0.0
        self._in_flight: InFlight[_Opened] = InFlight(query_timeout_s + _SILENT_S, self._silent)

    @property
    def address(self) -> Address:
        """Where the server is now.

        Raises:
            GraphUnavailableError: it cannot be reached.
        """
        return self._open().address

    def read(self, cypher: str, parameters: Mapping[str, Any], *, database: str | None = None) -> list[Record]:
        """Run Cypher that only reads, in a transaction; return its rows.

        Raises:
            GraphUnavailableError: the server cannot be reached.
            GraphQueryError: the Cypher is wrong, or takes too long.
            GraphError: the server failed.
        """
        work = self._work(cypher, parameters)

        def attempt(opened: _Opened) -> list[Record]:
            with opened.driver.session(database=database, default_access_mode=READ_ACCESS, fetch_size=-1) as session:
                return session.execute_read(work)

        return self._retried(attempt, _READ_RETRY_S)

    def write(self, cypher: str, parameters: Mapping[str, Any], *, database: str | None = None) -> list[Record]:
        """Run Cypher that writes, in a transaction; return its rows. It is tried again while another transaction is in its way.

        Raises:
            GraphUnavailableError, GraphQueryError, GraphError: as of `read`; GraphError also for a constraint that stays broken.
        """
        work = self._work(cypher, parameters)

        def attempt(opened: _Opened) -> list[Record]:
            with opened.driver.session(database=database, default_access_mode=WRITE_ACCESS, fetch_size=-1) as session:
                return session.execute_write(work)

        return self._retried(attempt, _WRITE_RETRY_S)

    def write_all(self, statements: Sequence[tuple[str, Mapping[str, Any]]], *, database: str | None = None) -> None:
        """Run statements in one transaction: all of them are done, or none; tried again as `write`.

        Raises:
            GraphUnavailableError, GraphQueryError, GraphError: as of `write`.
        """

        def work(run: Run) -> None:
            for cypher, parameters in statements:
                run(cypher, parameters)

        self.transact(work, database=database)

    def transact(self, work: Callable[[Run], _T], *, database: str | None = None) -> _T:
        """Do work in one transaction, tried again as `write`: all that it runs is done, or none.

        Args:
            work: is given the function that runs Cypher; it may be called several times, and must have no other effect.
        Raises:
            GraphUnavailableError, GraphQueryError, GraphError: as of `write`.
        """

        def inside(transaction: ManagedTransaction) -> _T:
            def run(cypher: str, parameters: Mapping[str, Any]) -> list[Record]:
                rows = list(transaction.run(cypher, dict(parameters)))
                self._in_flight.renew()
                return rows

            return work(run)

        def attempt(opened: _Opened) -> _T:
            with opened.driver.session(database=database, default_access_mode=WRITE_ACCESS, fetch_size=-1) as session:
                return session.execute_write(inside)

        return self._retried(attempt, _WRITE_RETRY_S)

    def read_only(
        self,
        cypher: str,
        parameters: Mapping[str, Any],
        *,
        database: str | None = None,
        user: tuple[str, str] | None = None,
        timeout_s: float,
        max_rows: int,
    ) -> list[Record]:
        """Run Cypher that somebody else wrote, in a mode that may only read; return its rows.

        Args:
            user: name and password of a user that may only read, where the mode is not enough.
            timeout_s: time that the server is told to allow, seconds > 0.
            max_rows: most rows that may come, > 0.
        Raises:
            GraphUnavailableError, GraphError: as of `read`.
            GraphQueryError: also for a query that writes, that takes longer, or that gives more rows.
        """

        @unit_of_work(timeout=timeout_s)
        def work(transaction: ManagedTransaction) -> list[Record]:
            rows = transaction.run(cypher, dict(parameters)).fetch(max_rows + 1)
            if len(rows) > max_rows:
                raise GraphQueryError(f"this query gives more than {max_rows} rows: add a LIMIT, or count")
            return rows

        def attempt(opened: _Opened) -> list[Record]:
            with opened.driver.session(
                database=database, default_access_mode=READ_ACCESS, fetch_size=max_rows + 1, auth=user
            ) as session:
                return session.execute_read(work)

        return self._retried(attempt, _READ_RETRY_S, reader=user is not None)

    def schema(self, cypher: str, *, database: str | None = None) -> None:
        """Change the schema or the databases of a Neo4j server, each statement in a transaction of its own; may take minutes.

        Raises:
            GraphUnavailableError, GraphQueryError, GraphError: as of `write`.
        """

        def attempt(opened: _Opened) -> None:
            with opened.driver.session(database=database) as session:
                session.run(cypher).consume()

        self._retried(attempt, _WRITE_RETRY_S, watched=False)

    def close(self) -> None:
        """Close all connections; the server goes on as long as others use it."""
        self._closing.set()
        self._in_flight.close()
        with self._lock:
            opened, self._opened = self._opened, None
        _close(opened)

    def _work(self, cypher: str, parameters: Mapping[str, Any]) -> Callable[[ManagedTransaction], list[Record]]:
        @unit_of_work(timeout=self._query_timeout_s)
        def work(transaction: ManagedTransaction) -> list[Record]:
            return list(transaction.run(cypher, dict(parameters)))

        return work

    def _retried(
        self, attempt: Callable[[_Opened], _T], patience_s: float, *, watched: bool = True, reader: bool = False
    ) -> _T:
        """Do something with the driver until nobody else is in the way; what it raises becomes an error of ours."""
        give_up = time.monotonic() + patience_s
        pause = _FIRST_PAUSE_S
        stale = True
        text, since = "", 0.0
        while True:
            opened = self._open()
            try:
                if not watched:
                    return attempt(opened)
                with self._in_flight.of(opened):
                    return attempt(opened)
            except (DriverError, Neo4jError) as error:
                closed = isinstance(error, DriverError) and self._opened is not opened
                if is_lost(error) and error.is_retryable() and stale and not closed:
                    stale = False  # a connection that the server closed long ago: the next one is new
                    continue
                moved = isinstance(error, AuthError) and opened.address.http is not None and not reader
                if is_lost(error) or closed or moved:  # another server may have the port of an embedded one that ended
                    self._lose(opened, str(error))
                    raise GraphUnavailableError(str(mapped(error))) from error
                if str(error) != text:
                    text, since = str(error), time.monotonic()
                real = isinstance(error, ConstraintError) and time.monotonic() - since > _REAL_S
                if real or not is_passing(error) or time.monotonic() > give_up:
                    raise mapped(error) from error
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _open(self) -> _Opened:
        opened = self._opened
        if opened is not None:
            return opened
        with self._lock:
            if self._opened is not None:
                return self._opened
            if self._closing.is_set():
                raise GraphError("this connection to the graph server was closed")
            self._asked = time.monotonic()
            if self._lost is None:
                try:
                    self._opened = self._connect()
                except GraphUnavailableError as error:
                    self._lost = str(error)
                    self._heal()
                    raise
                return self._opened
            self._heal()
            raise GraphUnavailableError(f"{self._lost}; the server is being looked for, try again later")

    def _connect(self) -> _Opened:
        address = self._find()
        driver = None
        try:
            driver = GraphDatabase.driver(
                address.url,
                auth=(address.user, address.password),
                max_connection_pool_size=self._pool_size,
                connection_timeout=_CONNECT_S,
                connection_acquisition_timeout=_ACQUIRE_S,
                max_transaction_retry_time=0,
                user_agent="rejoinder",
                notifications_min_severity=NotificationMinimumSeverity.OFF,
            )
            _check_version(address, driver.get_server_info().agent)
        except (DriverError, Neo4jError) as error:
            _close(_Opened(address, driver) if driver else None)
            raise mapped(error) from error
        except BaseException:
            _close(_Opened(address, driver) if driver else None)
            raise
        return _Opened(address, driver)

    def _silent(self, opened: _Opened) -> None:
        self._lose(opened, "the graph server does not answer")

    def _lose(self, opened: _Opened, why: str) -> None:
        with self._lock:
            if self._opened is not opened:
                return
            self._opened, self._lost, self._asked = None, why, time.monotonic()
            self._heal()
        _close(opened)

    def _heal(self) -> None:
        """Have one thread look for the server; the lock is held."""
        if self._healer is None or not self._healer.is_alive():
            self._healer = threading.Thread(target=self._look, name="rejoinder-graph-healer", daemon=True)
            self._healer.start()

    def _look(self) -> None:
        pause = _HEAL_PAUSE_S
        while not self._closing.is_set() and time.monotonic() - self._asked < _HEAL_IDLE_S:
            try:
                opened = self._connect()
            except GraphError as error:
                self._lost = str(error)
                self._closing.wait(pause)
                pause = min(pause * 2, _HEAL_LONGEST_PAUSE_S)
                continue
            with self._lock:
                if not self._closing.is_set():
                    self._opened, self._lost = opened, None
                    return
            _close(opened)


def _check_version(address: Address, agent: str) -> None:
    found = re.match(r"Neo4j/(\d+)", agent)
    if address.http is None and ("ArcadeDB" in agent or found is None or int(found[1]) < _OLDEST_NEO4J):
        raise GraphError(f"graph.url: this server calls itself {agent!r}, expected Neo4j {_OLDEST_NEO4J} or newer")


def _close(opened: _Opened | None) -> None:
    if opened is not None:
        with suppress(DriverError, Neo4jError, OSError):
            opened.driver.close()
        if opened.address.release is not None:
            opened.address.release()
