"""Layers of settings: merge them, remember where each value came from, and check the whole against a pydantic model."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python

from rejoinder.errors import SettingsError, did_you_mean
from rejoinder.fields import describe_field, field_at, holds_secret, leaves, problems_of
from rejoinder.payloads import Json

__all__ = ["MASK", "Given", "KeyPath", "Layer", "Layered", "Origin", "Setting", "check", "dotted", "read_toml", "rows"]

KeyPath = tuple[str, ...]
MASK = "**********"
"""What is shown in the place of a secret."""

_Model = TypeVar("_Model", bound=BaseModel)


def dotted(path: Sequence[str | int]) -> str:
    """Return a key path as a person writes it.

    Example:
        >>> dotted(("server", "cors_origins", 0))
        'server.cors_origins[0]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: the layer ("default", "file", "environment", "tenant_defaults", "tenant_file", "tenant") and the
    place in it (a file and line, a variable's name)."""

    layer: str
    place: str

    def __str__(self) -> str:
        return self.place


DEFAULT = Origin("default", "default")


@dataclass(frozen=True, slots=True)
class Layer:
    """The values that one layer gives, with the place of each key as far as it is known."""

    name: str
    place: str
    values: Mapping[str, Any] = field(repr=False)
    places: Mapping[KeyPath, str] = field(default_factory=dict, repr=False)

    def origin(self, path: KeyPath) -> Origin:
        """Return where the value at a path, or what contains it, was given."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return Origin(self.name, self.places[path[:end]])
        return Origin(self.name, self.place)

    def table(self, key: str) -> Layer:
        """Return the layer of one table; an empty one where there is no such table."""
        values = self.values.get(key, {})
        places = {path[1:]: place for path, place in self.places.items() if path[0] == key and len(path) > 1}
        return Layer(self.name, self.origin((key,)).place, values, places)


@dataclass(frozen=True, slots=True)
class Given:
    """A value that one layer gave."""

    origin: Origin
    value: Any = field(repr=False)


class Layered:
    """Layers merged, weakest first: tables key by key, all else whole.

    Attributes:
        values: the merged values.
        given: for each key that a layer set, what each layer gave, weakest first.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self.values: dict[str, Any] = {}
        self.given: dict[KeyPath, list[Given]] = {}
        for layer in layers:
            self._merge(self.values, layer.values, layer, ())

    def origin(self, path: KeyPath) -> Origin:
        """Return where the value at a path, or what contains it, came from; of a table, where its strongest layer begins it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.given:
                return self.given[path[:end]][-1].origin
        inside = (layer.origin(path) for layer in reversed(self.layers) if path in layer.places)
        return next(inside, DEFAULT)

    def _merge(self, into: dict[str, Any], values: Mapping[str, Any], layer: Layer, path: KeyPath) -> None:
        for key, value in values.items():
            here = (*path, key)
            if isinstance(value, Mapping):
                inner = into.get(key)
                if not isinstance(inner, dict):
                    inner = into[key] = {}
                    self.given.pop(here, None)
                self._merge(inner, value, layer, here)
                continue
            if isinstance(into.get(key), dict):
                for other in [other for other in self.given if other[: len(here)] == here]:
                    del self.given[other]
            into[key] = copy.deepcopy(value)
            self.given.setdefault(here, []).append(Given(layer.origin(here), value))


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is shown: its dotted key, its value (a secret is masked), where that came from, and what it overrides."""

    key: str
    value: Json
    origin: Origin
    help: str = ""
    secret: bool = False
    overridden: tuple[tuple[Origin, Json], ...] = ()


def rows(model: BaseModel, layered: Layered, prefix: KeyPath = ()) -> Iterator[Setting]:
    """Yield each setting of a checked model, in declared order, secrets masked; `prefix` goes before the keys shown."""
    for path, value, info in leaves(model):
        secret = holds_secret(info.annotation)
        given = layered.given.get(path, [])
        overridden = [(one.origin, MASK if secret else _shown(one.value)) for one in reversed(given[:-1])]
        if given and not isinstance(value, Mapping) and not info.is_required() and not _is_free(model, path):
            overridden.append((DEFAULT, _shown(info.get_default(call_default_factory=True, validated_data={}))))
        key = dotted((*prefix, *path))
        yield Setting(key, _shown(value), layered.origin(path), info.description or "", secret, tuple(overridden))


def _is_free(model: BaseModel, path: KeyPath) -> bool:
    """Tell whether the last part of a path is a key that the model does not name."""
    return len(field_at(type(model), path)[0]) < len(path)


def _shown(value: Any) -> Json:
    return str(value) if isinstance(value, SecretStr) else to_jsonable_python(value, fallback=str)


def check(
    model: type[_Model],
    layered: Layered,
    *,
    prefix: KeyPath = (),
    elsewhere: Sequence[str] = (),
    context: Mapping[str, Any] | None = None,
) -> tuple[_Model | None, list[str], list[str]]:
    """Check merged values against a model; keys that the model does not know are refused, whatever its configuration says.

    Args:
        prefix: goes before the keys in the texts.
        elsewhere: further dotted keys that an unknown key may be meant to be.
        context: what the model's validators may look at beside the values, as `ValidationInfo.context`.
    Returns:
        The model, or None where something is wrong; what is wrong; and which required keys are missing. A text names the place,
        the key, what came (never of a secret), and what was expected.
    """
    wrong: list[str] = []
    for path, text in problems_of(model, layered.values, elsewhere=elsewhere):
        wrong.append(f"{layered.origin(path).place}: {dotted((*prefix, *path))}: {text}")
    if wrong:
        return None, wrong, []
    missing: list[str] = []
    try:
        return model.model_validate(copy.deepcopy(layered.values), context=context), [], []
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            lost = detail["type"] == "missing"
            (missing if lost else wrong).append(_explain(model, layered, detail, prefix))
    return None, wrong, missing


def _explain(model: type[BaseModel], layered: Layered, detail: ErrorDetails, prefix: KeyPath) -> str:
    loc = detail["loc"]
    known, info = field_at(model, loc)
    path = tuple(part for part in known if isinstance(part, str))
    place = layered.origin(path).place if path else "settings"
    key = dotted((*prefix, *known, *loc[len(known) :])) or "settings"
    if detail["type"] == "missing":
        expected = f" ({describe_field(info)})" if info is not None else ""
        return f"{key} is missing{expected}"
    if info is None or detail["type"] in ("value_error", "assertion_error"):
        text = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return f"{place}: {key}: {text}"
    if holds_secret(info.annotation):
        return f"{place}: {key}: got a value that is not shown, expected {describe_field(info)}"
    value = detail["input"]
    choices = [str(choice) for choice in get_args(info.annotation)] if get_origin(info.annotation) is Literal else []
    hint = f".{did_you_mean(value, choices)}" if isinstance(value, str) and choices else ""
    return f"{place}: {key}: got {_came(value)}, expected {describe_field(info)}{hint}"


def _came(value: Any) -> str:
    if isinstance(value, (str, int, float)):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return {list: "a list", dict: "a table", type(None): "nothing"}.get(type(value), type(value).__name__)


# --- TOML ----------------------------------------------------------------------------------------------------------

_HEADER = re.compile(r"^\s*\[([^\[\]]+)\]\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def read_toml(file: Path, name: str) -> Layer:
    """Read a TOML file as the layer `name`.

    Raises:
        SettingsError: it cannot be read, or is not TOML; the text names the file and, where TOML tells, the line.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: is not UTF-8: byte {error.start} cannot be read; save it as UTF-8") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: is not TOML: {error}") from error
    places = {path: f"{file}:{line}" for path, line in _lines(text).items()}
    return Layer(name, str(file), values, places)


def _lines(text: str) -> dict[KeyPath, int]:
    """Find the line of each key and table header; what lies within strings of several lines is passed over."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    closing = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if header := _HEADER.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_parts(key[1])), number)
        closing = next((quotes for quotes in ('"""', "'''") if line.count(quotes) % 2), "")
    return lines


def _parts(text: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PART.findall(text))
