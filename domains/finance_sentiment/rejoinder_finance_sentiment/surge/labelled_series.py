"""Series with labelled windows, as NAB keeps them: CSV files `timestamp,value` in sub-folders, and one JSON file of windows."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from rejoinder.errors import InvalidInputError
from rejoinder.learning.labelled_csv import read_data

from rejoinder_finance_sentiment.surge.state import FloatArray

__all__ = ["LabelledSeries", "Labels", "read_labelled_series"]

_COLUMNS: Final = ("timestamp", "value")

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """One file: its rows in order, and the windows in which something happened.

    `stamps` are the timestamps as the file writes them, `seconds` the same since the epoch, a stamp without a zone taken as UTC.
    """

    name: str
    stamps: tuple[str, ...]
    timestamps: tuple[datetime, ...]
    seconds: FloatArray
    values: FloatArray
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """All files that have both rows and an entry of windows, by name, and the names of those that lack one of them."""

    series: tuple[LabelledSeries, ...]
    without_windows: tuple[str, ...]
    without_rows: tuple[str, ...]
    sha256: str


def read_labelled_series(folder: Path, windows: Path) -> Labels:
    """Read all series of a folder, its sub-folders included, and their windows.

    Args:
        folder: CSV files with the columns `timestamp,value`, plain or gzipped; a series' name is its path below, without `.gz`.
        windows: JSON, series' name to list of [start, end], `[]` for one without an anomaly.
    Raises:
        InvalidInputError: a file cannot be read or parsed, a name stands for two files, or no series has an entry; the message names
            file and line.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is no folder; name the one that holds the CSV files")
    digest = hashlib.sha256()
    files: dict[str, Path] = {}
    for path in sorted([*folder.rglob("*.csv"), *folder.rglob("*.csv.gz")]):
        name = path.relative_to(folder).as_posix().removesuffix(".gz")
        if name in files:
            raise InvalidInputError(f"{folder} holds {name} twice, plain and gzipped; remove one of them")
        files[name] = path
    labels = _windows_of(windows, digest)
    series = [_series_of(name, files[name], labels[name], digest) for name in sorted(set(files) & set(labels))]
    if not series:
        raise InvalidInputError(
            f"none of the {len(files)} series in {folder} has an entry in {windows}; names there are paths below the folder, ending in .csv"
        )
    return Labels(
        tuple(series),
        tuple(sorted(set(files) - set(labels))),
        tuple(sorted(set(labels) - set(files))),
        digest.hexdigest(),
    )


def _windows_of(path: Path, digest: Any) -> dict[str, tuple[Window, ...]]:
    data = read_data(path)
    digest.update(data)
    try:
        found = json.loads(data)
        return {
            str(name): tuple((_moment(start), _moment(end)) for start, end in windows)
            for name, windows in found.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"{path}: {error}; expected a JSON object from file name to list of [start, end] such as "
            '{"a/b.csv": [["2014-04-10 07:15:00", "2014-04-11 16:45:00"]]}'
        ) from error


def _series_of(name: str, path: Path, windows: tuple[Window, ...], digest: Any) -> LabelledSeries:
    data = read_data(path)
    digest.update(data)
    stamps, timestamps, values = [], [], []
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        if missing := set(_COLUMNS) - set(reader.fieldnames or ()):
            raise InvalidInputError(
                f"{path}, line 1: no column {', '.join(sorted(missing))}; expected `timestamp,value`"
            )
        for row in reader:
            try:
                moment, value = _moment(row["timestamp"]), float(row["value"])
            except (ValueError, TypeError) as error:
                raise InvalidInputError(f"{path}, line {reader.line_num}: {error}") from error
            if not math.isfinite(value):
                raise InvalidInputError(f"{path}, line {reader.line_num}: the value {row['value']} is not finite")
            stamps.append(row["timestamp"])
            timestamps.append(moment)
            values.append(value)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{path}: not a UTF-8 CSV file ({error})") from error
    if not values:
        raise InvalidInputError(f"{path} has no rows")
    seconds = np.array([moment.replace(tzinfo=UTC).timestamp() for moment in timestamps])
    return LabelledSeries(name, tuple(stamps), tuple(timestamps), seconds, np.array(values), windows)


def _moment(text: str) -> datetime:
    """Read a timestamp; one with a zone becomes UTC, and all lose it, so that they can be compared."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
