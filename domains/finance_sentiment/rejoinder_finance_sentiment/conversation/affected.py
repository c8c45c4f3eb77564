"""Which companies are linked with one in the graph, by the relation that a question names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rejoinder.graph.names import normalised

from rejoinder_finance_sentiment.links import Link, Linked, links_of

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.schema import GraphSchema

__all__ = ["Way", "around", "ways_named"]

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
) -> tuple[Linked | None, tuple[Way, ...]]:
    """Return what is linked with a company, each other company once, by name, and the ways that a question asks for.

    Args:
        company, name, kinds: see `links_of`, which returns None for a company that the graph does not know.
        text: the question, whose words say which relations are meant; where they say none, all are.
    Raises:
        GraphError: the graph cannot be read.
    """
    near = links_of(graph, schema, company, name, kinds)
    there = near.relations if near is not None else ()
    ways = ways_named(text, dict.fromkeys((*there, *schema.relations)))
    if near is None:
        return None, ways
    wanted: dict[str, Link] = {}
    for one in near.links:
        if not ways or any(_leads(way, one.relation, outwards=one.outwards) for way in ways):
            wanted.setdefault(one.id, one)
    return Linked(near.relations, tuple(sorted(wanted.values(), key=lambda one: normalised(one.name)))), ways


def _leads(way: Way, relation: str, *, outwards: bool) -> bool:
    return way.relation == relation and way.end in ("both", "to" if outwards else "from")
