"""Items out of files: CSV with a header, or JSON lines; UTF-8, gzipped or plain."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import InvalidInputError
from rejoinder.learning.labelled_csv import read_data

__all__ = ["read_item_file"]

_COLUMNS: Final = ("id", "title", "text", "tags", "price", "available", "image", "url", "published")
_YES: Final = {"true": True, "yes": True, "1": True, "": True, "false": False, "no": False, "0": False}


def read_item_file(path: Path) -> list[tuple[int, Any]]:
    """Return the rows of a file, each with its line, as `ItemLoading.take` takes them.

    A CSV file has the columns `id,title` and any of `text,tags,price,available,image,url,published`; tags are parted by `|`. Other columns
    become `data`.

    Raises:
        InvalidInputError: the file cannot be read, or its header lacks `id` or `title`.
    """
    data = read_data(path)
    name = path.name.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")):
        return [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    if not name.endswith(".csv"):
        raise InvalidInputError(f"{path}: items are read from .csv, .jsonl or .ndjson files, also with .gz behind it")
    try:
        return list(_csv_rows(path, data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except csv.Error as error:
        raise InvalidInputError(f"{path}: not CSV ({error})") from error


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    names = [name.strip() for name in reader.fieldnames or []]
    if missing := [name for name in ("id", "title") if name not in names]:
        raise InvalidInputError(f"{path}, line 1: no column {', '.join(missing)}; expected {','.join(_COLUMNS)}")
    reader.fieldnames = names
    for row in reader:
        if None in row or None in row.values():
            what = "more" if None in row else "fewer"
            yield reader.line_num, InvalidInputError(f"{what} fields than the {len(names)} of the header")
        else:
            yield reader.line_num, _item(row)


def _item(row: dict[str, str]) -> Any:
    said: dict[str, Any] = {name: row[name].strip() for name in _COLUMNS if row.get(name, "").strip()}
    if "tags" in said:
        said["tags"] = [tag.strip() for tag in said["tags"].split("|") if tag.strip()]
    if "price" in said:
        try:
            said["price"] = float(said["price"])
        except ValueError:
            return InvalidInputError(f"price: {said['price']!r} is no number")
    if "available" in said:
        if said["available"].lower() not in _YES:
            return InvalidInputError(f"available: {said['available']!r} is neither true nor false")
        said["available"] = _YES[said["available"].lower()]
    more = {name: value for name, value in row.items() if name not in _COLUMNS and value.strip()}
    return {**said, "data": more} if more else said
