"""Files and DataFrames, loaded into one tenant's graph in batches: what is bad is told and set aside, the rest is written.

Loading is idempotent. What was interrupted, however harshly, is completed by loading the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from rejoinder.errors import GraphSchemaError, InvalidInputError
from rejoinder.graph.formats.csv import CsvReader
from rejoinder.graph.formats.files import opened_for_text
from rejoinder.graph.formats.frames import FrameReader
from rejoinder.graph.formats.jsonl import JsonlReader
from rejoinder.graph.formats.rows import BadRow, Reader, Rejects, Row
from rejoinder.graph.formats.triples import TriplesReader
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.values import Entity, Relation
from rejoinder.graph.writing import Writer, WriteReport

if TYPE_CHECKING:
    from rejoinder.graph.space import Space

__all__ = ["CSV_FILES", "PROBLEMS", "Format", "LoadReport", "Problem", "Progress", "format_of", "load", "load_frame"]

Format = Literal["csv", "jsonl", "triples"]

Progress = Callable[[int, float], None]
"""Told how many rows were read so far, and how much of the whole that is, in [0, 1]."""

PROBLEMS: Final = 100
"""Bad rows that a report holds; all are in the reject file."""

CSV_FILES: Final = ("entities.csv", "relations.csv")
"""What a folder of CSV files holds, each also with `.gz`; loaded in this order."""

_READERS: Final[Mapping[str, Callable[[Path, GraphSchema], Reader]]] = {
    "csv": CsvReader,
    "jsonl": JsonlReader,
    "triples": TriplesReader,
}
_SUFFIXES: Final[Mapping[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "triples",
    ".triples": "triples",
}
_PROGRESS_ROWS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A row that was not loaded.

    Attributes:
        file: name of the file, or "entities" or "relations" of a DataFrame.
        line: where the row begins; the first line of a file and the first row of a DataFrame is 1.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        """Return it as text, such as "films.csv:7: column 'year': got 'x', expected integer"."""
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a load did.

    Attributes:
        rows: rows that were read.
        bad: how many of them were not loaded.
        problems: the first `PROBLEMS` of those.
        written: what was created, updated, and there already; of triples, the entities at their ends too.
        rejects: files of the rows that were not loaded, each with its reason; as many as were read with such rows.
    """

    rows: int
    bad: int
    problems: tuple[Problem, ...]
    written: WriteReport
    rejects: tuple[Path, ...] = ()


def load(
    space: Space,
    schema: GraphSchema,
    path: Path,
    *,
    source: str | None,
    format: Format | None = None,  # noqa: A002
    time: datetime | None = None,
    rejects: Path | None = None,
    bare: bool = False,
    batch: int = 1000,
    progress: Progress | None = None,
) -> LoadReport:
    """Write what a file holds; a folder is read as its `entities.csv` and `relations.csv`.

    Args:
        path: plain or gzipped; UTF-8, with or without a byte order mark.
        source: who says so; None: each row says its `sources`.
        format: None: by the name: `.csv` and `.tsv`; `.jsonl` and `.ndjson`; `.txt` and `.triples`.
        time: when, for rows that say no time.
        rejects: where rows that cannot be loaded go, in the same format with the reason; of a folder, a folder. What is there is
            replaced, and removed when all rows are good. When they are put right, the file can be loaded as it is.
        bare: whether entities that relations name and that are not there are made of their ids; of triples they always are.
        batch: how many are written in one transaction, 1 to 10,000.
        progress: told after each batch.
    Raises:
        InvalidInputError: the file cannot be read, or is of no known format, its header is not understood, or `rejects` cannot be written.
        GraphUnavailableError, GraphError: the server failed. What is written stays; load again to complete it.
    """
    loading = _Loading(space, schema, source=source, time=time, bare=bare, batch=batch, progress=progress)
    readers: list[tuple[str, Reader, Path | None]]
    if path.is_dir():
        files = _csv_files(path)
        readers = [(file.name, CsvReader(file, schema), rejects and rejects / file.name) for file in files]
    else:
        format = format or format_of(path)  # noqa: A001
        files = [path]
        readers = [(path.name, _READERS[format](path, schema), rejects)]
    _check_rejects([target for _, _, target in readers if target], files)
    for share, (name, reader, target) in enumerate(readers):
        loading.read(name, reader, target, share / len(readers), 1 / len(readers))
    return loading.report()


def load_frame(
    space: Space,
    schema: GraphSchema,
    entities: Any = None,
    relations: Any = None,
    *,
    source: str | None,
    time: datetime | None = None,
    rejects: Path | None = None,
    bare: bool = False,
    batch: int = 1000,
    progress: Progress | None = None,
) -> LoadReport:
    """Write the rows of DataFrames of pandas or polars; columns as in CSV files, see `rejoinder.graph.formats.columns`.

    Args:
        rejects: a folder for `entities.csv` and `relations.csv` with the rows that cannot be loaded.
        source, time, bare, batch, progress: as of `load`.
    Raises:
        InvalidInputError: one is no DataFrame, or its columns are not understood.
        GraphUnavailableError, GraphError: as of `load`.
    """
    loading = _Loading(space, schema, source=source, time=time, bare=bare, batch=batch, progress=progress)
    readers: list[tuple[str, Reader, Path | None]] = [
        (name, FrameReader(frame, schema, place=name), rejects and rejects / f"{name}.csv")
        for name, frame in (("entities", entities), ("relations", relations))
        if frame is not None
    ]
    for share, (name, reader, target) in enumerate(readers):
        loading.read(name, reader, target, share / len(readers), 1 / len(readers))
    return loading.report()


def format_of(path: Path) -> Format:
    """Return the format that a file's name says.

    Raises:
        InvalidInputError: it says none.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.casefold()
    if suffix not in _SUFFIXES:
        raise InvalidInputError(
            f"{path}: the format is not known by its name; say csv, jsonl or triples, or name it with one of {', '.join(_SUFFIXES)}"
        )
    return _SUFFIXES[suffix]


class _Loading:
    """One load of one or several tables."""

    def __init__(
        self,
        space: Space,
        schema: GraphSchema,
        *,
        source: str | None,
        time: datetime | None,
        bare: bool,
        batch: int,
        progress: Progress | None,
    ) -> None:
        self._rows = 0
        self._bad = 0
        self._problems: list[Problem] = []
        self._rejected: list[Path] = []
        self._tell: Callable[[], None] = lambda: None
        self._progress = progress
        self._aside: Callable[[BadRow], None] = lambda row: None
        self._writer = Writer(
            space,
            schema,
            source=source,
            time=time,
            bare=bare,
            batch=batch,
            progress=lambda more: self._tell(),
            refused=self._refused,
        )

    def read(self, name: str, reader: Reader, rejects: Path | None, begin: float, share: float) -> None:
        """Load one table, which is a share of the whole."""
        self._tell = partial(self._told, reader, begin, share)
        with _Aside(rejects, reader.rejects()) as aside:
            self._aside = partial(self._set_aside, name, aside)
            for row in reader:
                self._rows += 1
                if isinstance(row, BadRow):
                    self._aside(row)
                else:
                    self._take(row)
                if self._rows % _PROGRESS_ROWS == 0:
                    self._tell()
            self._writer.flush()
        if aside.written:
            self._rejected.append(aside.written)
        self._tell()

    def report(self) -> LoadReport:
        """Return what was done."""
        return LoadReport(
            rows=self._rows,
            bad=self._bad,
            problems=tuple(self._problems),
            written=self._writer.close(),
            rejects=tuple(self._rejected),
        )

    def _take(self, row: Row) -> None:
        try:
            if isinstance(row.item, Entity):
                self._writer.add_entity(row.item)
            else:
                self._writer.add_relation(row.item, ends=row.ends, row=(row.line, row.raw))
        except GraphSchemaError as error:
            self._aside(BadRow(row.line, str(error), row.raw))

    def _refused(self, relation: Relation, row: tuple[int, Any], error: GraphSchemaError) -> None:
        self._aside(BadRow(row[0], str(error), row[1]))

    def _set_aside(self, name: str, aside: _Aside, row: BadRow) -> None:
        self._bad += 1
        if len(self._problems) < PROBLEMS:
            self._problems.append(Problem(file=name, line=row.line, reason=row.reason))
        aside.put(row)

    def _told(self, reader: Reader, begin: float, share: float) -> None:
        if self._progress is not None:
            self._progress(self._rows, begin + share * reader.fraction)


class _Aside:
    """A reject file, made when there is something for it."""

    def __init__(self, path: Path | None, rejects: Rejects) -> None:
        self._path = path
        self._rejects = rejects
        self._file: IO[str] | None = None

    @property
    def written(self) -> Path | None:
        """The file, when there is one."""
        return self._path if self._file else None

    def put(self, row: BadRow) -> None:
        """Write a row."""
        if self._path is None:
            return
        if self._file is None:
            self._file = opened_for_text(self._path)
            self._file.write(self._rejects.head())
        self._file.write(self._rejects.line(row.raw, row.line, row.reason))

    def __enter__(self) -> _Aside:
        """Remove what an earlier load left."""
        if self._path is not None:
            with suppress(FileNotFoundError):
                self._path.unlink()
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _csv_files(folder: Path) -> list[Path]:
    found = [file for name in CSV_FILES for file in (folder / name, folder / f"{name}.gz") if file.is_file()]
    if not found:
        raise InvalidInputError(f"{folder} is a folder without {' or '.join(CSV_FILES)}: name a file")
    return found


def _check_rejects(targets: Iterable[Path], files: Iterable[Path]) -> None:
    read = {file.resolve() for file in files}
    for target in targets:
        if target.resolve() in read:
            raise InvalidInputError(f"{target}: the reject file cannot be the file that is loaded; name another")
