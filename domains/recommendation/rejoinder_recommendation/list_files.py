"""Files of lists: JSON lines, one list a line, or Parquet, one listed item a row. A file is there whole, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rejoinder.errors import InvalidInputError

__all__ = ["ListWriter", "list_writer"]

ListWriter = Callable[[dict[str, Any]], None]
"""Takes one list, as `rejoinder.items.exporting.export_lists` yields it."""


@contextmanager
def list_writer(path: Path) -> Iterator[ListWriter]:
    """Give what writes lists into a file, in the place of an older one once all are written; the name says the format.

    Raises:
        InvalidInputError: the name ends neither in .jsonl, .ndjson nor .parquet; its folder is not there; or the extra `rejoinder[parquet]`
            is missing.
    """
    formats = {".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}
    if path.suffix not in formats:
        raise InvalidInputError(f"{path}: lists are written to files named .jsonl, .ndjson or .parquet")
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path}: there is no folder {path.parent}")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with formats[path.suffix](beside) as write:
            yield write
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _json_lines(path: Path) -> Iterator[ListWriter]:
    with path.open("w", encoding="utf-8") as file:
        yield lambda one: print(json.dumps(one, ensure_ascii=False), file=file)


@contextmanager
def _parquet(path: Path) -> Iterator[ListWriter]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InvalidInputError("Parquet files need pyarrow: pip install 'rejoinder[parquet]'") from error
    texts = ("whose", "id", "item", "title", "reason", "because")
    fields = [(name, pyarrow.string()) for name in texts]
    schema = pyarrow.schema([*fields, ("position", pyarrow.int32())])
    waiting: list[dict[str, Any]] = []
    with parquet.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            writer.write_table(pyarrow.Table.from_pylist(waiting, schema))
            waiting.clear()

        def write(one: dict[str, Any]) -> None:
            whose = "user" if "user_id" in one else "item"
            for position, item in enumerate(one["items"]):
                known = {name: item[name] for name in ("title", "reason", "because")}
                row = {"whose": whose, "id": one[f"{whose}_id"], "item": item["id"], "position": position}
                waiting.append({**row, **known})
            if len(waiting) >= 10_000:
                flush()

        yield write
        flush()
