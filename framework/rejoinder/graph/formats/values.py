"""Values of properties as texts of CSV cells and as JSON, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final, cast, get_args

from rejoinder.errors import GraphSchemaError
from rejoinder.graph.schema import Type
from rejoinder.graph.storable import shown
from rejoinder.graph.values import Scalar

__all__ = ["JSON", "TYPES", "from_json", "list_cell", "listed", "parsed", "to_cell", "to_json", "type_of"]

Value = Scalar | tuple[Scalar, ...]

JSON: Final = "json"
"""The type of a CSV column whose cells are JSON: for properties whose values are of several types."""
TYPES: Final = frozenset(get_args(Type))

_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_INTEGER: Final = re.compile(r"[+-]?\d{1,20}")
_DATE: Final = "$date"
_DATETIME: Final = "$datetime"


def parsed(text: str, expected: str) -> Value:
    """Return the value of a cell that is not empty.

    Args:
        expected: a type of the schema, or "json".
    Raises:
        GraphSchemaError: it is none of that type.
    """
    if expected == JSON:
        try:
            return from_json(json.loads(text), None)
        except (ValueError, RecursionError) as error:
            raise GraphSchemaError(f"got {shown(text)}, expected JSON: {error}") from error
    if expected.endswith("[]"):
        one = expected.removesuffix("[]")
        return tuple([part if one == "string" else _scalar(part, one) for part in listed(text)])
    return _scalar(text, expected)


def listed(text: str) -> tuple[str, ...]:
    """Return the texts of a list in a cell: a JSON list of texts, or texts with `|` between.

    Example:
        >>> listed("Bond|007"), listed('["a|b", "c"]'), listed("[REC]"), listed("")
        (('Bond', '007'), ('a|b', 'c'), ('[REC]',), ())
    """
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            return tuple([one if isinstance(one, str) else json.dumps(one) for one in found])
    return tuple(text.split("|")) if text else ()


def list_cell(values: Iterable[str], *, empty: str = "") -> str:
    """Return a cell that `listed` reads."""
    texts = list(values)
    if not texts:
        return empty
    plain = not texts[0].startswith("[") and all(one and "|" not in one for one in texts)
    return "|".join(texts) if plain else json.dumps(texts, ensure_ascii=False)


def to_cell(value: Value, expected: str) -> str:
    """Return a cell that `parsed` reads as this value."""
    if expected == JSON:
        return json.dumps(to_json(value, None), ensure_ascii=False)
    if isinstance(value, tuple | list):
        return list_cell([_text(one) for one in value], empty="[]")
    return _text(value)


def type_of(value: Value) -> str:
    """Return the type that a value has."""
    if isinstance(value, tuple | list):
        if not value:
            return JSON
        return "string[]" if isinstance(value[0], str) else f"{type_of(value[0])}[]"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, datetime):
        return "datetime"
    if isinstance(value, date):
        return "date"
    return "string" if value else JSON


def to_json(value: Value, expected: str | None) -> Any:
    """Return a value as JSON; times of which the schema does not say that they are times get a mark."""
    if isinstance(value, tuple | list):
        return [to_json(one, expected.removesuffix("[]") if expected else None) for one in value]
    if isinstance(value, datetime):
        return value.isoformat() if expected == "datetime" else {_DATETIME: value.isoformat()}
    if isinstance(value, date):
        return value.isoformat() if expected == "date" else {_DATE: value.isoformat()}
    return value


def from_json(value: Any, expected: str | None) -> Value:
    """Return the value of a property that was given as JSON.

    Args:
        expected: the declared type; None: none.
    Raises:
        GraphSchemaError: it is an object or null, or no time where a time is declared.
    """
    one = expected.removesuffix("[]") if expected else None
    if isinstance(value, list):
        return tuple([cast("Scalar", from_json(part, one)) for part in value])
    if isinstance(value, Mapping):
        if len(value) == 1:
            key, text = next(iter(value.items()))
            if key in (_DATE, _DATETIME) and isinstance(text, str):
                return _scalar(text, key.removeprefix("$"))
        raise GraphSchemaError(f"got the object {shown(dict(value))}, expected a value or a list of values")
    if isinstance(value, str) and one in ("date", "datetime"):
        return _scalar(value, one)
    if isinstance(value, int) and not isinstance(value, bool) and one == "number":
        return float(value)
    return cast("Scalar", value)


def _scalar(text: str, expected: str) -> Scalar:
    found = _READERS[expected](text)
    if found is None:
        raise GraphSchemaError(f"got {shown(text)}, expected {expected}")
    return found


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text.strip()) else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _datetime(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


_READERS: Final[Mapping[str, Callable[[str], Scalar | None]]] = {
    "string": lambda text: text,
    "integer": _integer,
    "number": _number,
    "boolean": lambda text: _BOOLEANS.get(text.strip().casefold()),
    "date": _date,
    "datetime": _datetime,
}
