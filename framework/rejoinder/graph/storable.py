"""What both graph servers can keep, within limits that hold one careless row off the others."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from rejoinder.errors import GraphSchemaError
from rejoinder.graph.values import Entity, Relation, Scalar

__all__ = [
    "KIND_PATTERN",
    "MAX_ALIASES",
    "MAX_ID_CHARS",
    "MAX_LIST",
    "MAX_NAME_CHARS",
    "MAX_PROPERTIES",
    "MAX_SOURCES",
    "MAX_TEXT_CHARS",
    "PROPERTY_PATTERN",
    "RESERVED",
    "check_source",
    "check_storable",
    "check_time",
    "relation_place",
    "shown",
]

MAX_ID_CHARS: Final = 1000
MAX_NAME_CHARS: Final = 1000
"""Characters of a name or an alias; in UTF-8 at most half of what a Neo4j range index takes as a key."""
MAX_ALIASES: Final = 200
MAX_TEXT_CHARS: Final = 100_000
"""Characters of a description or of a text property."""
MAX_LIST: Final = 1000
MAX_PROPERTIES: Final = 100
MAX_SOURCES: Final = 1000

KIND_PATTERN: Final = r"[a-z][a-z0-9_]{0,63}"
"""What kinds and relations are called; they become part of query texts."""
PROPERTY_PATTERN: Final = r"[a-zA-Z][a-zA-Z0-9_]{0,63}"

RESERVED: Final = frozenset(
    (
        *("id", "kind", "name", "aliases", "description", "search"),
        *("subject", "relation", "object"),
        *("source", "sources", "time", "confidence"),
    )
)
"""Names that no property may have: the fields of entities and relations, and the columns of their files."""

_KIND: Final = re.compile(KIND_PATTERN)
_PROPERTY: Final = re.compile(PROPERTY_PATTERN)
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_INT64: Final = 2**63


def shown(text: object) -> str:
    """Return a value for an error message: quoted, and cut where it is long."""
    quoted = repr(text)
    return quoted if len(quoted) <= 80 else f"{quoted[:70]}...{quoted[-1]} ({len(str(text))} characters)"


def relation_place(relation: Relation) -> str:
    """Return how a relation is named in error messages."""
    return f"relation {shown(relation.subject)} {shown(relation.name)} {shown(relation.object)}"


def check_storable(one: Entity | Relation) -> None:
    """Check all of an entity or relation that does not depend on the schema.

    Raises:
        GraphSchemaError: something is empty, too long, too many, not finite, or holds characters that cannot be stored;
            the message names the entity or relation and the field.
    """
    if isinstance(one, Entity):
        place = f"entity {shown(one.id)}"
        _check_text(f"{place}: id", one.id, MAX_ID_CHARS)
        _check_name(f"{place}: kind", one.kind, _KIND)
        _check_text(f"{place}: name", one.name, MAX_NAME_CHARS)
        if not isinstance(one.aliases, tuple | list):
            raise GraphSchemaError(f"{place}: aliases: expected a tuple of texts, got {shown(one.aliases)}")
        if len(one.aliases) > MAX_ALIASES:
            raise GraphSchemaError(f"{place}: aliases: {len(one.aliases)} of them, at most {MAX_ALIASES} are kept")
        for alias in one.aliases:
            _check_text(f"{place}: aliases", alias, MAX_NAME_CHARS)
        _check_text(f"{place}: description", one.description, MAX_TEXT_CHARS, blank=True)
    else:
        place = relation_place(one)
        _check_text(f"{place}: subject", one.subject, MAX_ID_CHARS)
        _check_name(f"{place}: relation", one.name, _KIND)
        _check_text(f"{place}: object", one.object, MAX_ID_CHARS)
    if not isinstance(one.properties, Mapping):
        raise GraphSchemaError(f"{place}: properties: expected a mapping, got {shown(one.properties)}")
    if len(one.properties) > MAX_PROPERTIES:
        raise GraphSchemaError(f"{place}: {len(one.properties)} properties, at most {MAX_PROPERTIES} are kept")
    for key, value in one.properties.items():
        _check_name(f"{place}: property", key, _PROPERTY)
        if key in RESERVED:
            raise GraphSchemaError(f"{place}: property {key!r} has the name of a field; give it another name")
        _check_value(f"{place}: property {key!r}", value)
    if len(one.sources) > MAX_SOURCES:
        raise GraphSchemaError(f"{place}: {len(one.sources)} sources, at most {MAX_SOURCES} are kept")
    for source in one.sources:
        check_source(source, f"{place}: sources")
    check_time(one.time, f"{place}: time")
    if isinstance(one.confidence, bool) or not isinstance(one.confidence, int | float) or not 0 <= one.confidence <= 1:
        raise GraphSchemaError(f"{place}: confidence: got {shown(one.confidence)}, expected a number from 0 to 1")


def check_source(source: str, place: str = "source") -> None:
    """Check the name of a source.

    Raises:
        GraphSchemaError: it is empty, too long, or holds characters that cannot be stored.
    """
    _check_text(place, source, MAX_NAME_CHARS)


def check_time(time: datetime | None, place: str = "time") -> None:
    """Check a time, which may be unknown (None).

    Raises:
        GraphSchemaError: it is no datetime, or has no time zone.
    """
    if time is None:
        return
    if not isinstance(time, datetime):
        raise GraphSchemaError(f"{place}: got {shown(time)}, expected a datetime with a time zone")
    if time.utcoffset() is None:
        raise GraphSchemaError(f"{place}: {time.isoformat()} has no time zone; add one, such as UTC")


def _check_text(place: str, text: object, most: int, *, blank: bool = False) -> None:
    if not isinstance(text, str):
        raise GraphSchemaError(f"{place}: got {shown(text)}, expected a text")
    if not blank and not text.strip():
        raise GraphSchemaError(f"{place}: is empty")
    if len(text) > most:
        raise GraphSchemaError(f"{place}: {len(text)} characters, at most {most} are kept")
    if bad := _UNSTORABLE.search(text):
        raise GraphSchemaError(f"{place}: holds the character U+{ord(bad[0]):04X}, which cannot be stored; remove it")


def _check_name(place: str, name: object, pattern: re.Pattern[str]) -> None:
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise GraphSchemaError(f"{place}: {shown(name)} is no name of the form {pattern.pattern}")


def _check_value(place: str, value: Scalar | tuple[Scalar, ...]) -> None:
    if isinstance(value, tuple | list):
        if len(value) > MAX_LIST:
            raise GraphSchemaError(f"{place}: a list of {len(value)}, at most {MAX_LIST} are kept")
        if len({type(one) for one in value}) > 1:
            raise GraphSchemaError(f"{place}: the values of a list must be of one type, got {shown(value)}")
        for one in value:
            if isinstance(one, tuple | list):
                raise GraphSchemaError(f"{place}: a list within a list cannot be stored")
            _check_value(place, one)
    elif isinstance(value, str):
        _check_text(place, value, MAX_TEXT_CHARS, blank=True)
    elif isinstance(value, bool):
        return
    elif isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise GraphSchemaError(f"{place}: {shown(value)} is beyond 64 bits; store it as text")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise GraphSchemaError(f"{place}: {value} is no number; leave the property out")
    elif isinstance(value, datetime):
        check_time(value, place)
    elif not isinstance(value, date):
        hint = "; leave the property out" if value is None else ""
        raise GraphSchemaError(
            f"{place}: {shown(value)} cannot be stored, expected text, number, boolean, date, datetime or a list of them{hint}"
        )
