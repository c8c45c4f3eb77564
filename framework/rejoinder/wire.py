"""The one way between payloads and JSON, and the one check of a payload's fields.

pydantic reads the annotations of the payload classes; it is imported here and nowhere else on the way of `import rejoinder`.
Integers, strings and truth values are taken strictly ("3" is no 3); numpy floats pass as floats, lists pass as tuples. On top
of what pydantic does by itself, datetimes must be aware, and a `Json` field must hold what JSON can say: NaN, infinities, sets
and objects are refused instead of being turned into null.

`check` stands in the way of every hook call: a Reading takes 1.2 us, an Understanding with two readings and an entity 4.5 us
(`python -m timeit`, best of five, Python 3.11 on two shared cores), nearly all of it pydantic's own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation
from pydantic_core import SchemaSerializer, SchemaValidator, core_schema

from rejoinder.errors import PayloadError, did_you_mean

__all__ = ["check", "dump_bytes", "from_json", "is_jsonable", "load_bytes", "to_json"]

_T = TypeVar("_T")

_LIVE = frozenset({"callable", "is-instance", "is-subclass"})
"""Core schema types of what lives in one process only: functions, classes, routers."""

_MAX_SHOWN = 80
"""Characters of a refused value that an error shows."""

_MAX_DEPTH = 64
"""Levels of nesting in a `Json` value."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Converter:
    validator: SchemaValidator
    serializer: SchemaSerializer
    live_field: str | None


def check(cls: type[_T], value: object) -> _T:
    """Return a copy of a payload whose every field was checked, nested payloads included.

    Args:
        cls: the payload class that is expected; also `str`, `int`, `float`, `bool`.
        value: an instance of it.
    Raises:
        PayloadError: it is no instance, or a field does not fit; the text names the field, what came and what was expected.
    """
    if not isinstance(value, cls):
        raise PayloadError(f"expected {cls.__name__}, got {type(value).__name__} ({_shown(value)})")
    try:
        return cast("_T", _converter(cast("type", cls)).validator.validate_python(value))
    except ValidationError as error:
        raise _refusal(cls, error) from error


def from_json(cls: type[_T], data: object) -> _T:
    """Make a payload from what a JSON parser gave.

    Raises:
        PayloadError: a key is unknown or missing, or a value does not fit; or `cls` holds what JSON cannot say.
    """
    converter = _jsonable(cls)
    if isinstance(data, cls) and dataclasses.is_dataclass(cls):
        raise PayloadError(f"{cls.__name__}: expected JSON data, got an instance; use check() for instances")
    try:
        return cast("_T", converter.validator.validate_python(data))
    except ValidationError as error:
        raise _refusal(cls, error) from error


def load_bytes(cls: type[_T], data: bytes | str) -> _T:
    """Make a payload from JSON text.

    Raises:
        PayloadError: it is not JSON, a key is unknown or missing, or a value does not fit.
    """
    try:
        return cast("_T", _jsonable(cls).validator.validate_json(data))
    except ValidationError as error:
        raise _refusal(cls, error) from error


def to_json(value: object, *, is_checked: bool = False) -> Any:
    """Return a payload as dicts, lists, strings, numbers and None; datetimes become ISO 8601 text.

    Args:
        is_checked: whether all that it is made of was checked before, and need not be again.

    Raises:
        PayloadError: the value does not fit its class, or its class holds what JSON cannot say.
    """
    checked, serializer = _checked(value, is_checked)
    return serializer.to_python(checked, mode="json")


def dump_bytes(value: object, *, is_checked: bool = False) -> bytes:
    """Return a payload as JSON text in UTF-8; the same value gives the same bytes. Argument and errors as `to_json`."""
    checked, serializer = _checked(value, is_checked)
    return serializer.to_json(checked)


def is_jsonable(cls: type) -> bool:
    """Say whether a payload class can cross a process; False where it holds functions, classes or routers."""
    return _converter(cls).live_field is None


def _checked(value: object, is_checked: bool) -> tuple[object, SchemaSerializer]:
    cls = type(value)
    if not dataclasses.is_dataclass(cls):
        raise PayloadError(f"expected a payload, got {cls.__name__} ({_shown(value)})")
    return value if is_checked else check(cls, value), _jsonable(cls).serializer


def _jsonable(cls: type) -> _Converter:
    converter = _converter(cls)
    if converter.live_field is not None:
        raise PayloadError(
            f"{cls.__name__} cannot be turned into JSON or made from it: its field {converter.live_field!r} lives in one "
            "process only; pass names or ids and look the object up at the other end"
        )
    return converter


@cache
def _converter(cls: type) -> _Converter:
    try:
        schema = TypeAdapter(cls).core_schema
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as error:
        raise PayloadError(f"{cls.__name__} is no payload class: {error}") from error
    live_field = _live_field(cls)
    tightened = cast("core_schema.CoreSchema", _tightened(schema, json_only=live_field is None))
    return _Converter(SchemaValidator(tightened), SchemaSerializer(schema), live_field)


def _live_field(cls: type) -> str | None:
    """Return the first field that JSON cannot say, e.g. `learner` of Task; None when there is none."""
    if not dataclasses.is_dataclass(cls):
        return None
    hints = dict(cls.__annotations__)
    for field in dataclasses.fields(cls):
        hint = str(hints.get(field.name, field.type))
        # `Any` that is not `Json` stands for an object of another library (a router, an application).
        if "Callable" in hint or hint == "Any" or hint.split(" ")[0] == "type":
            return field.name
    return None


def _tightened(schema: Any, *, json_only: bool) -> Any:
    """Return a core schema in which scalars are strict, datetimes aware and, if asked, `Any` is checked to be JSON."""
    if isinstance(schema, list):
        return [_tightened(part, json_only=json_only) for part in schema]
    if isinstance(schema, tuple):
        return tuple(_tightened(part, json_only=json_only) for part in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind == "any" and json_only:
        return core_schema.no_info_plain_validator_function(_json_value)
    made = {
        key: part if key in ("metadata", "serialization", "config") else _tightened(part, json_only=json_only)
        for key, part in schema.items()
    }
    if kind in ("int", "str", "bool"):
        made["strict"] = True
    elif kind == "datetime":
        made["tz_constraint"] = "aware"
    return made


def _json_value(value: object, depth: int = 0) -> object:
    """Return a value that JSON can say, tuples as lists; refuse any other."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ValueError("JSON has no NaN and no infinities")
    if depth >= _MAX_DEPTH:
        raise ValueError(f"nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, list | tuple):
        return [_json_value(part, depth + 1) for part in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"JSON has string keys only, not {type(key).__name__}")  # noqa: TRY004  # for pydantic
        return {key: _json_value(part, depth + 1) for key, part in value.items()}
    raise ValueError(f"JSON cannot say a {type(value).__name__}")


def _refusal(cls: type, error: ValidationError) -> PayloadError:
    """Put the first two findings into words: the field's path, what was expected, what came."""
    findings = error.errors(include_url=False, include_context=False)
    findings.sort(key=lambda finding: finding["type"].startswith("missing"))  # a misspelt key explains a missing one
    told = []
    for finding in findings[:2]:
        path = ".".join(str(part) for part in finding["loc"] if part != cls.__name__)
        where = f"{cls.__name__}.{path}" if path else cls.__name__
        message = finding["msg"].removeprefix("Value error, ")
        if finding["type"] in ("unexpected_keyword_argument", "unexpected_property"):
            message = f"there is no such field{_close_field(cls, str(finding['loc'][-1]))}"
        shown = "" if finding["type"].startswith("missing") else f"; got {_shown(finding['input'])}"
        told.append(f"{where}: {message}{shown}")
    more = f" (and {len(findings) - 2} more)" if len(findings) > 2 else ""
    return PayloadError("; ".join(told) + more)


def _close_field(cls: type, name: str) -> str:
    names = [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    return "." + did_you_mean(name, names)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
