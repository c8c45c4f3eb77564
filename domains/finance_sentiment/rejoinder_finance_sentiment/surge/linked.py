"""Companies that are linked with one in the tenant's knowledge graph, and may be touched by what happens to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from rejoinder.errors import GraphError
from rejoinder.payloads import Json

if TYPE_CHECKING:
    from rejoinder.context import Context
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.graph.values import Entity, Relation

__all__ = ["linked_companies"]

_MOST_COMPANIES: Final = 20
_MOST_RELATIONS: Final = 500
"""Of any kind, among which companies are looked for."""


async def linked_companies(context: Context, key: str, kinds: Collection[str]) -> list[dict[str, Json]] | None:
    """Return the companies one step around one in the graph: suppliers, customers, owners, subsidiaries and the like, at most 20.

    Args:
        key: the company's, an entity's id or a name or alias of it.
        kinds: kinds of entities that are companies.

    Returns:
        Of each `id` and `name`, `relation` as the graph has it, `direction` ("out": from this company to the other), and `told`, as in
        "Globex supplies Acme". [] where there is no graph, or no such company in it; None where the graph cannot be asked now.
    """
    graph = context.graph
    if graph is None:
        return []
    from rejoinder.graph.graph import Graph

    try:
        entity = await graph.ask(Graph.entity, key)
        if entity is None:
            named = await graph.ask(Graph.named, key, kinds=tuple(kinds), limit=1)
            entity = named[0] if named else None
        if entity is None or entity.kind not in kinds:
            return []
        around = await graph.ask(Graph.neighbourhood, entity.id, hops=1, limit=_MOST_RELATIONS)
    except GraphError as error:
        context.logger.warning("companies linked with %s were not looked up: %s", key, error)
        return None
    others = {one.id: one for one in around.entities if one.id != entity.id and one.kind in kinds}
    found: list[dict[str, Json]] = []
    for relation in around.relations:
        other = others.pop(relation.object if relation.subject == entity.id else relation.subject, None)
        if other is not None:
            found.append(
                {
                    "id": other.id,
                    "name": other.name,
                    "relation": relation.name,
                    "direction": "out" if relation.subject == entity.id else "in",
                    "told": _told(graph.schema, relation, entity, other),
                }
            )
    return found[:_MOST_COMPANIES]


def _told(schema: GraphSchema, relation: Relation, entity: Entity, other: Entity) -> str:
    """Return how the other company is linked, in the words of the graph's schema."""
    kind = schema.relations.get(relation.name)
    plain = relation.name.replace("_", " ")
    title = (kind.title if kind is not None else "") or plain
    if relation.subject == other.id:
        return f"{other.name} {title} {entity.name}"
    if kind is not None and kind.inverse_title:
        return f"{other.name} {kind.inverse_title} {entity.name}"
    return f"{entity.name} {title} {other.name}"
