"""Labelled texts from CSV files: header `text,label` (and `entity`), UTF-8, gzipped or plain."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.errors import InvalidInputError
from rejoinder.payloads import Example

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTexts:
    """Texts and labels in file order, and the SHA-256 of the file's content.

    `entities` says for each text which entity its label is about, "" for the text as a whole; () where the file has no such column.
    `sources` are the texts as the file has them, where `texts` are made of them; () where they are the same.
    """

    path: Path
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    sha256: str
    entities: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def plain_texts(self) -> tuple[str, ...]:
        """The texts as the file has them."""
        return self.sources or self.texts

    def examples(self, *, task: str = "intent") -> list[Example]:
        """Return one example for each row; ids are `<file name>:<row>`, rows counted from 1."""
        pairs = zip(self.texts, self.labels, strict=True)
        return [
            Example(id=f"{self.path.name}:{row}", task=task, text=text, label=label)
            for row, (text, label) in enumerate(pairs, start=1)
        ]

    def take(self, rows: Sequence[int]) -> LabelledTexts:
        """Return the same with only these rows, in their order."""
        return LabelledTexts(
            path=self.path,
            texts=tuple(self.texts[row] for row in rows),
            labels=tuple(self.labels[row] for row in rows),
            sha256=self.sha256,
            entities=tuple(self.entities[row] for row in rows) if self.entities else (),
            sources=tuple(self.sources[row] for row in rows) if self.sources else (),
        )


def read_labelled_csv(path: Path | str) -> LabelledTexts:
    """Read a CSV file with the columns `text` and `label`, and `entity` if there is one; other columns are ignored.

    Args:
        path: a file, plain or gzipped (`.gz`), UTF-8 with or without a byte-order mark.

    Raises:
        InvalidInputError: the file cannot be read, is not UTF-8, has no such columns, has a row without text or label, or no rows; the
            message names the file and the line.
    """
    path = Path(path)
    data = read_data(path)
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidInputError(f"{path}, line {line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    texts: list[str] = []
    labels: list[str] = []
    entities: list[str] = []
    reader = csv.DictReader(io.StringIO(decoded, newline=""), strict=True)
    try:
        columns = [name.strip() for name in reader.fieldnames or []]
        missing = [name for name in ("text", "label") if name not in columns]
        if not columns:
            raise InvalidInputError(f"{path} is empty: expected a header `text,label` and at least one row")
        if missing:
            raise InvalidInputError(
                f"{path}, line 1: the header has no column {' and no column '.join(map(repr, missing))}; it has {', '.join(columns)}; "
                "expected `text,label`"
            )
        reader.fieldnames = columns
        for row in reader:
            text, label = row["text"], row["label"]
            if text is None or label is None or not text.strip() or not label.strip():
                what = "text" if text is None or not text.strip() else "label"
                raise InvalidInputError(f"{path}, line {reader.line_num}: the row has no {what}")
            if None in row:
                raise InvalidInputError(
                    f"{path}, line {reader.line_num}: more fields than the {len(columns)} of the header; put texts with commas in quotes"
                )
            texts.append(text)
            labels.append(label.strip())
            entities.append((row.get("entity") or "").strip())
    except csv.Error as error:
        raise InvalidInputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error
    if not texts:
        raise InvalidInputError(f"{path} has a header and no rows")
    return LabelledTexts(
        path=path,
        texts=tuple(texts),
        labels=tuple(labels),
        sha256=hashlib.sha256(data).hexdigest(),
        entities=tuple(entities) if "entity" in columns else (),
    )


def read_data(path: Path) -> bytes:
    """Return a file's content, unpacked where it is gzipped.

    Raises:
        InvalidInputError: it cannot be read.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInputError(f"{path} cannot be read: {reason}") from error
