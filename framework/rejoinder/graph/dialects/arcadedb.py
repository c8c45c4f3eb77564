"""ArcadeDB: Cypher over Bolt, but databases and the two special indexes are made in SQL and commands over its HTTP API."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import httpx

from rejoinder.errors import GraphError, GraphQueryError, GraphUnavailableError
from rejoinder.graph.connection import Connection
from rejoinder.graph.dialects.base import index_name
from rejoinder.graph.driver_errors import is_refused_login

if TYPE_CHECKING:
    from neo4j import Record

__all__ = ["ArcadeDialect"]

_TIMEOUT_S: Final = 60.0
_CONFLICT: Final = 409
_READERS: Final = "rejoinder_readers"
"""The embedded server's group of users that may read records and do nothing else."""
_LOGIN_S: Final = 5.0
"""Time after which a new user can surely log in."""
_PAUSE_S: Final = 0.05
_ANALYZER: Final = "org.apache.lucene.analysis.cjk.CJKAnalyzer"


class ArcadeDialect:
    """Speaks to an ArcadeDB server; each tenant has a database of its own."""

    name: Final = "arcadedb"
    shared: Final = False
    text_scale: Final = 1.0

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = httpx.Client(timeout=_TIMEOUT_S, trust_env=False)

    def database_of(self, key: str) -> str:
        """Return the name of a tenant's database."""
        return f"t_{key}"

    def close(self) -> None:
        """Close the connections to the HTTP API."""
        self._http.close()

    def has(self, key: str) -> bool:
        """Return whether a tenant's database is there."""
        return self.database_of(key) in self._server("list databases")

    def create(self, key: str) -> None:
        """Create a tenant's database where it is missing."""
        if not self.has(key):
            self._server(f"create database {self.database_of(key)}", known=_CONFLICT)

    def drop(self, key: str, labels: tuple[str, ...]) -> None:
        """Delete a tenant's database."""
        if self.has(key):
            self._server(f"drop database {self.database_of(key)}")
        with suppress(GraphQueryError):  # a user that nobody needed yet
            self._server(f"drop user {self.reader(key)[0]}")

    def labels(self, key: str) -> tuple[str, ...]:
        """Return the labels of a tenant's database."""
        rows = self._sql(key, "SELECT name FROM schema:types WHERE type = 'vertex'")
        return tuple(str(row["name"]) for row in rows)

    def unique(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Let a property of a label have each value once."""
        self._indexed(key, label, property, "STRING", "UNIQUE")

    def index(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Index a property of a label."""
        self._indexed(key, label, property, "STRING", "NOTUNIQUE")

    def index_text(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Index the words of a text property."""
        self._indexed(key, label, property, "STRING", f"FULL_TEXT METADATA {{ analyzer: '{_ANALYZER}' }}")

    def index_vectors(self, key: str, label: str, property: str, dimensions: int) -> None:  # noqa: A002
        """Index float lists by cosine."""
        how = f"LSM_VECTOR METADATA {{ dimensions: {int(dimensions)}, similarity: 'COSINE' }}"
        self._indexed(key, label, property, "ARRAY_OF_FLOATS", how)

    def lock(self, variable: str) -> str:
        """Return nothing: a change between a read and a write is refused, and tried again."""
        return ""

    def lock_relations(self, variable: str) -> str:
        """Return the clauses that write to a node: of two transactions that do, the later one is refused, and tried again.

        Relations that two create at a node between their looks and their commits the server keeps both, those of MERGE too.
        """
        return f"SET {variable}._lock = true REMOVE {variable}._lock"

    def create_relation(self, absent: str, created: str) -> str:
        """Return the clauses that create a relation where there is none. MERGE takes three times as long."""
        return f"WHERE NOT {absent} CREATE {created} SET r = row.now"

    def read_only(
        self, key: str, cypher: str, parameters: Mapping[str, Any], *, timeout_s: float, max_rows: int
    ) -> list[Record]:
        """Run Cypher that somebody else wrote, as a user that may only read this tenant's database, and end it when it is late."""
        mark = f"/* {uuid4().hex} */"
        over = threading.Event()
        threading.Thread(target=self._end_late, args=(key, mark, over, timeout_s), daemon=True).start()
        give_up = time.monotonic() + _LOGIN_S
        try:
            while True:
                try:
                    return self._connection.read_only(
                        f"{mark} {cypher}",
                        parameters,
                        database=self.database_of(key),
                        user=self.reader(key),
                        timeout_s=timeout_s,
                        max_rows=max_rows,
                    )
                except GraphError as error:
                    if not is_refused_login(error) or time.monotonic() > give_up:
                        raise
                self._add_reader(key)
                time.sleep(_PAUSE_S)
        finally:
            over.set()

    def reader(self, key: str) -> tuple[str, str]:
        """Return name and password of the user that may only read a tenant's database; the password follows from the server's own."""
        secret = self._connection.address.password.encode()
        return f"reader_{key}", hmac.new(secret, key.encode(), hashlib.sha256).hexdigest()

    def text_query(self, label: str, property: str) -> str:  # noqa: A002
        """Return the start of a full-text query."""
        return (
            f"CALL db.index.fulltext.queryNodes('{index_name(label, property)}', $text) YIELD node, score "
            f"WHERE node:{label} WITH node, score ORDER BY score DESC LIMIT $limit "
        )

    def vector_query(self, label: str, property: str) -> str:  # noqa: A002
        """Return the start of a vector query."""
        return (
            f"CALL db.index.vector.queryNodes('{index_name(label, property)}', $limit, $vector) YIELD node, score "
            f"WHERE node:{label} "
        )

    def _end_late(self, key: str, mark: str, over: threading.Event, timeout_s: float) -> None:
        """End a query once its time is up. Closing its connection would not do: the server would go on with it."""
        while not over.wait(timeout_s):
            timeout_s = _PAUSE_S
            with suppress(GraphError):
                for one in self._server(f"list queries database {self.database_of(key)}"):
                    if mark in str(one.get("text")):
                        self._server(f"terminate query {one['id']}")

    def _add_reader(self, key: str) -> None:
        name, password = self.reader(key)
        user = {"name": name, "password": password, "databases": {self.database_of(key): [_READERS]}}
        self._server(f"create user {json.dumps(user)}", known=_CONFLICT)

    def _indexed(self, key: str, label: str, property: str, kind: str, how: str) -> None:  # noqa: A002
        self._sql(key, f"CREATE VERTEX TYPE {label} IF NOT EXISTS")
        self._sql(key, f"CREATE PROPERTY {label}.{property} IF NOT EXISTS {kind}")
        self._sql(key, f"CREATE INDEX {index_name(label, property)} IF NOT EXISTS ON {label} ({property}) {how}")

    def _sql(self, key: str, command: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._post(
            f"command/{self.database_of(key)}", {"language": "sql", "command": command}
        )
        return found

    def _server(self, command: str, *, known: int | None = None) -> Any:
        return self._post("server", {"command": command}, known=known)

    def _post(self, path: str, body: dict[str, str], *, known: int | None = None) -> Any:
        address = self._connection.address
        try:
            answer = self._http.post(f"{address.http}/api/v1/{path}", json=body, auth=(address.user, address.password))
        except httpx.TransportError as error:
            raise GraphUnavailableError(
                f"the graph server cannot be reached: {error or type(error).__name__}"
            ) from error
        if answer.is_success:
            return answer.json()["result"]
        if answer.status_code == known:
            return None
        try:
            told = answer.json()
            why = told.get("detail") or told.get("error") or answer.text
        except json.JSONDecodeError:
            why = answer.text
        raise GraphQueryError(f"the graph server refused {path} {body['command'].partition(' {')[0]!r}: {why}")
