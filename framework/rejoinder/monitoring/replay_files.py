"""Dated documents out of files, in the order of their dates: what a replay sends."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import InvalidInputError
from rejoinder.events.dates import parse_date
from rejoinder.events.files import ENDINGS, object_of, read_event_rows
from rejoinder.handoff.hours import time_zone_of
from rejoinder.learning.labelled_csv import read_data

__all__ = ["Dated", "read_dated"]

_GZIP: Final = ".gz"
_SOURCE: Final = "replay"
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Dated:
    """A document and its date.

    Attributes:
        row: as `POST /v1/events` takes it.
    """

    at: datetime
    row: dict[str, Any]


def read_dated(
    paths: Sequence[Path],
    *,
    columns: Mapping[str, str] | None = None,
    time_zone: str = "UTC",
    start: datetime | None = None,
    end: datetime | None = None,
) -> tuple[list[Dated], list[str]]:
    """Return the documents of files, oldest first, and what cannot be replayed, with place and reason.

    Args:
        paths: `.csv`, `.tsv`, `.jsonl` or `.ndjson` files, plain or gzipped; of folders, all such files in them.
        columns: of tables whose columns have other names: column to name, such as `created_at` to `at`.
        time_zone: of dates that name none.
        start, end: only documents dated from `start` to before `end`.
    Raises:
        InvalidInputError: a file cannot be read, or is none of these.
    """
    zone = time_zone_of(time_zone)
    documents: list[Dated] = []
    bad: list[str] = []
    for path in _files(paths):
        name = path.name.removesuffix(_GZIP)
        for found in read_event_rows(io.BytesIO(read_data(path)), name, most_bytes=_MOST_BYTES, columns=columns):
            try:
                row = _row(found.value)
                at = parse_date(row["at"].strip())
            except InvalidInputError as error:
                bad.append(f"{path}, row {found.number}: {error}")
                continue
            at = at.replace(tzinfo=zone) if at.tzinfo is None else at
            if (start is None or at >= start) and (end is None or at < end):
                documents.append(Dated(at, {"source": _SOURCE, **row, "at": at.isoformat()}))
    return sorted(documents, key=lambda one: one.at), bad


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    endings = tuple(ending for ending in ENDINGS if ending != ".txt")  # a text has no date
    for path in paths:
        if path.is_dir():
            found = sorted(one for one in path.rglob("*") if one.name.removesuffix(_GZIP).endswith(endings))
            if not found:
                raise InvalidInputError(f"{path}: there is no file that ends with {', '.join(endings)} in this folder")
            yield from found
        elif not path.name.removesuffix(_GZIP).endswith(endings):
            raise InvalidInputError(f"{path}: a replay reads files that end with {', '.join(endings)}, also with .gz")
        else:
            yield path


def _row(value: Any) -> dict[str, Any]:
    row = object_of(value)
    if not isinstance(row.get("at"), str):
        raise InvalidInputError("it has no date `at`, and only what is dated can be replayed")
    return row
