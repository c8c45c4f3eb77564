"""Make one understanding out of what several plugins said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rejoinder.payloads import Entity, Reading, Slot, Span, Understanding


def merge_understandings(understandings: Iterable[Understanding]) -> Understanding:
    """Merge readings by task and intent, entities by name and span, slots by name; the surer one stays, earlier wins a tie.

    Returns:
        Readings and entities, surest first; the language and model versions of the first that gave one; `in_scope` is the
        highest that any plugin gave, since one that knows the subject is enough.

    Example:
        >>> merge_understandings([
        ...     Understanding(readings=(Reading(intent="refund", confidence=0.6),)),
        ...     Understanding(readings=(Reading(intent="refund", confidence=0.8), Reading(intent="track", confidence=0.7))),
        ... ]).readings[0].confidence
        0.8
    """
    readings: dict[tuple[str, str], Reading] = {}
    entities: dict[tuple[str, Span | None, str], Entity] = {}
    slots: dict[str, Slot] = {}
    versions: dict[str, str] = {}
    language: str | None = None
    in_scope: float | None = None
    for one in understandings:
        for reading in one.readings:
            key = (reading.task, reading.intent)
            before = readings.get(key)
            if before is None or reading.confidence > before.confidence:
                readings[key] = reading if before is None else replace(reading, title=reading.title or before.title)
        for entity in one.entities:
            place = (entity.name, entity.span, "" if entity.span else entity.value)
            if place not in entities or entity.confidence > entities[place].confidence:
                entities[place] = entity
        for slot in one.slots:
            if slot.name not in slots or slot.confidence > slots[slot.name].confidence:
                slots[slot.name] = slot
        versions = {**one.model_versions, **versions}
        language = language or one.language
        if one.in_scope is not None:
            in_scope = one.in_scope if in_scope is None else max(in_scope, one.in_scope)
    return Understanding(
        readings=tuple(sorted(readings.values(), key=lambda reading: -reading.confidence)),
        entities=tuple(sorted(entities.values(), key=lambda entity: -entity.confidence)),
        slots=tuple(slots.values()),
        language=language,
        in_scope=in_scope,
        model_versions=versions,
    )
