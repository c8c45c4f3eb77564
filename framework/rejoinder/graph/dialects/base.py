"""What a graph server must be told in its own words: databases, constraints, indexes, and how to search them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from neo4j import Record

__all__ = ["Dialect", "index_name"]


class Dialect(Protocol):
    """One kind of server. All calls may raise GraphUnavailableError and GraphError."""

    @property
    def name(self) -> Literal["neo4j", "arcadedb"]:
        """Which kind of server it is."""

    @property
    def shared(self) -> bool:
        """Whether all tenants share one database, and labels carry the tenant."""

    @property
    def text_scale(self) -> float:
        """What raw full-text scores are multiplied with, so that they mean the same on all servers."""

    def database_of(self, key: str) -> str | None:
        """Return the name of a tenant's database; None: the one that the connection uses by itself."""

    def close(self) -> None:
        """Close what this dialect itself keeps open."""

    def has(self, key: str) -> bool:
        """Return whether a tenant has anything here."""

    def create(self, key: str) -> None:
        """Create a tenant's database where it is missing and tenants have their own."""

    def drop(self, key: str, labels: tuple[str, ...]) -> None:
        """Delete all that a tenant has: its database, or all nodes, constraints and indexes of its labels."""

    def labels(self, key: str) -> tuple[str, ...]:
        """Return the labels that are in a tenant's database and have one of its constraints or indexes, or any node."""

    def unique(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Let a property of a label have each value once; looked up by an index. Nothing happens where that is so."""

    def index(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Index a property of a label. Nothing happens where that is so."""

    def index_text(self, key: str, label: str, property: str) -> None:  # noqa: A002
        """Index the words of a text property, Chinese, Japanese and Korean ones too. Nothing happens where that is so."""

    def index_vectors(self, key: str, label: str, property: str, dimensions: int) -> None:  # noqa: A002
        """Index float lists by cosine. Nothing happens where that is so."""

    def lock(self, variable: str) -> str:
        """Return the clauses that lock a bound node or relation until the transaction ends; "": the server itself refuses a transaction
        that would write over what another has changed since it was read."""

    def lock_relations(self, variable: str) -> str:
        """Return the clauses, for a statement before `create_relation`, after which nobody else creates relations that start at a bound
        node until the transaction ends; "": `create_relation` sees to it."""

    def create_relation(self, absent: str, created: str) -> str:
        """Return the clauses that create a relation between the bound `a` and `b` where there is none, however many try at a time.

        It gets the properties `row.now`; `row` is bound afterwards for those that were created, and maybe for equal ones.

        Args:
            absent: the relation as a pattern without a variable.
            created: the same with the variable `r`.
        """

    def read_only(
        self, key: str, cypher: str, parameters: Mapping[str, Any], *, timeout_s: float, max_rows: int
    ) -> list[Record]:
        """Run Cypher that somebody else wrote; the server refuses what writes, and ends what takes longer.

        Raises:
            GraphQueryError: it is wrong, writes, takes too long, or gives more rows than allowed.
        """

    def text_query(self, label: str, property: str) -> str:  # noqa: A002
        """Return the start of a full-text query with the parameters `$text` (Lucene's syntax) and `$limit`.

        It binds `node` and `score` (raw, > 0, best first); a RETURN or more clauses are to follow.
        """

    def vector_query(self, label: str, property: str) -> str:  # noqa: A002
        """Return the start of a vector query with the parameters `$vector` and `$limit`.

        It binds `node` and `score`, in [0, 1]: (1 + cosine) / 2, best first; a RETURN or more clauses are to follow.
        """


def index_name(label: str, property: str) -> str:  # noqa: A002
    """Return the name of the index of a label's property.

    Example:
        >>> index_name("Entity", "search")
        'entity_search'
    """
    return f"{label}_{property}".lower()
