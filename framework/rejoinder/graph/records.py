"""Entities and relations as a graph server keeps them, and back.

Times go in as UTC: ArcadeDB gives them back without their zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rejoinder.graph.names import halves, normalised
from rejoinder.graph.values import NOTHING, Entity, Properties, Relation, Scalar

__all__ = [
    "entity_of",
    "entity_record",
    "loaded",
    "name_records",
    "names_of",
    "relation_of",
    "relation_record",
    "search_text",
    "stored",
]

_ENTITY: Final = frozenset(("id", "kind", "name", "aliases", "description", "search", "sources", "time", "confidence"))
_RELATION: Final = frozenset(("sources", "time", "confidence"))
_PLAIN: Final = frozenset((str, int, float, bool))


def entity_of(node: Mapping[str, Any]) -> Entity:
    """Return the entity that a node's properties hold."""
    get = node.get
    time = get("time")
    return Entity(
        id=node["id"],
        kind=node["kind"],
        name=node["name"],
        aliases=tuple(get("aliases") or ()),
        description=get("description") or "",
        properties=_properties(node, _ENTITY),
        sources=tuple(get("sources") or ()),
        time=None if time is None else loaded(time),
        confidence=_confidence(get("confidence")),
    )


def relation_of(record: Mapping[str, Any], subject: str, name: str, object: str) -> Relation:  # noqa: A002
    """Return the relation that a relationship's properties, type and ends hold."""
    get = record.get
    time = get("time")
    return Relation(
        subject=subject,
        name=name,
        object=object,
        properties=_properties(record, _RELATION),
        sources=tuple(get("sources") or ()),
        time=None if time is None else loaded(time),
        confidence=_confidence(get("confidence")),
    )


def entity_record(entity: Entity) -> dict[str, Any]:
    """Return the properties of an entity's node; what is unknown is left out."""
    record: dict[str, Any] = {
        "id": entity.id,
        "kind": entity.kind,
        "name": entity.name,
        "aliases": list(entity.aliases),
        "description": entity.description,
        "search": search_text(entity),
    }
    return _with_rest(record, entity)


def relation_record(relation: Relation) -> dict[str, Any]:
    """Return the properties of a relation's relationship; what is unknown is left out."""
    return _with_rest({}, relation)


def names_of(entity: Entity) -> dict[str, bool]:
    """Return the forms in which an entity is looked up, and whether each is but an alias."""
    forms = dict.fromkeys(map(normalised, entity.aliases), True)
    forms[normalised(entity.name)] = False
    return forms


def name_records(entity: Entity) -> list[dict[str, Any]]:
    """Return the properties of an entity's name nodes: a form, whether it is but an alias, and its halves, for names with a typo."""
    records = []
    for text, alias in names_of(entity).items():
        head, tail = halves(text) or (None, None)
        records.append({"text": text, "entity": entity.id, "alias": alias, "head": head, "tail": tail})
    return records


def search_text(entity: Entity) -> str:
    """Return the text in which an entity's words are searched: name, aliases and description, a line each."""
    return "\n".join(part for part in (entity.name, *entity.aliases, entity.description) if part)


def stored(value: Scalar | Iterable[Scalar]) -> Any:
    """Return a property's value as the driver is given it."""
    if isinstance(value, tuple | list):
        return [stored(one) for one in value]
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def loaded(value: Any) -> Any:
    """Return a property's value that the driver gave: times as aware datetimes in UTC, lists as tuples."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, list):
        return tuple([loaded(one) for one in value])
    native = value.to_native() if hasattr(value, "to_native") else value
    if isinstance(native, datetime):
        return native.replace(tzinfo=UTC) if native.tzinfo is None else native.astimezone(UTC)
    return native


def _with_rest(record: dict[str, Any], one: Entity | Relation) -> dict[str, Any]:
    record["sources"] = list(one.sources)
    record["confidence"] = float(one.confidence)
    if one.time is not None:
        record["time"] = stored(one.time)
    for key, value in one.properties.items():
        record[key] = stored(value)
    return record


def _properties(record: Mapping[str, Any], fields: frozenset[str]) -> Properties:
    if fields.issuperset(record):
        return NOTHING
    return {key: loaded(value) for key, value in record.items() if key not in fields and value is not None}


def _confidence(value: float | None) -> float:
    return 1.0 if value is None else float(value)
