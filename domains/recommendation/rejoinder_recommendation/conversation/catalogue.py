"""Items that can be spoken of and recommended, held in memory."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import InvalidInputError

__all__ = ["Catalogue", "CatalogueItem", "read_catalogue", "split_year"]

_YEAR: Final = re.compile(r"\s*\((1[89]\d\d|20\d\d)\)\s*$")
_LISTS: Final = {"genre": "tags", "tags": "tags", "categories": "tags"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueItem:
    """One item.

    Attributes:
        title: as people call it, with or without a year in brackets.
        text: a description.
        tags: kinds that it belongs to, such as genres.
        relations: what else it is linked to in the graph, by the relation's name, such as director or brand.
        price: >= 0, in the catalogue's currency; None: unknown.
        year: when it came out.
        minutes: how long it takes.
        mentions: how often it was spoken of before, >= 0.
    """

    id: str
    title: str
    text: str = ""
    tags: tuple[str, ...] = ()
    relations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    price: float | None = None
    year: int | None = None
    minutes: float | None = None
    available: bool = True
    image: str | None = None
    mentions: int = 0

    @property
    def paths(self) -> Mapping[str, tuple[str, ...]]:
        """All that links it to other items: its relations, and its tags as the relation `tag`."""
        return {**self.relations, "tag": self.tags} if self.tags else self.relations

    @property
    def description(self) -> str:
        """Title, tags, relations and text in one, for an encoder."""
        parts = [self.title, ", ".join(self.tags)]
        parts += [f"{name}: {', '.join(values[:4])}" for name, values in self.relations.items() if values]
        return ". ".join(part for part in (*parts, self.text) if part)


class Catalogue:
    """Items by number and by id.

    Args:
        items: ids must differ.

    Raises:
        InvalidInputError: two items have one id.
    """

    def __init__(self, items: Iterable[CatalogueItem]) -> None:
        self.items = tuple(items)
        self.numbers = {item.id: number for number, item in enumerate(self.items)}
        if len(self.numbers) < len(self.items):
            seen: set[str] = set()
            twice = next(item.id for item in self.items if item.id in seen or seen.add(item.id))  # type: ignore[func-returns-value]
            raise InvalidInputError(f"two items have the id {twice!r}; every item needs an id of its own")

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, id: str) -> CatalogueItem:  # noqa: A002
        return self.items[self.numbers[id]]

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return id in self.numbers

    @cached_property
    def relations(self) -> tuple[str, ...]:
        """The names of all relations, sorted."""
        return tuple(sorted({name for item in self.items for name in item.paths}))

    @cached_property
    def holders(self) -> Mapping[tuple[str, str], tuple[int, ...]]:
        """Which items (numbers) have a value in a relation."""
        found: dict[tuple[str, str], list[int]] = {}
        for number, item in enumerate(self.items):
            for name, values in item.paths.items():
                for value in dict.fromkeys(values):
                    found.setdefault((name, value), []).append(number)
        return {key: tuple(numbers) for key, numbers in found.items()}


def split_year(title: str) -> tuple[str, int | None]:
    """Return a title without the year at its end, and the year.

    Example:
        >>> split_year("Saw  (2004)"), split_year("Friday")
        (('Saw', 2004), ('Friday', None))
    """
    found = _YEAR.search(title)
    return (title[: found.start()].strip(), int(found.group(1))) if found else (title.strip(), None)


def read_catalogue(path: Path) -> Catalogue:
    """Read items from JSON lines, or from one JSON object by id; UTF-8, gzipped or plain.

    An item has `title` (or `name`); and may have `text` (or `plot`), `tags` (or `genre`, `categories`), `price`, `year`, `minutes`,
    `available`, `image`, `mentions` and `relations` (lists by name). Other lists of texts, such as `director`, are relations too. The
    year is also read from the end of the title.

    Raises:
        InvalidInputError: a file that cannot be read, or an item without id or title.
    """
    try:
        raw = path.read_bytes()
        content = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
        rows = list(_rows(content, path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    return Catalogue(_item(id_, row, path) for id_, row in rows)


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
    title = str(row.get("title") or row.get("name") or "").strip()
    if not title:
        raise InvalidInputError(f"{path}: item {id_!r} has no `title`")
    tags: list[str] = []
    relations: dict[str, tuple[str, ...]] = {}
    for name, value in {**row, **(row.get("relations") or {})}.items():
        if isinstance(value, list):
            values = [str(one) for one in value if one]
            if name in _LISTS:
                tags += values
            elif values:
                relations[name] = tuple(values)
    year = row.get("year") or split_year(title)[1]
    return CatalogueItem(
        id=id_,
        title=" ".join(title.split()),
        text=str(row.get("text") or row.get("plot") or ""),
        tags=tuple(dict.fromkeys(tags)),
        relations=relations,
        price=_number(row, "price", id_, path),
        year=None if year is None else int(year),
        minutes=_number(row, "minutes", id_, path),
        available=bool(row.get("available", True)),
        image=row.get("image"),
        mentions=int(_number(row, "mentions", id_, path) or 0),
    )


def _number(row: Mapping[str, Any], name: str, id_: str, path: Path) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InvalidInputError(f"{path}: `{name}` of item {id_!r} is {value!r}; it must be a number of at least 0")
    return float(value)
