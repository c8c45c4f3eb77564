"""DOCX: paragraphs by their styles, and tables, in the order of the document."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any, Final

from docx import Document
from docx.table import Table

from rejoinder.documents.content import Block, Content
from rejoinder.documents.formats import UnreadableFileError, row_block, text_block

_MOST_UNPACKED: Final = 256 << 20
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
    return Content(title=document.core_properties.title or "", blocks=tuple(_blocks(document)))


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
    rows = [[" ".join(cell.text.split()) for cell in row.cells] for row in table.rows]
    if len(rows) > 1:
        for row in rows[1:]:
            yield row_block(rows[0], row)
    elif rows:
        yield row_block([], rows[0])
