"""A folder whose files are read once each: what was read is moved away, after it is durable."""

from __future__ import annotations

import itertools
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import InvalidInputError
from rejoinder.events.files import ENDINGS, object_of, read_event_rows
from rejoinder.payloads import Poll
from rejoinder.wire import check

__all__ = ["poll_folder"]

DONE: Final = "done"
FAILED: Final = "failed"
_MOST_ROWS: Final = 256
_MOST_BYTES: Final = 1 << 20
_MOST_LINE_BYTES: Final = 10_000_000
_SETTLED_S: Final = 2.0
"""Seconds without a change after which a file counts as written."""
_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class _Place:
    """Where reading goes on.

    Attributes:
        mark: what tells that the file is as it was when reading it began.
        end: bytes of it that were read.
        good: whether any of its rows could be read.
        whole: it was read to its end.
    """

    file: str
    mark: str = ""
    end: int = 0
    good: bool = False
    whole: bool = False


def poll_folder(folder: Path, cursor: str | None) -> Poll:
    """Return the next rows of the files in a folder, by name; make the folder if need be.

    A file that was read to its end is moved to `done`, or to `failed` where no row of it could be read, the next time: only then what was
    in it is known to be durable. One that was changed meanwhile is read again from its beginning instead, since what was read of it before
    is a duplicate then. Files that were changed within the last two seconds, links, and those whose names begin with a dot or end
    otherwise than text, JSON lines and tables do are left alone.

    Raises:
        OSError: the folder cannot be read, or a file not be moved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = None if cursor is None else _Place(**json.loads(cursor))
    if place is not None and place.whole:
        _put_away(folder, place)
        place = None
    waiting, problems = _files(folder)
    if place is None or place.file not in waiting:
        if not waiting:
            return Poll(rows=(), cursor=None, problems=tuple(problems))
        place = _Place(waiting[0])
    rows, found, place = _read(folder, place)
    return Poll(rows=tuple(rows), cursor=json.dumps(asdict(place)), problems=(*problems, *found), more=True)


def _read(folder: Path, place: _Place) -> tuple[list[dict[str, Any]], list[str], _Place]:
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    end, seen = place.end, 0
    try:
        with (folder / place.file).open("rb") as file:
            mark = _mark(os.fstat(file.fileno()))
            if mark != place.mark:
                place, end = _Place(place.file, mark), 0
            found = read_event_rows(file, place.file, start=place.end, most_bytes=_MOST_LINE_BYTES)
            for one in itertools.islice(found, _MOST_ROWS):
                seen, end = seen + 1, one.end
                try:
                    rows.append(_row(one.value))
                except InvalidInputError as error:
                    problems.append(f"{place.file}, before byte {one.end}: {error}")
                if end - place.end > _MOST_BYTES:
                    break
            whole = next(found, None) is None
    except InvalidInputError as error:  # no table at all
        problems.append(str(error))
        whole = True
    if whole and not (place.good or rows or problems):
        problems.append(f"{place.file}: there is nothing in it")
    return rows, problems, replace(place, end=end, good=place.good or bool(rows), whole=whole)


def _row(value: Any) -> dict[str, Any]:
    row = object_of(value)
    check(Poll, Poll(rows=(row,), cursor=None))  # what is nested too deeply to be handed on is this row's fault alone
    return row


def _files(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of files to read, in order, and what is said of those that never will be."""
    names, others = [], []
    now = time.time()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
                continue
            if not entry.name.lower().endswith(ENDINGS):
                others.append(entry.name)
            elif now - entry.stat().st_mtime >= _SETTLED_S:
                names.append(entry.name)
    told = ", ".join(sorted(others)[:_MOST_NAMED])
    problems = [f"{len(others)} files are not read, since they do not end with {', '.join(ENDINGS)}: {told}"]
    return sorted(names), problems if others else []


def _put_away(folder: Path, place: _Place) -> None:
    """Move a file that was read away, unless it was changed since, up to the moment of its move."""
    source = folder / place.file
    if not source.exists() or _mark(source.stat()) != place.mark:
        return
    target = folder / (DONE if place.good else FAILED)
    target.mkdir(exist_ok=True)
    names = itertools.chain([place.file], (f"{number}-{place.file}" for number in itertools.count(2)))
    moved = source.rename(next(target / name for name in names if not (target / name).exists()))
    if _mark(moved.stat()) != place.mark and not source.exists():
        moved.rename(source)


def _mark(status: os.stat_result) -> str:
    """Return what is another one after any change of a file."""
    return f"{status.st_ino}/{status.st_size}/{status.st_mtime_ns}"
