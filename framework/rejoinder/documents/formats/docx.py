"""DOCX: paragraphs by their styles, and tables, in the order of the document."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, Final

from docx import Document
from docx.table import Table, _Cell

from rejoinder.documents.content import Block, Content
from rejoinder.documents.formats import UnreadableFileError, limited, row_block, text_block

_MOST_UNPACKED: Final = 256 << 20
_MOST_COLUMNS: Final = 100
_HEADING: Final = re.compile(r"heading (\d)")


def read(data: bytes) -> Content:
    """Return a document's blocks."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(one.file_size for one in packed.infolist())
    except zipfile.BadZipFile as error:
        raise UnreadableFileError(f"it is no DOCX file: {error}") from error
    if unpacked > _MOST_UNPACKED:
        raise UnreadableFileError(f"it would unpack to {unpacked} bytes, at most {_MOST_UNPACKED} are read")
    document = Document(io.BytesIO(data))
    return Content(title=document.core_properties.title or "", blocks=limited(_blocks(document)))


def _blocks(document: Any) -> Iterator[Block]:
    for part in document.iter_inner_content():
        if isinstance(part, Table):
            yield from _rows(part)
            continue
        style = (part.style.name if part.style is not None else "").casefold()
        heading = _HEADING.fullmatch(style)
        if heading is not None or style == "title":
            yield Block(kind="heading", text=part.text, level=int(heading[1]) if heading else 1)
        elif style.startswith("list") or (part._p.pPr is not None and part._p.pPr.numPr is not None):
            yield Block(kind="item", text=part.text)
        else:
            yield text_block(part.text)


def _rows(table: Table) -> Iterator[Block]:
    columns: list[str] | None = None
    lone: list[str] = []
    above: dict[int, str] = {}
    for row in table.rows:
        cells = dict(_cells(row, above))
        if columns is None:
            columns, lone = _by_column(cells, spread=True), _by_column(cells)
        else:
            lone = []
            yield row_block(columns, _by_column(cells))
        above = {column: text for (column, _), text in cells.items()}
    if lone:
        yield row_block([], lone)


def _cells(row: Any, above: Mapping[int, str]) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield a row's cells, each as its columns [start, end) and its text; one that goes on downwards has the text `above` it.

    `row.cells` of python-docx holds a cell once for every column that the file says it spans: two thousand million, if it says so.
    """
    column = row.grid_cols_before
    for cell in row._tr.tc_lst:
        end = column + cell.grid_span
        if end > _MOST_COLUMNS:
            raise UnreadableFileError(f"it has a table of more than {_MOST_COLUMNS} columns")
        said = above.get(column, "") if cell.vMerge == "continue" else _Cell(cell, row.table).text
        yield (column, end), " ".join(said.split())
        column = end


def _by_column(cells: Mapping[tuple[int, int], str], *, spread: bool = False) -> list[str]:
    """Return texts by column: a cell's in its first column, or (`spread`) in all that it spans."""
    values = [""] * max((end for _, end in cells), default=0)
    for (start, end), text in cells.items():
        for column in range(start, end if spread else start + 1):
            values[column] = text
    return values
