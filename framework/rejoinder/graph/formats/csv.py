"""CSV files of entities and of relations; see `rejoinder.graph.formats.columns` for the columns.

The separator is a comma, semicolon or tab, whichever the header has. Lists in a cell are texts with `|` between, or a JSON list.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import GraphSchemaError, InvalidInputError
from rejoinder.graph.formats.columns import ENTITY_COLUMNS, RELATION_COLUMNS, Cells, Columns
from rejoinder.graph.formats.files import TextLines, bad_encoding
from rejoinder.graph.formats.rows import REASON, BadRow, Row
from rejoinder.graph.formats.values import JSON, list_cell, listed, parsed, to_cell, type_of
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.storable import shown
from rejoinder.graph.values import Entity, Relation

__all__ = [
    "CsvReader",
    "CsvRejects",
    "PropertyTypes",
    "add_types",
    "csv_line",
    "entity_cells",
    "header_of",
    "relation_cells",
]

_SEPARATORS: Final = ",;\t"

PropertyTypes = dict[str, str]
"""Types of the properties that a file has columns for."""

_CELLS: Final = Cells(
    text=lambda cell: cell or None,
    texts=lambda cell: listed(cell) if cell else None,
    value=lambda cell, expected: parsed(cell, expected or "string") if cell else None,
)


class CsvReader:
    """Reads a CSV file.

    Raises:
        InvalidInputError: the file cannot be read, or its header is not understood.
    """

    def __init__(self, path: Path, schema: GraphSchema) -> None:
        self._lines = TextLines(path)
        self._records = _Records(iter(self._lines))
        first = next(self._records.texts(), "")
        self._header, self._separator = _header(first)
        if bad_encoding(first):
            raise InvalidInputError(f"{path}: line 1: the header is not UTF-8; convert the file")
        self._columns = Columns(self._header, schema, _CELLS, place=f"{path}: line 1")

    @property
    def fraction(self) -> float:
        """How much of the file was read, in [0, 1]."""
        return self._lines.fraction

    def rejects(self) -> CsvRejects:
        """Return how its rows are written to a reject file."""
        return CsvRejects(self._header, self._separator)

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Return its rows."""
        for line, cells, problem in self._records.read(self._separator, self._columns.width):
            if problem:
                yield BadRow(line, problem, cells)
                continue
            try:
                yield Row(line, self._columns.built(cells), cells)
            except GraphSchemaError as error:
                yield BadRow(line, str(error), cells)


class CsvRejects:
    """Writes bad rows with a column for the reason."""

    def __init__(self, header: Sequence[str], separator: str = ",") -> None:
        self._header = [name for name in header if name != REASON]
        self._places = [place for place, name in enumerate(header) if name != REASON]
        self._width = len(header)
        self._separator = separator

    def head(self) -> str:
        """Return the header."""
        return csv_line([*self._header, REASON], self._separator)

    def line(self, raw: Sequence[str], line: int, reason: str) -> str:
        """Return a row; what is more or less than the header has stays as it was."""
        cells = [raw[place] for place in self._places if place < len(raw)] + list(raw[self._width :])
        missing = [""] * (len(self._header) - len(cells))
        return csv_line([*cells, *missing, f"line {line}: {reason}"], self._separator)


def csv_line(cells: Sequence[str], separator: str = ",") -> str:
    """Return a line of a CSV file."""
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerow(cells)
    return out.getvalue()


def entity_cells(entity: Entity, properties: PropertyTypes) -> list[str]:
    """Return an entity's row: `ENTITY_COLUMNS`, then its properties."""
    return [
        entity.id,
        entity.kind,
        entity.name,
        list_cell(entity.aliases),
        entity.description,
        *_more(entity, properties),
    ]


def relation_cells(relation: Relation, properties: PropertyTypes) -> list[str]:
    """Return a relation's row: `RELATION_COLUMNS`, then its properties."""
    return [relation.subject, relation.name, relation.object, *_more(relation, properties)]


def header_of(relations: bool, properties: PropertyTypes) -> list[str]:
    """Return the header above such rows."""
    return [
        *(RELATION_COLUMNS if relations else ENTITY_COLUMNS),
        *(f"{name}:{type_}" for name, type_ in properties.items()),
    ]


def add_types(properties: PropertyTypes, one: Entity | Relation) -> None:
    """Note the types of properties, for the columns: JSON where they differ, or where a text would look like an empty cell."""
    for name, value in one.properties.items():
        found = type_of(value)
        properties[name] = found if properties.get(name, found) == found else JSON


def _more(one: Entity | Relation, properties: PropertyTypes) -> list[str]:
    return [
        list_cell(one.sources),
        one.time.isoformat() if one.time else "",
        repr(float(one.confidence)),
        *(to_cell(one.properties[name], type_) if name in one.properties else "" for name, type_ in properties.items()),
    ]


class _Records:
    """Splits lines into records; after a record that cannot be read it goes on with the line after the first of it."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._line = 0

    def texts(self) -> Iterator[str]:
        """The lines, those that were given back first."""
        while True:
            text = self._again.popleft() if self._again else next(self._lines, None)
            if text is None:
                return
            self._line += 1
            self._taken.append(text)
            yield text

    def read(self, separator: str, width: int) -> Iterator[tuple[int, Any, str]]:
        """Yield first line, cells, and what is wrong ("": nothing) of each record."""
        while True:
            self._taken = []
            first = self._line + 1
            try:
                cells = next(csv.reader(self.texts(), delimiter=separator, strict=True), None)
            except csv.Error as error:
                yield first, self._give_back(), f"is no CSV: {error}"
                continue
            if cells is None:
                return
            if not cells or (len(self._taken) == 1 and not self._taken[0].strip()):
                continue
            if len(cells) != width:
                problem = f"{len(cells)} cells, the header has {width}"
                yield first, (self._give_back() if len(self._taken) > 1 else cells), problem
            elif any(map(bad_encoding, cells)):
                yield first, cells, "is not UTF-8; convert the file"
            else:
                yield first, cells, ""

    def _give_back(self) -> list[str]:
        """Give all lines but the first back, since a quote that was never closed swallows good ones; return the first as a cell."""
        first, *rest = self._taken
        self._again.extendleft(reversed(rest))
        self._line -= len(rest)
        return [first.rstrip("\r\n")]


def _header(line: str) -> tuple[list[str], str]:
    """The cells of the first line, by the separator of which it has most."""
    separator = max(_SEPARATORS, key=line.count)
    try:
        return next(csv.reader([line], delimiter=separator), []), separator
    except csv.Error as error:
        raise InvalidInputError(f"line 1: the header is no CSV: {error}: {shown(line)}") from error
