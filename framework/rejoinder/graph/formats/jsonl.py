"""JSON lines: one object a line, an entity or a relation.

    {"id": "movie:Heat", "kind": "movie", "name": "Heat", "aliases": ["Heat (1995)"], "properties": {"year": 1995}}
    {"subject": "movie:Heat", "relation": "directed_by", "object": "person:Michael Mann"}

Further keys: `description`, `sources`, `time`, `confidence`. Keys that are none of these are properties too. Dates are texts where the
schema declares them, else {"$date": "1995-12-15"} or {"$datetime": "1995-12-15T20:00:00+00:00"}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rejoinder.errors import GraphSchemaError
from rejoinder.graph.formats.files import TextLines, bad_encoding
from rejoinder.graph.formats.rows import REASON, BadRow, Row
from rejoinder.graph.formats.values import from_json, to_json
from rejoinder.graph.names import entity_id
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.storable import shown
from rejoinder.graph.values import Entity, Relation

__all__ = ["JsonlReader", "JsonlRejects", "json_line"]

_COMMON: Final = frozenset(("properties", "sources", "time", "confidence", REASON))
_ENTITY: Final = _COMMON | {"id", "kind", "name", "aliases", "description"}
_RELATION: Final = _COMMON | {"subject", "relation", "object"}
_LINE: Final = "_line"


class JsonlReader:
    """Reads a file of JSON lines.

    Raises:
        InvalidInputError: the file cannot be read.
    """

    def __init__(self, path: Path, schema: GraphSchema) -> None:
        self._lines = TextLines(path)
        self._schema = schema

    @property
    def fraction(self) -> float:
        """How much of the file was read, in [0, 1]."""
        return self._lines.fraction

    def rejects(self) -> JsonlRejects:
        """Return how its rows are written to a reject file."""
        return JsonlRejects()

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Return its rows."""
        for number, text in enumerate(self._lines, start=1):
            if not text.strip():
                continue
            try:
                yield Row(number, self._built(_object(text)), text)
            except GraphSchemaError as error:
                yield BadRow(number, str(error), text)

    def _built(self, told: Mapping[str, Any]) -> Entity | Relation:
        if "relation" in told or "subject" in told or "object" in told:
            name = _required(told, "relation")
            return Relation(
                subject=_required(told, "subject"),
                name=name,
                object=_required(told, "object"),
                properties=self._properties(told, _RELATION, name, relation=True),
                **_provenance(told),
            )
        kind, name = _required(told, "kind"), _required(told, "name")
        return Entity(
            id=_required(told, "id") if told.get("id") is not None else entity_id(kind, name),
            kind=kind,
            name=name,
            aliases=_texts(told, "aliases"),
            description=_required(told, "description") if told.get("description") is not None else "",
            properties=self._properties(told, _ENTITY, kind, relation=False),
            **_provenance(told),
        )

    def _properties(
        self, told: Mapping[str, Any], fields: frozenset[str], kind: str, *, relation: bool
    ) -> dict[str, Any]:
        given = told.get("properties") or {}
        if not isinstance(given, Mapping):
            raise GraphSchemaError(f"properties: got {shown(given)}, expected an object")
        found = {}
        for name, value in {**given, **{key: told[key] for key in told.keys() - fields}}.items():
            if value is None:
                continue
            try:
                found[name] = from_json(value, self._schema.property_type(kind, name, relation=relation))
            except GraphSchemaError as error:
                raise GraphSchemaError(f"property {shown(name)}: {error}") from error
        return found


class JsonlRejects:
    """Writes bad lines with a key for the reason; what is no object at all as a text within one."""

    def head(self) -> str:
        """Return nothing: there is no header."""
        return ""

    def line(self, raw: str, line: int, reason: str) -> str:
        """Return a line."""
        try:
            told = {**_object(raw)}
        except GraphSchemaError:
            told = {_LINE: raw.rstrip("\r\n")}
        told[REASON] = f"line {line}: {reason}"
        return f"{json.dumps(told, ensure_ascii=False)}\n"


def json_line(one: Entity | Relation, schema: GraphSchema) -> str:
    """Return an entity or a relation as a line that `JsonlReader` reads."""
    told: dict[str, Any]
    if isinstance(one, Entity):
        told = {"id": one.id, "kind": one.kind, "name": one.name}
        if one.aliases:
            told["aliases"] = list(one.aliases)
        if one.description:
            told["description"] = one.description
    else:
        told = {"subject": one.subject, "relation": one.name, "object": one.object}
    if one.properties:
        relation = isinstance(one, Relation)
        kind = one.name if isinstance(one, Relation) else one.kind
        told["properties"] = {
            name: to_json(value, schema.property_type(kind, name, relation=relation))
            for name, value in sorted(one.properties.items())
        }
    told["sources"] = list(one.sources)
    if one.time is not None:
        told["time"] = one.time.isoformat()
    if one.confidence != 1.0:
        told["confidence"] = one.confidence
    return f"{json.dumps(told, ensure_ascii=False)}\n"


def _object(text: str) -> Mapping[str, Any]:
    if bad_encoding(text):
        raise GraphSchemaError("is not UTF-8; convert the file")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GraphSchemaError(f"is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise GraphSchemaError(f"got {shown(told)}, expected an object")
    return told


def _required(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not (value or key == "description"):
        raise GraphSchemaError(f"{key}: got {shown(value)}, expected a text")
    return value


def _texts(told: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = told.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise GraphSchemaError(f"{key}: got {shown(value)}, expected a list of texts")
    return tuple(value)


def _provenance(told: Mapping[str, Any]) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if told.get("sources") is not None:
        more["sources"] = tuple(sorted(set(_texts(told, "sources"))))
    if told.get("time") is not None:
        more["time"] = _time(told["time"])
    if told.get("confidence") is not None:
        more["confidence"] = told["confidence"]
    return more


def _time(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise GraphSchemaError(f"time: got {shown(value)}, expected a text like 2026-01-31T12:00:00+00:00") from error
