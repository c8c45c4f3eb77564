"""Files of examples: JSON lines and Parquet, read row by row and written whole or not at all.

Each row says an example and where it came from, in the order of tasks, moments and ids, so that the same examples make the same file. In
Parquet `target`, which may be anything that JSON can say, is JSON text, and `at` a timestamp in microseconds, UTC.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

import orjson

from rejoinder.context import utc_now
from rejoinder.errors import InvalidInputError, SettingsError
from rejoinder.learning.example_import import BadRow, Row
from rejoinder.store.database import Database
from rejoinder.store.examples import Provenance, count_examples, list_provenance

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "FORMATS",
    "Format",
    "format_of",
    "line_of",
    "read_rows",
    "stored_examples",
    "write_examples",
    "write_rejects",
]

Format = Literal["jsonl", "parquet"]
FORMATS: Final[dict[str, Format]] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Formats by the ending of a file's name."""

_PAGE: Final = 500
_ROW_GROUP: Final = 20_000


async def stored_examples(
    database: Database, tenant: str, *, task: str | None = None
) -> AsyncIterator[list[Provenance]]:
    """Yield a tenant's examples, page by page, by task, moment and id; those that a later correction contradicts are left out."""
    tasks = sorted(await count_examples(database, tenant)) if task is None else [task]
    for name in tasks:
        after = None
        while True:
            page = await list_provenance(database, tenant, name, after=after, limit=_PAGE)
            if page:
                yield page
            if len(page) < _PAGE:
                break
            last = page[-1].example
            after = (last.at or utc_now(), last.id)


def record_of(one: Provenance) -> dict[str, Any]:
    """Return an example as a row says it."""
    example = one.example
    return {
        "id": example.id,
        "task": example.task,
        "text": example.text,
        "label": example.label,
        "other": example.other,
        "target": example.target,
        "polarity": example.polarity,
        "weight": example.weight,
        "source": one.source,
        "decision_id": example.decision_id,
        "user_id": example.user_id,
        "subject_id": one.subject_id,
        "at": example.at,
    }


def line_of(one: Provenance) -> bytes:
    """Return an example as a line of JSON, its end included."""
    return orjson.dumps(record_of(one), option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def format_of(path: Path) -> Format:
    """Return the format that a file's name says.

    Raises:
        InvalidInputError: it says none.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise InvalidInputError(f"{path}: the name must end in {', '.join(FORMATS)}")
    return found


async def write_examples(pages: AsyncIterator[list[Provenance]], path: Path) -> int:
    """Write examples into a file, which appears at once and whole; return how many.

    Raises:
        InvalidInputError: the name says no format, or the file cannot be written.
        SettingsError: Parquet needs pyarrow, which is not installed.
    """
    kind = format_of(path)
    beside = path.parent / f".{path.name}.{uuid4().hex[:8]}"
    try:
        with beside.open("wb") as file:
            count = await (_write_lines(pages, file) if kind == "jsonl" else write_parquet(pages, file))
        beside.replace(path)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
    return count


async def write_parquet(pages: AsyncIterator[list[Provenance]], file: IO[bytes]) -> int:
    """Write examples as Parquet; return how many.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    arrow, parquet = _arrow()
    schema = _schema(arrow)
    count = 0
    waiting: list[dict[str, Any]] = []
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        async for page in pages:
            for one in page:
                record = record_of(one)
                target = record["target"]
                waiting.append({**record, "target": None if target is None else orjson.dumps(target).decode()})
            if len(waiting) >= _ROW_GROUP:
                count += _flush(arrow, writer, schema, waiting)
        count += _flush(arrow, writer, schema, waiting)
    return count


def read_rows(content: IO[bytes], kind: Format, *, most_bytes: int | None = None) -> Iterator[Row]:
    """Yield the rows of a file; of a line that cannot be read, why.

    Args:
        most_bytes: what a Parquet file may come to, unpacked: a small one can hold any number of rows.
    Raises:
        InvalidInputError: it is no Parquet file, has columns that no example has, or is too large.
        SettingsError: pyarrow is not installed.
    """
    return _lines(content) if kind == "jsonl" else _parquet_rows(content, most_bytes)


def write_rejects(rows: Sequence[BadRow], path: Path) -> None:
    """Write the rows that were not loaded as JSON lines: line, reason, and the row as it stands in the file.

    Raises:
        InvalidInputError: the file cannot be written.
    """
    told = ({"line": bad.line, "reason": bad.reason, "row": bad.raw} for bad in rows)
    try:
        path.write_bytes(
            b"".join(
                orjson.dumps(one, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE, default=str) for one in told
            )
        )
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}") from error


async def _write_lines(pages: AsyncIterator[list[Provenance]], file: IO[bytes]) -> int:
    count = 0
    async for page in pages:
        file.writelines(line_of(one) for one in page)
        count += len(page)
    return count


def _lines(content: Iterable[bytes]) -> Iterator[Row]:
    for number, line in enumerate(content, start=1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            reason = InvalidInputError(f"the line is not JSON in UTF-8: {error.msg} at character {error.pos}")
            yield Row(number, reason, line.rstrip(b"\r\n").decode(errors="replace"))
        else:
            yield Row(number, value, value)


def _parquet_rows(content: IO[bytes], most_bytes: int | None) -> Iterator[Row]:
    arrow, parquet = _arrow()
    known = _schema(arrow).names
    packed = io.BytesIO(content.read())
    try:
        file = parquet.ParquetFile(packed)
        fields = {field.name: field.type for field in file.schema_arrow}
        strange = sorted(set(fields) - set(known))
        if strange:
            raise InvalidInputError(
                f"there are columns that no example has: {', '.join(strange)}; it has {', '.join(known)}"
            )
        for name, kind in fields.items():
            if arrow.types.is_nested(kind):
                raise InvalidInputError(f"{name}: the column is of the type {kind}, expected text")
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        _less(most_bytes, sum(group.total_byte_size for group in groups), most_bytes)
        left = most_bytes
        texts = [
            name for name, kind in fields.items() if arrow.types.is_string(kind) or arrow.types.is_large_string(kind)
        ]
        number = 0
        # Read as dictionaries, texts that are repeated stand in memory once, and can be counted before they are unpacked.
        for batch in parquet.ParquetFile(packed, read_dictionary=texts).iter_batches(batch_size=_PAGE):
            left = _less(left, _unpacked_bytes(arrow, batch), most_bytes)
            for record in batch.to_pylist():
                number += 1
                raw = {name: value for name, value in record.items() if value is not None}
                yield Row(number, _from_parquet(raw), raw)
    except arrow.ArrowException as error:
        raise InvalidInputError(f"it is no Parquet file that can be read: {error}") from error


def _less(left: int | None, size: int, most: int | None) -> int | None:
    """Return what is left of a limit; None: there is none."""
    if left is None:
        return None
    if size > left:
        raise InvalidInputError(f"unpacked, the file is larger than {most} bytes: send it in parts")
    return left - size


def _unpacked_bytes(arrow: Any, batch: Any) -> int:
    """Return how large a batch's rows are once they are objects, with 50 bytes for each value beside its text."""
    from pyarrow import compute

    total: int = 50 * batch.num_rows * batch.num_columns
    for column in batch.columns:
        if arrow.types.is_dictionary(column.type):
            total += compute.sum(compute.take(compute.binary_length(column.dictionary), column.indices)).as_py() or 0
    return total


def _from_parquet(raw: dict[str, Any]) -> Any:
    target, at = raw.get("target"), raw.get("at")
    value = dict(raw)
    if isinstance(at, datetime):
        value["at"] = at.isoformat()
    if isinstance(target, str):
        try:
            value["target"] = orjson.loads(target)
        except orjson.JSONDecodeError as error:
            return InvalidInputError(f"target: it is not JSON: {error.msg}")
    return value


def _flush(arrow: Any, writer: Any, schema: pyarrow.Schema, waiting: list[dict[str, Any]]) -> int:
    count = len(waiting)
    if count:
        writer.write_table(arrow.Table.from_pylist(waiting, schema=schema))
        waiting.clear()
    return count


def _schema(arrow: Any) -> pyarrow.Schema:
    kinds = {"weight": arrow.float64(), "at": arrow.timestamp("us", tz="UTC")}
    names = (
        "id",
        "task",
        "text",
        "label",
        "other",
        "target",
        "polarity",
        "weight",
        "source",
        "decision_id",
        "user_id",
        "subject_id",
        "at",
    )
    return arrow.schema([(name, kinds.get(name, arrow.string())) for name in names])


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise SettingsError(
            "Parquet needs pyarrow, which is not installed: pip install 'rejoinder[parquet]'"
        ) from error
    return pyarrow, parquet
