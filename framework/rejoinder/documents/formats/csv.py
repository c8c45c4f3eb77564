"""CSV: rows with their columns' names; with a column for questions and one for answers, each row is an exchange."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from rejoinder.documents.content import Block, Content
from rejoinder.documents.formats import UnreadableFileError, decoded, limited, row_block

QUESTIONS: Final = ("question", "questions", "instruction", "query", "ask", "title", "subject")
ANSWERS: Final = ("answer", "answers", "response", "reply", "resolution", "solution")
"""Names of columns that make a row an exchange, in any case: a question, and what was answered."""

_MOST_CELL: Final = 1 << 20


def read(data: bytes) -> Content:
    """Return a table's rows."""
    text = decoded(data)
    csv.field_size_limit(_MOST_CELL)
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    dialect.doublequote = True
    stripped = ([cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), dialect))
    rows = (row for row in stripped if any(row))
    columns, first = next(rows, None), next(rows, None)
    if columns is None or first is None:
        raise UnreadableFileError("a CSV file needs a header and at least one row")
    return Content(title="", blocks=limited(_blocks(columns, chain([first], rows))))


def _blocks(columns: list[str], rows: Iterable[list[str]]) -> Iterator[Block]:
    names = [column.casefold() for column in columns]
    asked = next((names.index(name) for name in QUESTIONS if name in names), None)
    answered = next((names.index(name) for name in ANSWERS if name in names), None)
    for row in rows:
        if asked is None or answered is None:
            yield row_block(columns, row)
        elif max(asked, answered) < len(row) and row[answered]:
            yield Block(kind="question", text=row[asked])
            yield Block(kind="reply", text=row[answered])
