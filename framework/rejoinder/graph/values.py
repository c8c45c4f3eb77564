"""What the knowledge graph holds and gives back: plain frozen values, checked where they are written (`rejoinder.graph.schema`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Scalar = str | int | float | bool | date | datetime
Properties = Mapping[str, Scalar | tuple[Scalar, ...]]
"""Properties by name; values are what both servers store: scalars, or a tuple of scalars of one type."""

NOTHING: Properties = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A thing that the bot knows.

    Attributes:
        id: unique within the tenant; what upserts and relations refer to.
        kind: a kind of the schema, such as "movie".
        name: what people call it; need not be unique.
        aliases: other names.
        sources: names of all sources that said so, sorted; deletion by source removes an entity with its last one.
        time: when the latest of them said so, aware; None: unknown.
        confidence: of the latest of them, in [0, 1].
    """

    id: str
    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    properties: Properties = field(default_factory=lambda: NOTHING)
    sources: tuple[str, ...] = ()
    time: datetime | None = None
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A typed, directed connection of two entities; subject, name and object are its identity.

    Attributes:
        subject, object: ids of entities.
        name: a relation of the schema, such as "directed_by".
        sources, time, confidence: as of `Entity`.
    """

    subject: str
    name: str
    object: str
    properties: Properties = field(default_factory=lambda: NOTHING)
    sources: tuple[str, ...] = ()
    time: datetime | None = None
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One relation of a path, followed from subject to object, or with `inverse` from object to subject."""

    relation: str
    inverse: bool = False

    def __str__(self) -> str:
        """Return the step as text, such as "directed_by" or "^directed_by" (SPARQL's sign for an inverse path)."""
        return f"^{self.relation}" if self.inverse else self.relation


RelationPath = tuple[Step, ...]
"""A path by its relations: (^directed_by, has_genre) leads from a director to the genres of his films."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A walk through the graph: entities n + 1, relations n, in order; a relation may be walked against its direction."""

    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """What lies around an entity: the entities met, itself first, and the relations between them.

    Attributes:
        truncated: whether there is more than the limit let through.
    """

    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entity found by a search, with a score in [0, 1], higher is better."""

    entity: Entity
    score: float


How = Literal["name", "alias", "spelling", "meaning", "context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An entity that a piece of text means.

    Attributes:
        start, end: characters [start, end) of the text.
        text: those characters.
        score: in [0, 1], comparable within one text.
        how: by its name, an alias, a name misspelt, its meaning (vectors), or a pronoun for what was spoken of before.
    """

    entity: Entity
    start: int
    end: int
    text: str
    score: float
    how: How
