"""Which companies are linked with one in the graph, by the relation that a question names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rejoinder.graph.names import normalised

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.schema import GraphSchema

__all__ = ["Around", "Linked", "Way", "around", "ways_named"]

_MOST: Final = 200
_STEM: Final = 5
"""Letters at the beginning by which words of one family are known: "suppliers", "supplies", "supplied"."""

_OTHER_WORDS: Final = {
    "customer": ("supplies", "to"), "client": ("supplies", "to"), "buyer": ("supplies", "to"), "vendor": ("supplies", "from"),
    "supply": ("supplies", "from"), "owner": ("subsidiary_of", "to"), "owns": ("subsidiary_of", "to"), "parent": ("subsidiary_of", "to"),
    "unit": ("subsidiary_of", "from"), "daughter": ("subsidiary_of", "from"),
}  # fmt: skip
"""Words for the relations that the domain declares, which their names do not hold."""

_MUTUAL: Final = ("compet", "partner", "peer", "rival", "linked", "related")
_WORD: Final = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Way:
    """A relation, and from which end it is followed.

    Attributes:
        end: "from": those from which it leads to the company; "to": those to which it leads from there; "both".
        word: the word of the question.
    """

    relation: str
    end: Literal["from", "to", "both"]
    word: str


@dataclass(frozen=True, slots=True)
class Linked:
    """A company that is linked with another: its entity's id and name, and how, read from the other company."""

    id: str
    name: str
    says: str


@dataclass(frozen=True, slots=True)
class Around:
    """What lies one step around a company in the graph.

    Attributes:
        found: whether the graph knows the company.
        relations: names of the relations that it has there.
        linked: companies at the other ends, those of the ways that were asked for.
    """

    found: bool
    relations: tuple[str, ...] = ()
    linked: tuple[Linked, ...] = ()


def ways_named(text: str, relations: Iterable[str]) -> tuple[Way, ...]:
    """Return the relations that a question names; none: it asks for all.

    "Suppliers of X" are those that a relation of that stem leads from.

    Example:
        >>> ways_named("Which suppliers of it are affected?", ["supplies", "subsidiary_of"])
        (Way(relation='supplies', end='from', word='suppliers'),)
    """
    known = tuple(relations)
    found: dict[str, Way] = {}
    for word in _WORD.findall(text.casefold()):
        for relation in known:
            stem = relation.casefold()[:_STEM]
            if len(stem) == _STEM and word.startswith(stem):
                end: Literal["from", "both"] = "both" if relation.casefold().startswith(_MUTUAL) else "from"
                found.setdefault(relation, Way(relation, end, word))
        for other, (relation, way) in _OTHER_WORDS.items():
            if word.startswith(other) and relation in known:
                found.setdefault(relation, Way(relation, "to" if way == "to" else "from", word))
    return tuple(found.values())


def around(
    graph: Graph, schema: GraphSchema, company: str, name: str, text: str, kinds: Sequence[str]
) -> tuple[Around, tuple[Way, ...]]:
    """Return what is linked with a company, and the ways that a question asks for.

    Args:
        company: an entity's id; where there is none of it, the entity of this `name`.
        text: the question, whose words say which relations are meant; where they say none, all are.
        kinds: of entities that are companies.
    Raises:
        GraphError: the graph cannot be read.
    """
    entity = graph.entity(company)
    if entity is None:
        entity = next(iter(graph.named(name, limit=1)), None)
    declared = tuple(schema.relations)
    if entity is None:
        return Around(found=False), ways_named(text, declared)
    near = graph.neighbourhood(entity.id, hops=1, limit=_MOST)
    there = tuple(dict.fromkeys(one.name for one in near.relations))
    ways = ways_named(text, dict.fromkeys((*there, *declared)))
    others = {one.id: one for one in near.entities if one.id != entity.id and one.kind in kinds}
    linked: dict[str, Linked] = {}
    for one in near.relations:
        outwards = one.subject == entity.id
        other = others.get(one.object if outwards else one.subject)
        if other is None or (ways and not any(_leads(way, one.name, outwards=outwards) for way in ways)):
            continue
        says = _says(schema, one.name, outwards=outwards)
        linked.setdefault(other.id, Linked(other.id, other.name, says))
    return Around(
        found=True, relations=there, linked=tuple(sorted(linked.values(), key=lambda one: normalised(one.name)))
    ), ways


def _leads(way: Way, relation: str, *, outwards: bool) -> bool:
    return way.relation == relation and way.end in ("both", "to" if outwards else "from")


def _says(schema: GraphSchema, relation: str, *, outwards: bool) -> str:
    """Return how another company is linked, as in "it supplies"."""
    declared = schema.relations.get(relation)
    plain = relation.replace("_", " ").casefold()
    title = (declared.title if declared is not None else "") or plain
    if outwards:
        inverse = declared.inverse_title if declared is not None else ""
        return inverse or f"reached by “{plain}”"
    return title
