"""Text files, plain or gzipped, read line by line with their position, and written at once or not at all."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, cast
from uuid import uuid4

from rejoinder.errors import InvalidInputError

__all__ = ["TextLines", "bad_encoding", "opened_for_text", "written_whole"]

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = "\ufeff"
_ENCODING: Final = "utf-8"
_BUFFER: Final = 1 << 17


class TextLines:
    """The lines of a UTF-8 file, each with its line end; bytes that are no UTF-8 come as lone surrogates, and go back to a file as bytes.

    Raises:
        InvalidInputError: there is no such file, or it cannot be read; also while it is read, when it is no whole gzip file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done = 0
        try:
            self._size = path.stat().st_size
            with path.open("rb") as file:
                self._gzipped = file.read(2) == _GZIP
        except OSError as error:
            raise InvalidInputError(f"{path} cannot be read: {error.strerror or error}") from error

    @property
    def fraction(self) -> float:
        """How much of the file was read, in [0, 1]."""
        return min(1.0, self._done / self._size) if self._size else 1.0

    def __iter__(self) -> Iterator[str]:
        """Return its lines."""
        try:
            with self._path.open("rb", buffering=_BUFFER) as raw:
                file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if self._gzipped else raw
                for number, line in enumerate(file):
                    self._done = raw.tell() if not self._gzipped or number % 256 == 0 else self._done
                    text = line.decode(_ENCODING, "surrogateescape")
                    yield text.removeprefix(_BOM) if number == 0 else text
        except (OSError, EOFError) as error:
            raise InvalidInputError(f"{self._path} cannot be read to its end: {error}") from error


def bad_encoding(text: str) -> bool:
    """Say whether a text that `TextLines` gave was no UTF-8."""
    return not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text)


def opened_for_text(path: Path) -> IO[str]:
    """Open a file for writing, gzipped where its name ends so; what exists is replaced.

    Raises:
        InvalidInputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name.endswith(".gz"):
            return cast("IO[str]", gzip.open(path, "wt", encoding=_ENCODING, errors="surrogateescape", newline=""))
        return path.open("w", encoding=_ENCODING, errors="surrogateescape", newline="")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}") from error


@contextmanager
def written_whole(path: Path) -> Iterator[IO[str]]:
    """Open a file that takes its place only when all of it is written.

    Raises:
        InvalidInputError: it cannot be written.
    """
    beside = path.with_name(f".{uuid4().hex}.{path.name}")
    try:
        with opened_for_text(beside) as file:
            yield file
        try:
            os.replace(beside, path)  # noqa: PTH105
        except OSError as error:
            raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink()
