"""Examples from files, for each kind of task that `rejoinder train` knows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import InvalidInputError
from rejoinder.learning.labelled_csv import read_data, read_labelled_csv
from rejoinder.learning.squad_json import read_squad_json
from rejoinder.models.training.objectives.entity import texts_about
from rejoinder.payloads import Example

LABEL_SEPARATOR: Final = "|"
"""Between the labels of one row of a CSV file."""

_FIELDS: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "label": (str,),
    "other": (str,),
    "target": (list, dict),
    "weight": (int, float),
    "polarity": (str,),
}
_POLARITIES: Final = ("positive", "negative", "correction")


def read_examples(path: Path | str, kind: str) -> tuple[list[Example], str]:
    """Read examples of one kind of task.

    Args:
        path: a file, plain or gzipped, UTF-8. Whatever the kind, a name ending in `.jsonl` (or `.jsonl.gz`) has a JSON object a line, with
            `text` and what the task wants of `label`, `other`, `target`, `weight` and `polarity` (see `Example`). Else for
            "classification" and "multi-label" a CSV file with header `text,label` (labels of one row separated by `|`), and for "qa" a
            JSON file as SQuAD's.
        kind: "classification", "multi-label", "pairs", "qa" or "tags".

    Returns:
        The examples in file order, and the SHA-256 of the file's content.

    Raises:
        InvalidInputError: the file cannot be read or has another form; the message names the file, the line and what was expected.
    """
    path = Path(path)
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        data = read_data(path)
        return _lines(path, data, kind), hashlib.sha256(data).hexdigest()
    if kind not in _READERS:
        raise InvalidInputError(
            f"{path}: examples of {kind} come as JSON lines, one object a line, in a file whose name ends in .jsonl or .jsonl.gz"
        )
    return _READERS[kind](path)


def _classified(path: Path) -> tuple[list[Example], str]:
    rows = read_labelled_csv(path)
    entities = rows.entities or ("",) * len(rows.texts)
    return replace(rows, texts=texts_about(rows.texts, entities)).examples(task="classification"), rows.sha256


def _labelled(path: Path) -> tuple[list[Example], str]:
    rows = read_labelled_csv(path)
    examples = [
        replace(
            one, label=None, target=[part.strip() for part in str(one.label).split(LABEL_SEPARATOR) if part.strip()]
        )
        for one in rows.examples(task="multi-label")
    ]
    return examples, rows.sha256


def _asked(path: Path) -> tuple[list[Example], str]:
    found = read_squad_json(path)
    return found.examples(task="qa"), found.sha256


_READERS: Final[Mapping[str, Callable[[Path], tuple[list[Example], str]]]] = {
    "classification": _classified,
    "multi-label": _labelled,
    "qa": _asked,
}


def _lines(path: Path, data: bytes, kind: str) -> list[Example]:
    found = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            said = json.loads(line.decode("utf-8-sig"))
        except ValueError as error:
            raise InvalidInputError(f"{place}: not JSON in UTF-8 ({error})") from error
        found.append(_example(place, f"{path.name}:{number}", said, kind))
    if not found:
        raise InvalidInputError(f"{path} has no line with an example")
    return found


def _example(place: str, name: str, said: Any, kind: str) -> Example:
    if not isinstance(said, dict) or not isinstance(said.get("text"), str):
        raise InvalidInputError(f'{place}: expected an object with at least "text", came {str(said)[:80]}')
    values: dict[str, Any] = {}
    for field, types in _FIELDS.items():
        value = said.get(field)
        if value is None:
            continue
        if not isinstance(value, types) or isinstance(value, bool):
            wanted = " or ".join(one.__name__ for one in types)
            raise InvalidInputError(f"{place}: {field} is {str(value)[:80]!r}, expected {wanted}")
        values[field] = value
    if values.get("polarity", "positive") not in _POLARITIES:
        raise InvalidInputError(
            f"{place}: polarity is {values['polarity']!r}, expected one of {', '.join(_POLARITIES)}"
        )
    if values.get("weight", 1.0) < 0:
        raise InvalidInputError(f"{place}: weight is {values['weight']}, expected a number >= 0")
    return Example(id=name, task=kind, **values)
