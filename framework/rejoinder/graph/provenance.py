"""What becomes of an entity or relation when a source says it again.

Sources are united. The rest is what the latest of them says, so that it does not matter in which order they are written; what comes
without a time counts as the latest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from rejoinder.errors import GraphSchemaError
from rejoinder.graph.values import Entity, Relation

__all__ = ["said_by", "tidied", "together", "united"]

_One = TypeVar("_One", Entity, Relation)


def said_by(one: _One, source: str | None, time: datetime | None) -> _One:
    """Return an entity or relation with a source added, and a time where it has none.

    Raises:
        GraphSchemaError: there is no source at all.
    """
    if source is None and not one.sources:
        raise GraphSchemaError("sources: none is given, neither here nor for the whole; name one")
    sources = united(one.sources, (source,) if source is not None else ())
    if sources == one.sources and (time is None or one.time is not None):
        return one
    return replace(one, sources=sources, time=one.time or time)


def tidied(one: _One) -> _One:
    """Return an entity or relation with tuples for lists, as it is read back."""
    if isinstance(one, Entity) and isinstance(one.aliases, list):
        one = replace(one, aliases=tuple(one.aliases))
    if any(isinstance(value, list) for value in one.properties.values()):
        properties = {key: tuple(value) if isinstance(value, list) else value for key, value in one.properties.items()}
        one = replace(one, properties=properties)
    return one


def together(old: _One, new: _One, *, bare: bool = False) -> _One:
    """Return what is known after both; `bare` adds only its sources."""
    sources = united(old.sources, new.sources)
    older = old.time is not None and new.time is not None and new.time < old.time
    if bare or older:
        return old if sources == old.sources else replace(old, sources=sources)
    return replace(new, sources=sources, time=new.time or old.time)


def united(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    """Return the sources of both, sorted."""
    return tuple(sorted({*first, *second}))
