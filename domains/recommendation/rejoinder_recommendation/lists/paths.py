"""How listed items are connected with what a person turned to: read from the tenant's knowledge graph, or from the items' attributes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rejoinder.errors import GraphError
from rejoinder.graph.graph import Graph
from rejoinder.items.attributes import TAG, attributes_of
from rejoinder.items.item_graph import ITEM, entity_id

if TYPE_CHECKING:
    from rejoinder.context import Context
    from rejoinder.graph.tenant_graph import TenantGraph

    from rejoinder_recommendation.lists.shelf import Shelf

__all__ = ["ItemPath", "find_paths"]

_MOST_PATHS: Final = 5
"""Paths to one listed item."""

Where = Literal["graph", "attributes"]


@dataclass(frozen=True, slots=True)
class ItemPath:
    """A path from an item that a person knows to a listed one.

    Attributes:
        item: id of the item that the person knows.
        relation: in words: what both have, such as "director", or how one names the other, such as "bought together".
        value: what both have, as it is called; None where one names the other.
        source: where it was read.
    """

    item: str
    relation: str
    value: str | None
    source: Where

    def sentence(self, title: str) -> str:
        """Return the path in words; `title` is that of the item that the person knows."""
        if self.value is None:
            return f"{self.relation.capitalize()}: {title}."
        return f"Same {self.relation} as {title}: {self.value}."


class _Edge(NamedTuple):
    """What an item has, or which item it names (`named`)."""

    item: str
    relation: str
    value: str
    name: str
    named: bool


async def find_paths(
    shelf: Shelf, listed: Sequence[int], known: Sequence[int], context: Context
) -> dict[int, tuple[ItemPath, ...]]:
    """Return paths from what a person knows to listed items, by place, the most telling first: at most 5 for each.

    An item that names the other comes first, then values that few of these items have, tags last; of equals those of the item turned to
    most lately. Where the tenant has a graph, they are read from it, and where it cannot be reached, from the attributes.

    Args:
        listed: places on the shelf.
        known: places of what the person turned to, the latest first.
    """
    items = shelf.catalogue.items
    ids = [items[place].id for place in dict.fromkeys((*listed, *known))]
    edges: list[_Edge] = []
    source: Where = "graph"
    if context.graph is not None and known:
        try:
            edges = await _edges_in_graph(ids, context.graph)
        except GraphError as error:
            context.logger.warning("paths are read from the items' attributes, since the graph failed: %s", error)
    if not edges:
        edges, source = _edges_of_attributes(shelf, ids), "attributes"
    by_item: defaultdict[str, list[_Edge]] = defaultdict(list)
    for edge in edges:
        by_item[edge.item].append(edge)
    having = Counter((edge.relation, edge.value) for edge in edges)
    found = {}
    for place in listed:
        ranked: list[tuple[tuple[int, int, int, int, str], ItemPath]] = []
        for age, other in enumerate(known):
            mine, theirs = items[place].id, items[other].id
            for edge in _between(by_item[mine], by_item[theirs], mine, theirs):
                plain = edge.relation == TAG
                count = 0 if edge.named else having[edge.relation, edge.value]
                path = ItemPath(theirs, edge.relation, None if edge.named else edge.name, source)
                ranked.append(((not edge.named, plain, count, age, edge.value), path))
        found[place] = tuple(dict.fromkeys(path for _, path in sorted(ranked, key=lambda one: one[0])))[:_MOST_PATHS]
    return found


def _between(mine: Iterable[_Edge], theirs: Iterable[_Edge], my_id: str, their_id: str) -> list[_Edge]:
    """Return what two items share, and how one names the other."""
    has = {(edge.relation, edge.value) for edge in theirs if not edge.named}
    shared = [edge for edge in mine if not edge.named and (edge.relation, edge.value) in has]
    links = [edge for edge in mine if edge.named and edge.value == their_id]
    return [*shared, *links, *(edge for edge in theirs if edge.named and edge.value == my_id)]


async def _edges_in_graph(ids: Sequence[str], graph: TenantGraph) -> list[_Edge]:
    of = {entity_id(one): one for one in ids}
    return [
        _Edge(
            of[edge.subject],
            edge.relation.removeprefix("has_").replace("_", " "),
            edge.object.removeprefix(f"{ITEM}:"),
            edge.name,
            edge.kind == ITEM,
        )
        for edge in await graph.ask(Graph.relations_from, list(of))
    ]


def _edges_of_attributes(shelf: Shelf, ids: Sequence[str]) -> list[_Edge]:
    place, items = shelf.catalogue.place, shelf.catalogue.items
    return [
        _Edge(one, name.replace("_", " ").strip(), value if value in place else value.casefold(), value, value in place)
        for one in ids
        for name, values in attributes_of(items[place[one]].data).items()
        for value in values
    ]
