"""What a settings model says of its fields: keys, types and ranges in words, secrets."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AliasChoices, BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from rejoinder.errors import did_you_mean

__all__ = [
    "describe",
    "describe_field",
    "field_at",
    "holds_secret",
    "keys_of",
    "leaves",
    "problems_of",
    "seal_secrets",
    "unit_of",
]

_UNITS = {
    "_per_minute": "per minute",
    "_bytes": "bytes",
    "_chars": "characters",
    "_ms": "milliseconds",
    "_s": "seconds",
}


def unit_of(name: str) -> str:
    """Return the unit that a setting's name ends with, or "".

    Example:
        >>> unit_of("turn_deadline_s")
        'seconds'
    """
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


# --- types in words ------------------------------------------------------------------------------------------------

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    bytes: "bytes",
    Path: "path",
    dict: "table",
    list: "list",
    Any: "any value",
    types.NoneType: "unset",
}


def describe_field(info: FieldInfo) -> str:
    """Return the type and range of a field in words, e.g. "integer from 1 to 65535"."""
    return describe(info.annotation, info.metadata)


def describe(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Return a type and its range in words.

    Example:
        >>> describe(Literal["a", "b"]), describe(int | None)
        ("one of 'a', 'b'", 'integer or unset')
    """
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return describe(inner, (*metadata, *more))
    return (_describe_type(annotation) + _describe_range(metadata)).strip()


def _describe_type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(repr(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(argument) for argument in arguments)
    if origin in (list, tuple, set, frozenset):
        return f"list of {describe(arguments[0])}" if arguments else "list"
    if origin is dict or origin is Mapping or _is_mapping(origin):
        return f"table of {describe(arguments[1])}" if len(arguments) == 2 else "table"
    if not isinstance(annotation, type):
        return _WORDS.get(annotation, str(annotation))
    if _is_secret(annotation):
        return "secret text"
    if issubclass(annotation, BaseModel):
        return "table"
    if issubclass(annotation, enum.Enum):
        return "one of " + ", ".join(repr(member.value) for member in annotation)
    return _WORDS.get(annotation, annotation.__name__)


def _describe_range(metadata: Sequence[Any]) -> str:
    low = high = more = ""
    for one in metadata:
        match one:
            case FieldInfo():
                return _describe_range([*one.metadata, *(other for other in metadata if other is not one)])
            case annotated_types.Ge():
                low = f"at least {one.ge}"
            case annotated_types.Gt():
                low = f"above {one.gt}"
            case annotated_types.Le():
                high = f"at most {one.le}"
            case annotated_types.Lt():
                high = f"below {one.lt}"
            case annotated_types.MinLen() if one.min_length:
                more += f", at least {one.min_length} long"
            case annotated_types.MaxLen():
                more += f", at most {one.max_length} long"
            case _:
                pattern = getattr(one, "pattern", None)
                more += f" like {getattr(pattern, 'pattern', pattern)}" if pattern else ""
    if low.startswith("at least") and high.startswith("at most"):
        return f" from {low.removeprefix('at least ')} to {high.removeprefix('at most ')}{more}"
    return "".join(f" {part}" for part in (low, "and" if low and high else "", high) if part) + more


# --- secrets -------------------------------------------------------------------------------------------------------


def _is_secret(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, (SecretStr, SecretBytes, Secret))


def holds_secret(annotation: Any, _seen: frozenset[type] = frozenset()) -> bool:
    """Tell whether a value of this type is, or holds anywhere within, a secret."""
    if _is_secret(annotation) or get_origin(annotation) is Secret:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in _seen:
            return False
        seen = _seen | {annotation}
        return any(holds_secret(info.annotation, seen) for info in annotation.model_fields.values())
    return any(holds_secret(argument, _seen) for argument in get_args(annotation))


def seal_secrets(model: type[BaseModel], path: Sequence[str], value: Any, seal: Callable[[Any], Any]) -> Any:
    """Return a value for a key path of a model with everything secret in it sealed, misspelt keys beside a secret too."""
    known, info = field_at(model, path)
    if len(known) < len(path) or (path and info is None):
        return seal(value) if info is not None and holds_secret(info.annotation) else value
    nested = [model] if info is None else _models(info.annotation)
    if isinstance(value, Mapping) and nested:
        return {key: seal_secrets(model, (*path, str(key)), inner, seal) for key, inner in value.items()}
    return seal(value) if info is not None and holds_secret(info.annotation) and value is not None else value


# --- walking -------------------------------------------------------------------------------------------------------


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union, and what else it is without `Annotated`."""
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _alternatives(argument)
    else:
        yield annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [one for one in _alternatives(annotation) if isinstance(one, type) and issubclass(one, BaseModel)]


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields by every name under which a value may be given."""
    by_name = model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name")
    fields: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias or info.alias
        names = [one for one in alias.choices if isinstance(one, str)] if isinstance(alias, AliasChoices) else [alias]
        if alias is None or by_name:
            names = [*names, name]
        fields.update({one: info for one in names if isinstance(one, str)})
    return fields


def keys_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Yield the key path and field of every setting of a model, those of nested models included."""
    for name, info in _fields(model).items():
        nested = _models(info.annotation)
        if len(nested) == 1 and len(path) < 8:
            yield from keys_of(nested[0], (*path, name))
        else:
            yield (*path, name), info


def leaves(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, FieldInfo]]:
    """Yield key path, value and field of every setting of a checked model; a table that is free in its keys is taken apart."""
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        alias = info.validation_alias or info.alias
        here = (*path, alias if isinstance(alias, str) else name)
        if isinstance(value, BaseModel):
            yield from leaves(value, here)
        elif isinstance(value, Mapping) and value:
            yield from (((*here, str(key)), inner, info) for key, inner in value.items())
        else:
            yield here, value, info


def field_at(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[tuple[str | int, ...], FieldInfo | None]:
    """Return how far an error's location leads into a model, and the field there."""
    info: FieldInfo | None = None
    models = [model]
    for index, part in enumerate(loc):
        found = next((_fields(one)[part] for one in models if isinstance(part, str) and part in _fields(one)), None)
        if found is None:
            return tuple(loc[:index]), info
        info, models = found, _models(found.annotation)
    return tuple(loc), info


def problems_of(
    model: type[BaseModel], values: Mapping[str, Any], *, elsewhere: Sequence[str] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield path and text of what is wrong in ways that pydantic would let pass: unknown keys, and booleans for numbers."""
    everywhere = [*(".".join(path) for path, _ in keys_of(model)), *elsewhere]
    yield from _problems(model, values, (), everywhere)


def _problems(
    model: type[BaseModel], values: Mapping[str, Any], path: tuple[str, ...], everywhere: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    fields = _fields(model)
    for key, value in values.items():
        here = (*path, str(key))
        if key in fields:
            info = fields[key]
            yield from _problems_inside(info.annotation, value, here, everywhere, describe_field(info))
            continue
        hint = did_you_mean(str(key), fields)
        if not hint:
            same = [one for one in everywhere if one.rpartition(".")[2] == key]
            hint = f" Did you mean {same[0]!r}?" if same else f" Known here: {', '.join(sorted(fields)) or 'nothing'}."
        yield here, f"unknown key.{hint}"


def _problems_inside(
    annotation: Any, value: Any, path: tuple[str, ...], everywhere: Sequence[str], expected: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    alternatives = list(_alternatives(annotation))
    if isinstance(value, bool) and bool not in alternatives and any(one in (int, float) for one in alternatives):
        yield path, f"got {str(value).lower()}, expected {expected}"
        return
    models = _models(annotation)
    if isinstance(value, Mapping):
        if len(models) == 1 and len(alternatives) - alternatives.count(types.NoneType) == 1:
            yield from _problems(models[0], value, path, everywhere)
        for one in alternatives:
            if (get_origin(one) is dict or _is_mapping(get_origin(one))) and len(get_args(one)) == 2:
                for key, inner in value.items():
                    inside = get_args(one)[1]
                    yield from _problems_inside(inside, inner, (*path, str(key)), everywhere, describe(inside))
    elif isinstance(value, (list, tuple)):
        for one in alternatives:
            if get_origin(one) in (list, tuple, set, frozenset) and get_args(one):
                for index, inner in enumerate(value):
                    inside = get_args(one)[0]
                    yield from _problems_inside(inside, inner, (*path, str(index)), everywhere, describe(inside))
