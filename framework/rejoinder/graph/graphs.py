"""The graphs of all tenants of one deployment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.graph.addresses import Address, address_of
from rejoinder.graph.connection import Connection
from rejoinder.graph.dialects.arcadedb import ArcadeDialect
from rejoinder.graph.dialects.neo4j import Neo4jDialect
from rejoinder.graph.migrations import migrate
from rejoinder.graph.space import Space
from rejoinder.graph.tenant_keys import key_of

if TYPE_CHECKING:
    from rejoinder.graph.dialects.base import Dialect
    from rejoinder.settings import DeploymentSettings

__all__ = ["Graphs"]


class Graphs:
    """Gives each tenant its space. Thread-safe; the server is opened, or started, when something is first asked.

    Args:
        find: gives the server's address, starting it where need be.
        pool_size: most calls of this process at the same time.
        query_timeout_s: time that one query may take.
    """

    def __init__(
        self,
        find: Callable[[], Address],
        *,
        pool_size: int = 16,
        query_timeout_s: float = 30.0,
    ) -> None:
        self._connection = Connection(find, pool_size=pool_size, query_timeout_s=query_timeout_s)
        self._lock = threading.Lock()
        self._dialect: Dialect | None = None
        self._spaces: dict[str, Space] = {}
        self._making: dict[str, threading.Lock] = {}

    @classmethod
    def from_settings(cls, settings: DeploymentSettings) -> Graphs:
        """Return the graphs of a deployment: on the server that `graph.url` names, else on one that is started here.

        Raises:
            SettingsError: `graph.url` is none of a Neo4j server.
        """
        graph = settings.graph
        if graph.url is not None:
            address = address_of(graph.url.get_secret_value())
            return cls(lambda: address, pool_size=graph.pool_size, query_timeout_s=graph.query_timeout_s)

        def find() -> Address:
            return _embedded(settings.graph_folder, memory_mb=graph.memory_mb, query_timeout_s=graph.query_timeout_s)

        return cls(find, pool_size=graph.pool_size, query_timeout_s=graph.query_timeout_s)

    @property
    def address(self) -> Address:
        """Where the server is now; it is opened, or started, for it.

        Raises:
            GraphUnavailableError: it cannot be reached.
        """
        return self._connection.address

    def space(self, tenant: str) -> Space:
        """Return a tenant's space, created and migrated when it is first asked for.

        Raises:
            GraphUnavailableError: the server cannot be reached; safe to retry.
            GraphError: the server failed, or the graph was written by a newer Rejoinder.
        """
        space = self._spaces.get(tenant)
        if space is not None:
            return space
        dialect = self._opened()
        with self._lock_of(tenant):
            if tenant not in self._spaces:
                space = Space(tenant, self._connection, dialect)
                dialect.create(space.key)
                migrate(space)
                self._spaces[tenant] = space
            return self._spaces[tenant]

    def has(self, tenant: str) -> bool:
        """Return whether a tenant has a graph, without making one.

        Raises:
            GraphUnavailableError, GraphError: as of `space`.
        """
        return tenant in self._spaces or self._opened().has(key_of(tenant))

    def drop(self, tenant: str) -> None:
        """Delete all that a tenant has in the graph.

        Raises:
            GraphUnavailableError, GraphError: as of `space`.
        """
        dialect = self._opened()
        with self._lock_of(tenant):
            space = self._spaces.pop(tenant, None) or Space(tenant, self._connection, dialect)
            dialect.drop(space.key, space.owned_labels() if space.shared else ())

    def close(self) -> None:
        """Close the connections; an embedded server stops by itself when nobody uses it."""
        self._connection.close()
        if self._dialect is not None:
            self._dialect.close()

    def _opened(self) -> Dialect:
        embedded = self._connection.address.http is not None
        with self._lock:
            if self._dialect is None:
                self._dialect = ArcadeDialect(self._connection) if embedded else Neo4jDialect.detect(self._connection)
            return self._dialect

    def _lock_of(self, tenant: str) -> threading.Lock:
        """One tenant's migration, which may take long, keeps no other waiting."""
        with self._lock:
            return self._making.setdefault(tenant, threading.Lock())


def _embedded(folder: Path, *, memory_mb: int, query_timeout_s: float) -> Address:
    from rejoinder.graph.servers.embedded import EmbeddedServer

    endpoint = EmbeddedServer.attach(folder, memory_mb=memory_mb, query_timeout_s=query_timeout_s)
    return Address(
        url=endpoint.bolt_url,
        user=endpoint.user,
        password=endpoint.password,
        http=endpoint.http_url,
        release=endpoint.close,
    )
