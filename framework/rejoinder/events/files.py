"""Events out of files, row by row: text, JSON lines, CSV and TSV; UTF-8. A row that cannot be read stops no other."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, BinaryIO, Final, NamedTuple

import orjson

from rejoinder.errors import InvalidInputError

__all__ = ["ENDINGS", "FileRow", "object_of", "read_event_rows"]

ENDINGS: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt")
"""Endings of the names of files that events are read from."""

_FIELDS: Final = frozenset(
    ("id", "source", "kind", "at", "text", "format", "url", "user_id", "session_id", "item_id")
)  # those of `EventIn` that are texts
_BOM: Final = b"\xef\xbb\xbf"


class FileRow(NamedTuple):
    """One row of a file.

    Attributes:
        number: of its line, or its row of a table (the header is 1); counted from where the reading began.
        value: what `EventIngestion.take` takes: an object, a line of JSON, or why the row cannot be read.
        end: the place behind it in the file, in bytes: to go on from.
    """

    number: int
    value: Any
    end: int


def object_of(value: Any) -> dict[str, Any]:
    """Return the object that a row's `value` is.

    Raises:
        InvalidInputError: the row could not be read, or is no object.
    """
    if isinstance(value, InvalidInputError):
        raise value
    if isinstance(value, bytes):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise InvalidInputError(f"the line is not JSON in UTF-8: {error.msg}") from error
    if not isinstance(value, dict):
        raise InvalidInputError("the line is no JSON object")
    return value


def read_event_rows(
    file: BinaryIO, name: str, *, start: int = 0, most_bytes: int, columns: Mapping[str, str] | None = None
) -> Iterator[FileRow]:
    """Yield the rows of a file; blank lines are left out.

    JSON lines (`.jsonl`, `.ndjson`) are events as `POST /v1/events` takes them. `.csv` and `.tsv` have a header with the same names (`at`,
    `text`, `id`, `source`, `url` ...); what else a table has becomes `data`. In `.tsv` quotes mean nothing. A `.txt` file is one document.

    Args:
        name: the file's, which tells its format.
        start: where to begin: 0, or the `end` of a row.
        most_bytes: of one line, or of a text file; what is longer is not kept.
        columns: of a table whose columns have other names: column to name.
    Raises:
        InvalidInputError: the name has another ending, or a table has no header.
    """
    ending = PurePath(name).suffix.lower()
    if ending == ".txt":
        file.seek(start)
        yield from _whole(file, most_bytes)
    elif ending in (".jsonl", ".ndjson"):
        file.seek(start)
        yield from _lines(file, most_bytes)
    elif ending in (".csv", ".tsv"):
        yield from _table(file, name, start, most_bytes, columns or {}, tabs=ending == ".tsv")
    else:
        raise InvalidInputError(f"{name}: events are read from files that end with {', '.join(ENDINGS)}")


def _whole(file: BinaryIO, most_bytes: int) -> Iterator[FileRow]:
    data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        value: Any = InvalidInputError(f"the file is larger than {most_bytes} bytes")
    else:
        try:
            value = {"text": data.decode("utf-8-sig")}
        except UnicodeDecodeError as error:
            value = _not_utf8(error)
    if data.strip():
        yield FileRow(1, value, file.seek(0, 2))


def _lines(file: BinaryIO, most_bytes: int) -> Iterator[FileRow]:
    for number, line in enumerate(_raw_lines(file, most_bytes), 1):
        value = line.removeprefix(_BOM).strip() if isinstance(line, bytes) else line
        if value:
            yield FileRow(number, value, file.tell())


def _raw_lines(file: BinaryIO, most_bytes: int) -> Iterator[bytes | InvalidInputError]:
    while line := file.readline(most_bytes + 1):
        if len(line) <= most_bytes or line.endswith(b"\n"):
            yield line
            continue
        while rest := file.readline(most_bytes):
            if rest.endswith(b"\n"):
                break
        yield InvalidInputError(f"the line is larger than {most_bytes} bytes")


def _table(
    file: BinaryIO, name: str, start: int, most_bytes: int, columns: Mapping[str, str], *, tabs: bool
) -> Iterator[FileRow]:
    file.seek(0)
    reader = _rows(file, most_bytes, tabs=tabs)
    header = next(reader, None)
    if header is None or isinstance(header, InvalidInputError):
        raise InvalidInputError(f"{name}, line 1: no header with the names of columns, such as at,text")
    names = [columns.get(one.strip(), one.strip()) for one in header]
    if start:
        file.seek(start)
    for number, row in enumerate(reader, 2):
        if isinstance(row, InvalidInputError):
            yield FileRow(number, row, file.tell())
        elif row:
            yield FileRow(number, _event(names, row), file.tell())


def _rows(file: BinaryIO, most_bytes: int, *, tabs: bool) -> Iterator[list[str] | InvalidInputError]:
    """Yield rows; bytes that are no UTF-8 come as surrogates, so that they spoil only the row that they are in."""
    too_long: list[InvalidInputError] = []

    def lines() -> Iterator[str]:
        for place, line in enumerate(_raw_lines(file, most_bytes)):
            if isinstance(line, bytes):
                yield (line if place else line.removeprefix(_BOM)).decode("utf-8", "surrogateescape")
            else:
                too_long.append(line)
                yield "\n"

    reader = csv.reader(lines(), delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.reader(lines())
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield InvalidInputError(f"the row is not CSV: {error}")
            continue
        if too_long:
            yield too_long.pop()
        else:
            yield row


def _event(names: Sequence[str], row: Sequence[str]) -> Any:
    if len(row) != len(names):
        return InvalidInputError(f"the row has {len(row)} fields, and the header {len(names)}")
    try:
        "".join(row).encode()
    except UnicodeEncodeError as error:
        return _not_utf8(error)
    said = {name: value.strip() for name, value in zip(names, row, strict=True) if value.strip()}
    event: dict[str, Any] = {name: value for name, value in said.items() if name in _FIELDS}
    more = {name: value for name, value in said.items() if name not in _FIELDS}
    return {**event, "data": more} if more else event


def _not_utf8(error: UnicodeError) -> InvalidInputError:
    return InvalidInputError(f"it is not UTF-8 ({error}); save the file as UTF-8"[:300])
