"""Items out of the files that dialogues go with, to be ranked by `rejoinder evaluate recommend --dialogues`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import InvalidInputError
from rejoinder.items.catalogue import CatalogueItem

from rejoinder_recommendation.item_facts import split_year

__all__ = ["read_spoken_items"]

_TAGS: Final = ("tags", "genre", "categories")
_NUMBERS: Final = ("year", "minutes", "mentions")


def read_spoken_items(path: Path) -> list[CatalogueItem]:
    """Read items from JSON lines, or from one JSON object by id; UTF-8, gzipped or plain.

    An item has `title` (or `name`); and may have `text` (or `plot`), `tags` (or `genre`, `categories`), `price`, `year`, `minutes`,
    `mentions` and `data` with more. Other lists of texts, such as `director`, are relations.

    Raises:
        InvalidInputError: a file that cannot be read, an item without id or title, or two items of one id.
    """
    try:
        raw = path.read_bytes()
        content = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
        rows = list(_rows(content, path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    items: dict[str, CatalogueItem] = {}
    for id_, row in rows:
        if id_ in items:
            raise InvalidInputError(f"{path}: two items have the id {id_!r}; every item needs an id of its own")
        items[id_] = _item(id_, row, path)
    return list(items.values())


def _rows(content: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        for number, line in enumerate(content.splitlines(), 1):
            if line.strip():
                row = _json(line, f"{path}, line {number}")
                if not isinstance(row, dict) or "id" not in row:
                    raise InvalidInputError(f"{path}, line {number}: an item is an object with an `id`")
                yield str(row["id"]), row
        return
    rows = _json(content, str(path))
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise InvalidInputError(f"{path}: expected one JSON object of items by id (or JSON lines in a .jsonl file)")
    yield from rows.items()


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"{where}: no JSON: {error}") from error


def _item(id_: str, row: Mapping[str, Any], path: Path) -> CatalogueItem:
    title = " ".join(str(row.get("title") or row.get("name") or "").split())
    if not title:
        raise InvalidInputError(f"{path}: item {id_!r} has no `title`")
    fields = {**row, **(row.get("data") or {})}
    lists = {name: [str(one) for one in value if one] for name, value in fields.items() if isinstance(value, list)}
    tags = dict.fromkeys(tag for name in _TAGS for tag in lists.pop(name, ()))
    numbers = {name: value for name in _NUMBERS if (value := _number(fields, name, id_, path)) is not None}
    year = split_year(title)[1]
    data: dict[str, Any] = {"tags": list(tags), "data": {**lists, **({"year": year} if year else {}), **numbers}}
    if (price := _number(fields, "price", id_, path)) is not None:
        data["price"] = price
    return CatalogueItem(id_, title, str(row.get("text") or row.get("plot") or ""), data, available=True)


def _number(row: Mapping[str, Any], name: str, id_: str, path: Path) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InvalidInputError(f"{path}: `{name}` of item {id_!r} is {value!r}; it must be a number of at least 0")
    return float(value)
