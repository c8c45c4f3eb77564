"""Neo4j 5 or newer: everything is Cypher. Community and Aura have one user database, Enterprise has one for each tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import GraphError, GraphQueryError
from rejoinder.graph.connection import Connection
from rejoinder.graph.dialects.base import index_name

if TYPE_CHECKING:
    from neo4j import Record

__all__ = ["Neo4jDialect"]

_BATCH: Final = 5000


class Neo4jDialect:
    """Speaks to a Neo4j server.

    Args:
        shared: whether tenants share one database.
        database: the database that they share; None: the user's own.
    """

    name: Final = "neo4j"
    text_scale: Final = 2.2
    """Its BM25 lacks the constant factor k1 + 1."""

    def __init__(self, connection: Connection, *, shared: bool, database: str | None = None) -> None:
        self._connection = connection
        self.shared = shared
        self._database = database

    @classmethod
    def detect(cls, connection: Connection) -> Neo4jDialect:
        """Find out whether this server has a database for each tenant: Enterprise, where `graph.url` names none to be shared."""
        database = connection.address.database
        if database is not None:
            return cls(connection, shared=True, database=database)
        rows = connection.read(
            "CALL dbms.components() YIELD versions, edition RETURN versions, edition", {}, database="system"
        )
        own = any(row["edition"] == "enterprise" and "aura" not in str(row["versions"]) for row in rows)
        return cls(connection, shared=not own)

    def database_of(self, key: str) -> str | None:
        """Return the name of a tenant's database; None: the one that the connection uses by itself."""
        return self._database if self.shared else f"rejoinder-{key.replace('_', '-')}"

    def close(self) -> None:
        """Keeps nothing open."""

    def has(self, key: str) -> bool:
        """Return whether a tenant's database, or one of its labels, is there."""
        if self.shared:
            return f"Migration_{key}" in self.labels(key)
        named = "SHOW DATABASES YIELD name WHERE name = $name RETURN name"
        return bool(self._connection.read(named, {"name": self.database_of(key)}, database="system"))

    def create(self, key: str) -> None:
        """Create a tenant's database where it is missing and tenants have their own."""
        if self.shared:
            return
        try:
            self._connection.schema(f"CREATE DATABASE `{self.database_of(key)}` IF NOT EXISTS WAIT", database="system")
        except GraphQueryError as error:
            raise GraphError(
                f"no database can be created for a tenant: {error}. Give the user this right, or end graph.url with `/database`: "
                "then all tenants share that one"
            ) from error

    def drop(self, key: str, labels: tuple[str, ...]) -> None:
        """Delete all that a tenant has: its database, or all nodes, constraints and indexes of its labels."""
        if not self.shared:
            self._connection.schema(f"DROP DATABASE `{self.database_of(key)}` IF EXISTS WAIT", database="system")
            return
        for label in labels:
            while self._connection.write(
                f"MATCH (node:`{label}`) WITH node LIMIT {_BATCH} DETACH DELETE node RETURN count(*) AS n",
                {},
                database=self._database,
            )[0]["n"]:
                pass
        ours = "any(one IN labelsOrTypes WHERE one IN $labels)"
        for kind, shown in (  # an index that a constraint owns goes with it
            ("CONSTRAINT", f"CONSTRAINTS YIELD name, labelsOrTypes WHERE {ours}"),
            ("INDEX", f"INDEXES YIELD name, labelsOrTypes, owningConstraint WHERE owningConstraint IS NULL AND {ours}"),
        ):
            rows = self._connection.read(
                f"SHOW {shown} RETURN name",
                {"labels": list(labels)},
                database=self._database,
            )
            for row in rows:
                self._connection.schema(f"DROP {kind} `{row['name']}` IF EXISTS", database=self._database)

    def labels(self, key: str) -> tuple[str, ...]:
        """Return the labels of a tenant's database: of nodes, of indexes and of constraints."""
        database = self.database_of(key)
        of_nodes = self._connection.read("CALL db.labels() YIELD label RETURN label", {}, database=database)
        of_indexes = self._connection.read(
            "SHOW INDEXES YIELD labelsOrTypes WHERE labelsOrTypes IS NOT NULL RETURN labelsOrTypes",
            {},
            database=database,
        )
        labels = {row["label"] for row in of_nodes}
        labels.update(label for row in of_indexes for label in row["labelsOrTypes"])
        return tuple(sorted(labels))

    def unique(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Let a property of a label have each value once."""
        self._schema(
            key,
            f"CREATE CONSTRAINT {index_name(label, property)} IF NOT EXISTS FOR (n:{label}) REQUIRE n.{property} IS UNIQUE",
        )

    def index(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Index a property of a label."""
        self._schema(key, f"CREATE INDEX {index_name(label, property)} IF NOT EXISTS FOR (n:{label}) ON (n.{property})")

    def index_text(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Index the words of a text property."""
        self._schema(
            key,
            f"CREATE FULLTEXT INDEX {index_name(label, property)} IF NOT EXISTS FOR (n:{label}) ON EACH [n.{property}] "
            "OPTIONS {indexConfig: {`fulltext.analyzer`: 'cjk'}}",
        )
        self._await_index(key, index_name(label, property))

    def index_vectors(self, key: str, label: str, property: str, dimensions: int) -> None:  # noqa: A002
        """Index float lists by cosine."""
        self._schema(
            key,
            f"CREATE VECTOR INDEX {index_name(label, property)} IF NOT EXISTS FOR (n:{label}) ON (n.{property}) "
            f"OPTIONS {{indexConfig: {{`vector.dimensions`: {int(dimensions)}, `vector.similarity_function`: 'cosine', "
            "`vector.quantization.enabled`: false}}",
        )
        self._await_index(key, index_name(label, property))

    def lock(self, variable: str) -> str:
        """Return the clauses that lock a node or relation; only a write does, to remove what is not there is none."""
        return f"SET {variable}._lock = true REMOVE {variable}._lock"

    def lock_relations(self, variable: str) -> str:
        """Return nothing: MERGE locks both ends."""
        return ""

    def create_relation(self, absent: str, created: str) -> str:
        """Return the clauses that create a relation where there is none; only MERGE locks both ends, and looks again."""
        return (
            f"WHERE NOT {absent} MERGE {created} ON CREATE SET r = row.now "
            "WITH row, r WHERE r.sources = row.now.sources"
        )

    def read_only(
        self, key: str, cypher: str, parameters: Mapping[str, Any], *, timeout_s: float, max_rows: int
    ) -> list[Record]:
        """Run Cypher that somebody else wrote, in read access mode with a time limit."""
        return self._connection.read_only(
            cypher, parameters, database=self.database_of(key), timeout_s=timeout_s, max_rows=max_rows
        )

    def text_query(self, label: str, property: str) -> str:  # noqa: A002
        """Return the start of a full-text query."""
        return (
            f"CALL db.index.fulltext.queryNodes('{index_name(label, property)}', $text, {{limit: $limit}}) "
            f"YIELD node, score WHERE node:{label} "
        )

    def vector_query(self, label: str, property: str) -> str:  # noqa: A002
        """Return the start of a vector query."""
        return (
            f"CALL db.index.vector.queryNodes('{index_name(label, property)}', $limit, $vector) "
            f"YIELD node, score WHERE node:{label} "
        )

    def _schema(self, key: str, cypher: str) -> None:
        self._connection.schema(cypher, database=self.database_of(key))

    def _await_index(self, key: str, name: str) -> None:
        """Wait until an index is filled, before which it cannot be asked.

        To wait for all would deadlock with another process that creates a constraint: its index waits for transactions that are open.
        """
        self._connection.schema(f"CALL db.awaitIndex('{name}', 300)", database=self.database_of(key))
