"""Entities and relations as the rows of a table, be it a CSV file or a DataFrame.

A table with the columns `subject`, `relation` and `object` holds relations; one with `kind` and `name` holds entities, whose `id` is
"kind:name" where there is no such column. More columns: `aliases`, `description`, `sources`, `time`, `confidence`; every other column is a
property, with its type after a colon (`year:integer`, `tags:string[]`) or as the schema declares it, else a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rejoinder.errors import GraphSchemaError, InvalidInputError, did_you_mean
from rejoinder.graph.formats.rows import REASON
from rejoinder.graph.formats.values import JSON, TYPES, Value
from rejoinder.graph.names import entity_id
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.storable import PROPERTY_PATTERN, RESERVED, shown
from rejoinder.graph.values import NOTHING, Entity, Relation

__all__ = ["ENTITY_COLUMNS", "RELATION_COLUMNS", "Cells", "Columns"]

ENTITY_COLUMNS: Final = ("id", "kind", "name", "aliases", "description", "sources", "time", "confidence")
RELATION_COLUMNS: Final = ("subject", "relation", "object", "sources", "time", "confidence")
_PROPERTY: Final = re.compile(PROPERTY_PATTERN)


@dataclass(frozen=True, slots=True)
class Cells:
    """How the cells of a table are read; each gives None for an empty one.

    Attributes:
        text: reads a text.
        texts: reads a list of texts.
        value: reads a value of a type of the schema, or of no known type (None).
    """

    text: Callable[[Any], str | None]
    texts: Callable[[Any], tuple[str, ...] | None]
    value: Callable[[Any, str | None], Value | None]


class Columns:
    """The columns of a table, and how its rows become entities or relations.

    Args:
        header: names of the columns.
        place: the table, for errors.
    Raises:
        InvalidInputError: a column is missing, doubled, or has a name that no property can have.
    """

    def __init__(self, header: Sequence[str], schema: GraphSchema, cells: Cells, *, place: str) -> None:
        self._schema = schema
        self._cells = cells
        names = [str(name).strip() for name in header]
        self._places: dict[str, int] = {}
        self._properties: list[tuple[str, int, str | None]] = []
        self.relations = {"subject", "relation", "object"} <= set(names)
        if not self.relations and not {"kind", "name"} <= set(names):
            raise InvalidInputError(
                f"{place}: the columns are {shown(', '.join(names))}; expected kind and name (entities), "
                "or subject, relation and object (relations)"
            )
        known = RELATION_COLUMNS if self.relations else ENTITY_COLUMNS
        seen: set[str] = set()
        for number, name in enumerate(names):
            plain, _, type_ = name.partition(":")
            if plain in seen:
                raise InvalidInputError(f"{place}: there are two columns {plain!r}; remove or rename one")
            seen.add(plain)
            if name == REASON:
                continue
            if name in known:
                self._places[name] = number
                continue
            if not _PROPERTY.fullmatch(plain) or plain in RESERVED:
                raise InvalidInputError(
                    f"{place}: column {shown(name)} cannot be a property; rename it.{did_you_mean(plain, known)}"
                )
            if type_ and type_ not in TYPES and type_ != JSON:
                raise InvalidInputError(
                    f"{place}: column {shown(name)} has no known type.{did_you_mean(type_, TYPES)} "
                    f"Known: {', '.join(sorted(TYPES))}."
                )
            self._properties.append((plain, number, type_ or None))
        self.width = len(names)

    def built(self, row: Sequence[Any]) -> Entity | Relation:
        """Return what a row holds.

        Raises:
            GraphSchemaError: a cell is empty that must not be, or cannot be read; the message names its column.
        """
        more = self._provenance(row)
        if self.relations:
            name = self._text(row, "relation")
            return Relation(
                subject=self._text(row, "subject"),
                name=name,
                object=self._text(row, "object"),
                properties=self._read_properties(row, name),
                **more,
            )
        kind, name = self._text(row, "kind"), self._text(row, "name")
        return Entity(
            id=self._optional(row, "id", self._cells.text) or entity_id(kind, name),
            kind=kind,
            name=name,
            aliases=self._optional(row, "aliases", self._cells.texts) or (),
            description=self._optional(row, "description", self._cells.text) or "",
            properties=self._read_properties(row, kind),
            **more,
        )

    def _provenance(self, row: Sequence[Any]) -> dict[str, Any]:
        more: dict[str, Any] = {}
        if (sources := self._optional(row, "sources", self._cells.texts)) is not None:
            more["sources"] = tuple(sorted(set(sources)))
        if (time := self._typed(row, "time", "datetime")) is not None:
            if not isinstance(time, datetime):
                raise GraphSchemaError(f"column 'time': got {shown(time)}, expected a datetime with a time zone")
            more["time"] = time
        if (confidence := self._typed(row, "confidence", "number")) is not None:
            more["confidence"] = confidence
        return more

    def _text(self, row: Sequence[Any], column: str) -> str:
        found: str | None = self._optional(row, column, self._cells.text)
        if found is None:
            raise GraphSchemaError(f"column {column!r}: is empty")
        return found

    def _optional(self, row: Sequence[Any], column: str, read: Callable[[Any], Any]) -> Any:
        place = self._places.get(column)
        return None if place is None else read(row[place])

    def _typed(self, row: Sequence[Any], column: str, expected: str) -> Any:
        place = self._places.get(column)
        return None if place is None else self._value(row[place], column, expected)

    def _read_properties(self, row: Sequence[Any], kind_or_relation: str) -> Mapping[str, Value]:
        if not self._properties:
            return NOTHING
        properties = {}
        for name, number, type_ in self._properties:
            expected = type_ or self._schema.property_type(kind_or_relation, name, relation=self.relations)
            value = self._value(row[number], name, expected)
            if value is not None:
                properties[name] = value
        return properties

    def _value(self, cell: Any, column: str, expected: str | None) -> Value | None:
        try:
            return self._cells.value(cell, expected)
        except GraphSchemaError as error:
            raise GraphSchemaError(f"column {column!r}: {error}") from error
