"""Companies that are linked with one in the tenant's knowledge graph, and may be touched by what happens to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from rejoinder.errors import GraphError
from rejoinder.payloads import Json

from rejoinder_finance_sentiment.links import Link, links_of

if TYPE_CHECKING:
    from rejoinder.context import Context

__all__ = ["linked_companies"]

_MOST_COMPANIES: Final = 20


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
    try:
        near = await graph.ask(links_of, graph.schema, key, key, kinds)
    except GraphError as error:
        context.logger.warning("companies linked with %s were not looked up: %s", key, error)
        return None
    first: dict[str, Link] = {}
    for one in near.links if near is not None else ():
        first.setdefault(one.id, one)
    return [
        {
            "id": one.id,
            "name": one.name,
            "relation": one.relation,
            "direction": "out" if one.outwards else "in",
            "told": one.told,
        }
        for one in list(first.values())[:_MOST_COMPANIES]
    ]
