"""Running Cypher that a user, a plugin or a model wrote: guarded, read-only, and bounded in time, rows and bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import GraphError, GraphQueryError
from rejoinder.graph.cypher import guarded

if TYPE_CHECKING:
    from neo4j import Record

    from rejoinder.graph.space import Space

__all__ = ["MAX_BYTES", "QueryResult", "query"]

MAX_BYTES: Final = 10_000_000
"""Most bytes of a result, as JSON."""

_MAX_ROWS: Final = 100_000
_MAX_TIMEOUT_S: Final = 600.0
_INTERNAL: Final = ("search",)
"""Properties of entities that are of no use to others."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query gave.

    Attributes:
        columns: names of the columns, in order.
        rows: values in the order of the columns, as JSON has them: entities as their properties, relations as theirs and `relation`
            (the name), paths as `{"entities": [..], "relations": [..]}`, times in ISO 8601, points as their coordinates; what JSON has no
            number for (infinity) is None.
        truncated: whether there is more than the limits let through.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False


def query(
    space: Space,
    cypher: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout_s: float = 5.0,
    max_rows: int = 1000,
) -> QueryResult:
    """Run Cypher that somebody else wrote over one tenant's entities.

    Args:
        cypher: reads only; see `rejoinder.graph.cypher.guarded` for what is let through. Nodes have the label `Entity` or none.
        parameters: values of `$name`: None, numbers, texts, dates, and lists and maps of them.
        timeout_s: in (0, 600].
        max_rows: in [1, 100000]; of more rows the first are given.
    Raises:
        GraphQueryError: the query is refused or wrong, takes too long, has one row of more than 10 MB, or a limit is out of range.
        GraphUnavailableError: the server cannot be reached; safe to retry.
        GraphError: the server failed, or an entity of another tenant came.
    """
    if not 0 < timeout_s <= _MAX_TIMEOUT_S:
        raise GraphQueryError(f"timeout_s is {timeout_s!r}, allowed: more than 0, at most {_MAX_TIMEOUT_S:.0f}")
    if not 1 <= max_rows <= _MAX_ROWS:
        raise GraphQueryError(f"max_rows is {max_rows!r}, allowed: 1 to {_MAX_ROWS}")
    sent = guarded(cypher, parameters, label=space.entity, max_rows=max_rows)
    records = space.read_only(sent.text, sent.parameters, timeout_s=timeout_s, max_rows=max_rows + 1)
    columns = sent.columns or (tuple(records[0].keys()) if records else ())
    rows, whole = _bounded(records[:max_rows], _Plain(space.entity))
    return QueryResult(columns, rows, truncated=not whole or len(records) > max_rows)


def _bounded(records: list[Record], plain: _Plain) -> tuple[tuple[tuple[Any, ...], ...], bool]:
    """The rows as plain values, and whether all of them are few enough bytes."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    for record in records:
        row = tuple(plain(value) for value in record.values())
        size += len(json.dumps(row))
        if size > MAX_BYTES:
            if not rows:
                raise GraphQueryError(
                    f"one row has more than {MAX_BYTES} bytes: ask for single properties, or collect less"
                )
            return tuple(rows), False
        rows.append(row)
    return tuple(rows), True


class _Plain:
    """Makes values that JSON has of those that the driver has."""

    def __init__(self, label: str) -> None:
        from neo4j import graph, spatial
        from neo4j import time as neo4j_time

        self._label = label
        self._node, self._relationship, self._path = graph.Node, graph.Relationship, graph.Path
        self._point = spatial.Point
        self._times = (neo4j_time.Date, neo4j_time.DateTime, neo4j_time.Time, neo4j_time.Duration)

    def __call__(self, value: Any) -> Any:
        if value is None or isinstance(value, str | bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, self._node):
            if self._label not in value.labels:
                raise GraphError(
                    f"a query gave a node that is no entity of this tenant (labels {sorted(value.labels)}); its result is withheld"
                )
            return {key: self(one) for key, one in value.items() if key not in _INTERNAL}
        if isinstance(value, self._relationship):
            return {**{key: self(one) for key, one in value.items()}, "relation": value.type}
        if isinstance(value, self._path):
            return {
                "entities": [self(one) for one in value.nodes],
                "relations": [self(one) for one in value.relationships],
            }
        if isinstance(value, Mapping):
            return {
                str(key): self(one)
                for key, one in value.items()
                if not (key in _INTERNAL and "kind" in value and "id" in value)
            }
        if isinstance(value, self._point):
            return dict(zip("xyz", value, strict=False))
        if isinstance(value, self._times):
            return value.iso_format()
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, bytes | bytearray):
            return value.hex()
        return [self(one) for one in value]
