"""Read a file of any known format into blocks: what is no text of the document (markup, scripts, hidden parts) is left behind."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from rejoinder.documents.content import Block, Content
from rejoinder.errors import InvalidInputError, RejoinderError, did_you_mean

__all__ = [
    "ENDINGS",
    "MEDIA_TYPES",
    "MOST_BYTES",
    "MOST_CHARACTERS",
    "UnreadableFileError",
    "decoded",
    "format_of",
    "limited",
    "read_content",
]

Reader = Callable[[bytes], Content]

MOST_BYTES: Final = 32 << 20
"""Largest file that is read."""

MOST_CHARACTERS: Final = 4_000_000
"""Longest text of one document: some 2,000 pages."""

ENDINGS: Final = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "plain",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".csv": "csv",
}
"""Formats by what a file's name ends with."""

MEDIA_TYPES: Final = {
    "text/markdown": "markdown",
    "text/plain": "plain",
    "text/html": "html",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/csv": "csv",
}
"""Formats by media type."""


_LONGEST_COLUMN_NAME: Final = 300


class UnreadableFileError(InvalidInputError):
    """A file cannot be read as what it says it is: the text says why."""


def format_of(name: str, media_type: str = "") -> str:
    """Return the format of a file, by its media type where one is given, else by its name.

    Raises:
        UnreadableFileError: it is none that is known; the text names those.
    """
    media_type = media_type.partition(";")[0].strip().lower()
    ending = PurePosixPath(name).suffix.lower()
    found = MEDIA_TYPES.get(media_type) if media_type else ENDINGS.get(ending)
    if found is None:
        said = f"{media_type!r}" if media_type else f"a name that ends with {ending!r}"
        raise UnreadableFileError(f"no reader for {said}.{did_you_mean(ending, ENDINGS)} Formats: {', '.join(ENDINGS)}")
    return found


def read_content(data: bytes, format: str) -> Content:  # noqa: A002
    """Return what a file says.

    Args:
        format: as `format_of` gives it.

    Raises:
        UnreadableFileError: the file is empty, too large or damaged, or says nothing; or its reader's package is not installed.
    """
    if not data.strip():
        raise UnreadableFileError("the file is empty")
    if len(data) > MOST_BYTES:
        raise UnreadableFileError(f"the file has {len(data)} bytes, at most {MOST_BYTES} are read: split it")
    try:
        reader: Reader = importlib.import_module(f"rejoinder.documents.formats.{format}").read
    except ImportError as error:
        raise UnreadableFileError(
            f"{format} files need a package that is missing ({error.name}): pip install 'rejoinder[documents]'"
        ) from error
    try:
        content = reader(data)
    except RejoinderError:
        raise
    except RecursionError as error:
        raise UnreadableFileError("it is nested too deeply") from error
    except Exception as error:  # whatever a parser makes of a damaged file is that file's affair
        raise UnreadableFileError(f"it cannot be read as {format}: {type(error).__name__}: {error}") from error
    blocks = tuple(replace(block, text=_clean(block.text)) for block in content.blocks)
    blocks = tuple(block for block in blocks if block.text)
    if not any(block.kind not in ("heading", "question") for block in blocks):
        raise UnreadableFileError("there is no text in it" + (" (is it a scan?)" if format == "pdf" else ""))
    return Content(title=_clean(content.title)[:300], blocks=blocks)


def decoded(data: bytes) -> str:
    """Return a text file's characters: UTF-8, UTF-16 with its mark, else Windows-1252, in which most old files are.

    Raises:
        UnreadableFileError: it holds NUL characters, and so is no text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    if "\x00" in text:
        raise UnreadableFileError("it is no text: it holds NUL characters")
    return text


def _clean(text: str) -> str:
    """Return a text without control characters, invisible ones, and white space at ends of lines."""
    kept = "".join(
        one for one in text if one in "\n\t" or (one.isprintable() and one not in _INVISIBLE) or one.isspace()
    )
    return "\n".join(line for line in (" ".join(line.split()) for line in kept.splitlines()) if line)


_INVISIBLE: Final = frozenset(
    "\u00ad\u200b\u200c\u200d\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def limited(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return blocks as they are made, so that a small file that would become a huge text (each row names its columns) is refused in time.

    Raises:
        UnreadableFileError: their text is longer than `MOST_CHARACTERS`.
    """
    found: list[Block] = []
    characters = 0
    for block in blocks:
        characters += len(block.text)
        if characters > MOST_CHARACTERS:
            raise UnreadableFileError(f"its text has more than {MOST_CHARACTERS} characters: split it")
        found.append(block)
    return tuple(found)


def text_block(text: str) -> Block:
    """Return a paragraph."""
    return Block(kind="text", text=text)


def row_block(columns: list[str], values: list[str]) -> Block:
    """Return a table's row, each value with its column's name, so that it can be understood by itself."""
    named = [
        f"{column[:_LONGEST_COLUMN_NAME]}: {value}" if column else value
        for column, value in zip([*columns, *[""] * len(values)], values, strict=False)
        if value.strip()
    ]
    return Block(kind="row", text="; ".join(named))
