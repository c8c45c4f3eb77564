"""Ratings and items from CSV files: `user,item,rating,timestamp` and `item,title,text`, UTF-8, gzipped or plain."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from rejoinder.errors import InvalidInputError
from rejoinder.learning.labelled_csv import read_data

from rejoinder_recommendation.histories import Histories

__all__ = ["DEFAULT_SCALE", "RatingFiles", "read_rating_files"]

DEFAULT_SCALE: Final = (0.0, 10.0)
_RATINGS: Final = ("user", "item", "rating", "timestamp")
_ITEMS: Final = ("item", "title", "text")


@dataclass(frozen=True, slots=True, eq=False)
class RatingFiles:
    """Both files, items and users numbered.

    Attributes:
        histories: every user's events; of repeats the last counts.
        users: ids by number.
        items: ids by number: first those of the items file in its order, then those that only ratings name.
        texts: title and text of each item, "" for one that the items file does not have or says nothing of.
        attributes: of each item the values by column, for the columns of the items file that are not `item`, `title` or `text`.
        repeats: how many ratings of the same item by the same user were replaced by a later one.
        unknown: ids of items that ratings name and the items file does not have.
        sha256: of the content of both files.
    """

    histories: Histories
    users: tuple[str, ...]
    items: tuple[str, ...]
    texts: tuple[str, ...]
    attributes: tuple[Mapping[str, Sequence[str]], ...]
    repeats: int
    unknown: tuple[str, ...]
    sha256: str


def read_rating_files(ratings: Path, items: Path, *, scale: tuple[float, float] = DEFAULT_SCALE) -> RatingFiles:
    """Read ratings and items.

    A rating counts as an event however high it is: what people choose to rate tells more about what they do next than the mark. An item
    that only the ratings name is kept, without text.

    Args:
        ratings: columns `user,item,rating,timestamp`, the last in seconds since the epoch or ISO 8601 (without a zone: UTC).
        items: columns `item,title,text`; a row may stand there twice if it says the same. Every further column is an attribute, such as
            `brand` or `tags`, with values separated by `|`; ids of other items (`bought_together`) are links to these.
        scale: the lowest and the highest rating that there can be.

    Raises:
        InvalidInputError: a file cannot be read or parsed, has no rows, a rating is off the scale, an item is described twice in
            different words, or the files have no item in common; the message names file and line.
    """
    digest = hashlib.sha256()
    described = _read_items(items, digest)
    numbers = {item: number for number, item in enumerate(described)}
    users: dict[str, int] = {}
    rows: dict[tuple[int, int], tuple[float, int]] = {}
    n_rows = 0
    for line, row in _rows(ratings, _RATINGS, digest):
        user, item = row["user"].strip(), row["item"].strip()
        if not user or not item:
            raise InvalidInputError(f"{ratings}, line {line}: the row has no {'item' if user else 'user'}")
        _check_rating(row["rating"], scale, f"{ratings}, line {line}")
        second = _seconds(row["timestamp"], f"{ratings}, line {line}")
        pair = users.setdefault(user, len(users)), numbers.setdefault(item, len(numbers))
        rows[pair] = max(rows.get(pair, (-math.inf, 0)), (second, line))
        n_rows += 1
    unknown = tuple(list(numbers)[len(described) :])
    if len(unknown) == len({item for _, item in rows}):
        raise InvalidInputError(
            f"none of the {len(unknown)} items in {ratings}, such as {unknown[0]}, is in {items}; use the same ids in both files"
        )
    ordered = sorted((user, second, line, item) for (user, item), (second, line) in rows.items())
    lengths = np.bincount([user for user, *_ in ordered], minlength=len(users))
    histories = Histories(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.array([item for *_, item in ordered], dtype=np.int64),
        np.array([second for _, second, *_ in ordered]),
        len(numbers),
    )
    nothing = _Described("", {})
    known = (*described.values(), *(nothing for _ in unknown))
    return RatingFiles(
        histories=histories,
        users=tuple(users),
        items=tuple(numbers),
        texts=tuple(one.text for one in known),
        attributes=tuple(one.attributes for one in known),
        repeats=n_rows - len(rows),
        unknown=unknown,
        sha256=digest.hexdigest(),
    )


class _Described(NamedTuple):
    text: str
    attributes: Mapping[str, Sequence[str]]


def _read_items(path: Path, digest: hashlib._Hash) -> dict[str, _Described]:
    described: dict[str, _Described] = {}
    for line, row in _rows(path, _ITEMS, digest):
        item = row["item"].strip()
        if not item:
            raise InvalidInputError(f"{path}, line {line}: the row has no item")
        text = ". ".join(part for part in (row["title"].strip(), row["text"].strip()) if part)
        found = _Described(text, {name: _values(cell) for name, cell in row.items() if name not in _ITEMS})
        if described.setdefault(item, found) != found:
            raise InvalidInputError(
                f"{path}, line {line}: the item {item} was described before in other words; keep one of them"
            )
    return described


def _values(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for part in cell.split("|") if (value := part.strip())))


def _rows(path: Path, columns: Sequence[str], digest: hashlib._Hash) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and fields of each row; there is at least one."""
    data = read_data(path)
    digest.update(data)
    expected = f"expected `{','.join(columns)}`"
    line = 1
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        names = [name.strip() for name in reader.fieldnames or []]
        if not names:
            raise InvalidInputError(f"{path} is empty; {expected} and at least one row")
        if missing := [name for name in columns if name not in names]:
            raise InvalidInputError(f"{path}, line 1: no column {', '.join(missing)}; {expected}")
        reader.fieldnames = names
        for row in reader:
            line = reader.line_num
            if None in row or None in row.values():
                what = "more" if None in row else "fewer"
                raise InvalidInputError(f"{path}, line {line}: {what} fields than the {len(names)} of the header")
            yield line, row
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except csv.Error as error:
        raise InvalidInputError(f"{path}, line {line}: not CSV ({error})") from error
    if line == 1:
        raise InvalidInputError(f"{path} has a header and no rows")


def _check_rating(text: str, scale: tuple[float, float], where: str) -> None:
    low, high = scale
    try:
        rating = float(text)
    except ValueError as error:
        raise InvalidInputError(f"{where}: the rating {text!r} is no number") from error
    if not low <= rating <= high:
        raise InvalidInputError(
            f"{where}: the rating {text} is off the scale {low:g} to {high:g}; say --scale LOW HIGH if it is right"
        )


def _seconds(text: str, where: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise InvalidInputError(
                f"{where}: the timestamp {text!r} is neither seconds since the epoch nor ISO 8601"
            ) from error
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise InvalidInputError(f"{where}: the timestamp {text} is not finite")
    return seconds
