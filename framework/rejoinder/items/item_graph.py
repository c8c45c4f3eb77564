"""A tenant's items as entities and relations of its knowledge graph: what is written for an item, and what is taken back.

An item is an entity `item:<id>` of the kind `item`. A value that items share, such as a director, is an entity of a kind named after the
attribute, to which a relation `has_<attribute>` leads; a value that is another item's id becomes a relation to that item, named as the
attribute. Everything is said by the source `items`, so that what others say of the same things stays when items go.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import GraphSchemaError
from rejoinder.graph.values import Entity, Relation
from rejoinder.items.attributes import attributes_of

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph

__all__ = ["ITEM", "SOURCE", "entity_id", "items_naming", "remove_items", "revisions_in_graph", "write_items"]

ITEM: Final = "item"
SOURCE: Final = "items"

_MOST_NAME: Final = 50
_NOT_NAME: Final = re.compile(r"[^a-z0-9]+")
_AT_ONCE: Final = 500
_MOST_RELATIONS: Final = 2000
"""Of one item: twice what its attributes can say, since others may speak of it too."""


def entity_id(item_id: str) -> str:
    """Return the id of an item's entity."""
    return f"{ITEM}:{item_id}"


def revisions_in_graph(graph: Graph) -> dict[str, int]:
    """Return of each item in the graph, by its id, the revision of the items at which it was written."""
    space = graph.space
    rows = space.read(
        f"MATCH (n:{space.entity}) WHERE n.kind = $kind AND $source IN n.sources RETURN n.id, n.revision",
        kind=ITEM,
        source=SOURCE,
    )
    return {row[0].removeprefix(f"{ITEM}:"): row[1] or 0 for row in rows}


def items_naming(graph: Graph, ids: Collection[str]) -> set[str]:
    """Return the ids of items in the graph that have one of these ids as a value, since it was no item when they were written."""
    space, wanted = graph.space, {one.casefold() for one in ids}
    values = space.read(
        f"MATCH (n:{space.entity}) WHERE n.kind <> $kind AND $source IN n.sources RETURN n.id, n.name",
        kind=ITEM,
        source=SOURCE,
    )
    named = [row[0] for row in values if row[1].casefold() in wanted]
    if not named:
        return set()
    rows = space.read(
        f"UNWIND $ids AS id MATCH (a:{space.entity})-[r]->(:{space.entity} {{id: id}}) WHERE a.kind = $kind RETURN DISTINCT a.id",
        ids=named,
        kind=ITEM,
    )
    return {row[0].removeprefix(f"{ITEM}:") for row in rows}


def write_items(graph: Graph, rows: Sequence[Any], ids: Collection[str]) -> dict[str, str]:
    """Bring items up to date, and return why something of them cannot be there, by the item's id.

    Args:
        rows: of the table `items`.
        ids: of all items that there are; only relations to these are written.
    """
    left_out: dict[str, str] = {}
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        before = _values_of(graph, [entity_id(row.id) for row in some])
        graph.forget_relations([entity_id(row.id) for row in some], source=SOURCE)
        entities: dict[str, Entity] = {}
        relations: list[Relation] = []
        for row in some:
            try:
                mine, said = _said(graph, row, ids)
            except GraphSchemaError as error:
                left_out[row.id] = str(error)
                continue
            entities |= {one.id: one for one in mine}
            relations += said
        graph.upsert(entities.values(), relations, source=SOURCE, bare=True)
        remove_items(graph, left_out.keys() & {row.id for row in some})
        _drop_unused(graph, before - {one.object for one in relations})
    return left_out


def remove_items(graph: Graph, item_ids: Collection[str]) -> None:
    """Take back what was said of items, and the values that no item has any more."""
    gone = [entity_id(one) for one in sorted(item_ids)]
    for start in range(0, len(gone), _AT_ONCE):
        some = gone[start : start + _AT_ONCE]
        before = _values_of(graph, some)
        graph.forget_entities(some, source=SOURCE)
        _drop_unused(graph, before)


def _said(graph: Graph, row: Any, ids: Collection[str]) -> tuple[list[Entity], list[Relation]]:
    """Return what is written for an item.

    Raises:
        GraphSchemaError: the item itself cannot be kept.
    """
    schema, data = graph.schema, row.data
    properties = {name: data[name] for name in ("price", "image", "url") if data.get(name) is not None}
    item = Entity(
        id=entity_id(row.id),
        kind=ITEM,
        name=row.title,
        description=row.text,
        properties={**properties, "available": row.active, "revision": row.revision},
    )
    schema.check_entity(item)
    entities, relations = [item], []
    for attribute, values in attributes_of(data).items():
        name = _NOT_NAME.sub("_", attribute.casefold()).strip("_")[:_MOST_NAME]
        for value in values:
            other, relation = _edge(item.id, name, value, ids)
            if relation.object == item.id:
                continue
            try:
                if other is not None:
                    schema.check_entity(other)
                schema.check_relation(relation)
            except GraphSchemaError:
                continue  # the tenant's domains declare a closed graph without it, or its name has no letter of a to z
            entities += [] if other is None else [other]
            relations.append(relation)
    return entities, relations


def _edge(item: str, name: str, value: str, ids: Collection[str]) -> tuple[Entity | None, Relation]:
    """Return what one value of an attribute says; the entity is None where it is another item."""
    if name == ITEM:
        name = f"{ITEM}_value"
    if value in ids:
        return None, Relation(subject=item, name=name, object=entity_id(value))
    shared = Entity(id=f"{ITEM}_{name}:{value.casefold()}", kind=name, name=value)
    return shared, Relation(subject=item, name=f"has_{name}", object=shared.id)


def _values_of(graph: Graph, entities: Sequence[str]) -> set[str]:
    """Return the ids of what relations lead to from entities, other items left out."""
    return {edge.object for edge in graph.relations_from(entities, each=_MOST_RELATIONS) if edge.kind != ITEM}


def _drop_unused(graph: Graph, ids: Iterable[str]) -> None:
    """Take values back that nothing leads to any more."""
    space = graph.space
    rows = space.read(
        f"UNWIND $ids AS id MATCH (n:{space.entity} {{id: id}}) WHERE NOT (n)--(:{space.entity}) RETURN n.id",
        ids=sorted(ids),
    )
    graph.forget_entities([row[0] for row in rows], source=SOURCE)
