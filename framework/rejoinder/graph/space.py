"""One tenant's part of a graph server: its labels, and the only ways by which Cypher reaches the server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rejoinder.errors import GraphError
from rejoinder.graph.tenant_keys import key_of

if TYPE_CHECKING:
    from neo4j import Record

    from rejoinder.graph.connection import Connection, Run
    from rejoinder.graph.dialects.base import Dialect

__all__ = ["Space"]

_T = TypeVar("_T")

_BASES: Final = ("Entity", "Name", "Vector", "Migration", "Audit")
_LABEL = re.compile(rf"[:|&!(]\s*`?((?:{'|'.join(_BASES)})(?:_\w+)?)\b")
_MOST_CHECKED: Final = 4096


class Space:
    """Where one tenant's graph is.

    Attributes:
        tenant: the tenant's id.
        entity: label of entities.
        name: label of name nodes, by which entities are looked up exactly.
        migration: label of the nodes that record migrations.
        audit: label of the nodes that record what was merged, by whom and why.
        shared: whether other tenants live in the same database.
        dialect: what differs between servers.
    """

    def __init__(self, tenant: str, connection: Connection, dialect: Dialect) -> None:
        self.tenant = tenant
        self.key = key_of(tenant)
        self.dialect = dialect
        self.shared = dialect.shared
        self.entity, self.name, self._vector, self.migration, self.audit = (self._label(base) for base in _BASES)
        self._connection = connection
        self._database = dialect.database_of(self.key)
        self._checked: set[str] = set()

    def vector(self, encoder_hash: str) -> str:
        """Return the label of the nodes with vectors that one encoder made."""
        return f"{self._vector}_v{hashlib.sha256(encoder_hash.encode()).hexdigest()[:16]}"

    def read(self, cypher: str, /, **parameters: Any) -> list[Record]:
        """Run Cypher that only reads; return its rows.

        Args:
            cypher: our own text, which names a label of this space.
            parameters: every value that it uses.
        Raises:
            GraphUnavailableError: the server cannot be reached; safe to retry.
            GraphQueryError: the Cypher is wrong, or takes too long.
            GraphError: it names no label of this space, or one of another tenant; or the server failed.
        """
        self._check(cypher)
        return self._connection.read(cypher, parameters, database=self._database)

    def write(self, cypher: str, /, **parameters: Any) -> list[Record]:
        """Run Cypher that writes, in one transaction, tried again while others write the same; return its rows.

        Raises:
            GraphUnavailableError, GraphQueryError, GraphError: as of `read`; GraphError also for a constraint that stays broken.
        """
        self._check(cypher)
        return self._connection.write(cypher, parameters, database=self._database)

    def write_all(self, statements: Sequence[tuple[str, Mapping[str, Any]]], /) -> None:
        """Run statements, each with its parameters, in one transaction: all are done, or none; tried again as `write`.

        Raises:
            GraphUnavailableError, GraphQueryError, GraphError: as of `write`.
        """
        for cypher, _ in statements:
            self._check(cypher)
        self._connection.write_all(statements, database=self._database)

    def transact(self, work: Callable[[Run], _T], /) -> _T:
        """Do work in one transaction: it is given a function that runs Cypher with its parameters and returns its rows.

        For statements that depend on what earlier ones gave. `work` may be called several times: it must have no other effect.

        Raises:
            GraphUnavailableError, GraphQueryError, GraphError: as of `write`.
        """

        def checked(run: Run) -> _T:
            def run_checked(cypher: str, parameters: Mapping[str, Any]) -> list[Record]:
                self._check(cypher)
                return run(cypher, parameters)

            return work(run_checked)

        return self._connection.transact(checked, database=self._database)

    def read_only(self, cypher: str, parameters: Mapping[str, Any], *, timeout_s: float, max_rows: int) -> list[Record]:
        """Run Cypher that somebody else wrote and that `rejoinder.graph.cypher` has let through; the server refuses what writes.

        Args:
            timeout_s: time after which the caller gets an error, seconds > 0.
            max_rows: most rows that may come, > 0.
        Raises:
            GraphQueryError: it is wrong, writes, takes too long, or gives more rows than allowed.
            GraphUnavailableError, GraphError: as of `read`.
        """
        self._check(cypher, foreign=True)
        return self.dialect.read_only(self.key, cypher, parameters, timeout_s=timeout_s, max_rows=max_rows)

    def unique(self, label: str, property: str) -> None:  # noqa: A002
        """Let a property of one of this space's labels have each value once. Nothing happens where that is so.

        Raises:
            GraphError, GraphUnavailableError: as of `read`.
        """
        self.dialect.unique(self.key, self._own(label), property)

    def index(self, label: str, property: str) -> None:  # noqa: A002
        """Index a text property of one of this space's labels; see `unique`."""
        self.dialect.index(self.key, self._own(label), property)

    def index_text(self, label: str, property: str) -> None:  # noqa: A002
        """Index the words of a text property of one of this space's labels; see `unique`."""
        self.dialect.index_text(self.key, self._own(label), property)

    def index_vectors(self, encoder_hash: str, dimensions: int) -> None:
        """Index the vectors of one encoder by cosine; see `unique`."""
        label = self.vector(encoder_hash)
        self.dialect.unique(self.key, label, "entity")
        self.dialect.index_vectors(self.key, label, "embedding", dimensions)

    def text_query(self) -> str:
        """Return the start of a full-text query over entities: parameters `$text` (Lucene's syntax), `$limit`; binds `node`, `score`."""
        return self.dialect.text_query(self.entity, "search")

    def vector_query(self, encoder_hash: str) -> str:
        """Return the start of a query over vectors: parameters `$vector`, `$limit`; binds `node` and `score` in [0, 1]."""
        return self.dialect.vector_query(self.vector(encoder_hash), "embedding")

    def encoders(self) -> int:
        """Return of how many encoders there are vectors."""
        return len([label for label in self.dialect.labels(self.key) if label.startswith(f"{self._vector}_v")])

    def owned_labels(self) -> tuple[str, ...]:
        """Return the labels of this space that its database has now."""
        return tuple(label for label in self.dialect.labels(self.key) if self._owns(label))

    def _label(self, base: str) -> str:
        return f"{base}_{self.key}" if self.shared else base

    def _owns(self, label: str) -> bool:
        if label in (self.entity, self.name, self.migration, self.audit):
            return True
        return re.fullmatch(rf"{self._vector}_v[0-9a-f]{{16}}", label) is not None

    def _own(self, label: str) -> str:
        if not self._owns(label):
            raise GraphError(f"{label!r} is no label of the graph of tenant {self.tenant!r}")
        return label

    def _check(self, cypher: str, *, foreign: bool = False) -> None:
        """Refuse Cypher that forgot the tenant, or that names another."""
        if cypher in self._checked:
            return
        named = set(_LABEL.findall(cypher))
        if not named and not foreign:
            raise GraphError(f"this Cypher names no label of tenant {self.tenant!r}, so it is not run: {cypher[:200]}")
        strange = sorted(label for label in named if not self._owns(label))
        if strange and self.shared:
            raise GraphError(
                f"this Cypher names {strange[0]!r}, which is no label of tenant {self.tenant!r}: {cypher[:200]}"
            )
        if len(self._checked) < _MOST_CHECKED:
            self._checked.add(cypher)
