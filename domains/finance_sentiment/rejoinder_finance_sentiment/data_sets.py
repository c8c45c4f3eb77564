"""Public sets of sentiment in finance, read from the files that they are published as."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rejoinder.errors import InvalidInputError

__all__ = ["LABELS", "PHRASEBANK", "Labelled", "in_test", "phrasebank", "same_text", "sentfin", "twitter", "write_csv"]

LABELS: Final = ("negative", "neutral", "positive")

PHRASEBANK: Final = ("50Agree", "66Agree", "75Agree", "AllAgree")
"""The subsets of the Financial PhraseBank; each holds the next."""

_TWITTER: Final = {"0": "negative", "1": "positive", "2": "neutral"}

_PAIR: Final = re.compile(r"""(["'])(?P<entity>.+?)\1\s*:\s*(["'])(?P<label>negative|neutral|positive)\3(?=\s*[,}])""")
_REPLACED: Final = (("neutral", "hold"), ("negative", "sell"), ("positive", "buy"))
"""Words of labels that a replacement gone too far has put into names of SEntFiN's entities, as in "Bajaj neutralings"."""


class Labelled(NamedTuple):
    """A text with its sentiment: a name in `LABELS`, of `entity`, or where that is empty of the text as a whole."""

    text: str
    label: str
    entity: str = ""


def phrasebank(folder: Path, subset: str = "50Agree") -> list[Labelled]:
    """Return the sentences of a subset of the Financial PhraseBank v1.0 (Malo et al. 2014), repeated ones once.

    Args:
        folder: holds `Sentences_<subset>.txt`, plain (ISO-8859-1, as published, or UTF-8) or gzipped.
        subset: a name in `PHRASEBANK`.

    Raises:
        InvalidInputError: there is no such file, or a line is no `sentence@label`.
    """
    path = _found(folder, f"Sentences_{subset}.txt")
    rows = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        text, at, label = line.rpartition("@")
        if not at or label.strip() not in LABELS:
            raise InvalidInputError(f"{path}, line {number}: expected `sentence@label`, got {line[-60:]!r}")
        rows.append(Labelled(text.strip(), label.strip()))
    return _once(rows)


def twitter(path: Path) -> list[Labelled]:
    """Return the tweets of a file of Twitter Financial News Sentiment (zeroshot, 2022), repeated ones once.

    Raises:
        InvalidInputError: the file cannot be read, or has other labels than 0, 1 and 2.
    """
    rows = []
    for number, row in enumerate(csv.DictReader(io.StringIO(_text(path), newline="")), start=2):
        label = _TWITTER.get((row.get("label") or "").strip())
        if label is None or not (row.get("text") or "").strip():
            raise InvalidInputError(f"{path}, row {number}: expected a text and a label from 0 to 2, got {row!r}")
        rows.append(Labelled(row["text"].strip(), label))
    return _once(rows)


def sentfin(path: Path) -> list[Labelled]:
    """Return one row for each entity of each headline of SEntFiN 1.0 (Sinha et al. 2022, arXiv:2305.12257).

    Names that the publication spoilt ("neutralings" for "Holdings") are set right where the headline tells how.

    Raises:
        InvalidInputError: the file cannot be read, or a row names no entity.
    """
    rows = []
    for number, row in enumerate(csv.DictReader(io.StringIO(_text(path), newline="")), start=2):
        title = " ".join((row.get("Title") or "").split())
        found = list(_PAIR.finditer(row.get("Decisions") or ""))
        if not title or not found:
            raise InvalidInputError(
                f"{path}, row {number}: expected a title and the labels of its entities, got {row!r}"
            )
        rows += [Labelled(title, one["label"], _mended(one["entity"].strip(), title)) for one in found]
    return _once(rows)


def same_text(text: str) -> str:
    """Return what is the same for texts that differ in case, spaces and punctuation only."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def in_test(text: str, *, parts: int = 5, salt: str = "") -> bool:
    """Return whether a text belongs to the one of so many parts that is kept to test on, by a hash of `same_text`."""
    return int(hashlib.sha256(f"{salt}{same_text(text)}".encode()).hexdigest(), 16) % parts == 0


def write_csv(path: Path, rows: Iterable[Labelled]) -> None:
    """Write rows as `rejoinder evaluate sentiment` reads them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Labelled._fields)
        writer.writerows(rows)


def _mended(entity: str, title: str) -> str:
    if entity.casefold() in title.casefold():
        return entity
    for wrong, right in _REPLACED:
        place = title.casefold().find(entity.casefold().replace(wrong, right))
        if wrong in entity.casefold() and place >= 0:
            return title[place : place + len(entity.replace(wrong, right))]
    return entity


def _once(rows: Sequence[Labelled]) -> list[Labelled]:
    """Return the first row of each text and entity."""
    first: dict[tuple[str, str], Labelled] = {}
    for row in rows:
        first.setdefault((same_text(row.text), row.entity.casefold()), row)
    return list(first.values())


def _found(folder: Path, name: str) -> Path:
    path = next((one for one in (folder / name, folder / f"{name}.gz") if one.is_file()), None)
    if path is None:
        raise InvalidInputError(f"{folder} holds neither {name} nor {name}.gz")
    return path


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("iso-8859-1")
