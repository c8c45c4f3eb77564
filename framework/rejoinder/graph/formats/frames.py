"""DataFrames of entities and of relations, of pandas, polars, or anything with `columns` and rows; columns as in CSV files.

What is missing (None, NaN, NaT, NA) is an empty cell. A time without a zone cannot be stored: localise the column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from rejoinder.errors import GraphSchemaError, InvalidInputError
from rejoinder.graph.formats.columns import Cells, Columns
from rejoinder.graph.formats.csv import CsvRejects
from rejoinder.graph.formats.rows import BadRow, Row
from rejoinder.graph.formats.values import Value, listed, parsed
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.storable import shown

__all__ = ["FrameReader"]


class FrameReader:
    """Reads a DataFrame.

    Raises:
        InvalidInputError: it is no DataFrame, or its columns are not understood.
    """

    def __init__(self, frame: Any, schema: GraphSchema, *, place: str) -> None:
        columns = getattr(frame, "columns", None)
        if columns is None or not (hasattr(frame, "iter_rows") or hasattr(frame, "itertuples")):
            raise InvalidInputError(f"{place}: got {type(frame).__name__}, expected a DataFrame of pandas or polars")
        self._frame = frame
        self._header = [str(name) for name in columns]
        self._columns = Columns(self._header, schema, Cells(text=_text, texts=_texts, value=_value), place=place)
        self._done = 0

    @property
    def fraction(self) -> float:
        """How many of its rows were read, in [0, 1]."""
        return self._done / len(self._frame) if len(self._frame) else 1.0

    def rejects(self) -> _FrameRejects:
        """Return how its rows are written to a reject file, which is CSV."""
        return _FrameRejects(self._header)

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Return its rows; the first is 1."""
        rows: Iterable[Sequence[Any]] = (
            self._frame.iter_rows()
            if hasattr(self._frame, "iter_rows")
            else self._frame.itertuples(index=False, name=None)
        )
        for self._done, row in enumerate(rows, start=1):
            try:
                yield Row(self._done, self._columns.built(row), row)
            except GraphSchemaError as error:
                yield BadRow(self._done, str(error), row)


class _FrameRejects(CsvRejects):
    def line(self, raw: Sequence[Any], line: int, reason: str) -> str:
        """Return a row."""
        return super().line([_cell(value) for value in raw], line, reason)


def _cell(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return json.dumps([str(one) for one in plain]) if isinstance(plain, tuple) else str(plain)


def _plain(value: Any) -> Any:
    """A cell as a value of Python's own types; None for a missing one."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if value != value else float(value)
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime() if value == value else None
    if isinstance(value, datetime | date):
        return value if value == value else None  # pandas.NaT is a datetime that equals nothing
    if hasattr(value, "tolist") or isinstance(value, list | tuple):
        found = value.tolist() if hasattr(value, "tolist") else value
        return tuple([_plain(one) for one in found]) if isinstance(found, list | tuple) else _plain(found)
    return None if type(value).__name__ in ("NAType", "NaTType") else value


def _text(cell: Any) -> str | None:
    plain = _plain(cell)
    if plain is None or plain == "":
        return None
    if not isinstance(plain, str):
        raise GraphSchemaError(f"got {shown(plain)}, expected a text")
    return plain


def _texts(cell: Any) -> tuple[str, ...] | None:
    plain = _plain(cell)
    if plain is None:
        return None
    if isinstance(plain, str):
        return listed(plain)
    if not isinstance(plain, tuple) or not all(isinstance(one, str) for one in plain):
        raise GraphSchemaError(f"got {shown(plain)}, expected a list of texts")
    return plain


def _value(cell: Any, expected: str | None) -> Value | None:
    plain = _plain(cell)
    if plain is None:
        return None
    if isinstance(plain, str) and expected not in (None, "string"):
        return parsed(plain, expected or "") if plain else None
    if isinstance(plain, float) and expected == "integer" and plain.is_integer():
        return int(plain)  # a column of integers with gaps is one of floats
    if isinstance(plain, datetime) and expected == "date":
        return plain.date()
    found: Value = plain  # the schema checks it
    return found
