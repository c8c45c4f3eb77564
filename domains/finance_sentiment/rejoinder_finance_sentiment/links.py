"""Companies one step around another in a tenant's knowledge graph, and how the graph's schema words their links."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rejoinder.graph.graph import Graph
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.graph.values import Entity, Relation

__all__ = ["Link", "Linked", "links_of"]

_MOST_RELATIONS: Final = 500
"""Of any kind, among which companies are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One relation between a company and another.

    Attributes:
        id, name: of the other company's entity.
        relation: as the graph has it.
        outwards: whether it leads from this company to the other.
        says: what the other one is to this one, as in "supplies".
        told: the whole of it, as in "Globex supplies Acme".
    """

    id: str
    name: str
    relation: str
    outwards: bool
    says: str
    told: str


@dataclass(frozen=True, slots=True)
class Linked:
    """What the graph has around a company: the names of its relations of any kind, and its links with other companies."""

    relations: tuple[str, ...]
    links: tuple[Link, ...]


def links_of(graph: Graph, schema: GraphSchema, key: str, name: str, kinds: Collection[str]) -> Linked | None:
    """Return the links of a company; None where the graph knows no such company.

    Args:
        key: an entity's id; where there is none of it, the company of this `name` or alias.
        kinds: kinds of entities that are companies.
    Raises:
        GraphError: the graph cannot be read.
    """
    entity = graph.entity(key)
    if entity is None:
        entity = next(iter(graph.named(name, kinds=tuple(kinds), limit=1)), None)
    if entity is None or entity.kind not in kinds:
        return None
    near = graph.neighbourhood(entity.id, hops=1, limit=_MOST_RELATIONS)
    others = {one.id: one for one in near.entities if one.id != entity.id and one.kind in kinds}
    links = []
    for one in near.relations:
        other = others.get(one.object if one.subject == entity.id else one.subject)
        if other is not None:
            links.append(_link(schema, one, entity, other))
    return Linked(tuple(dict.fromkeys(one.name for one in near.relations)), tuple(links))


def _link(schema: GraphSchema, relation: Relation, entity: Entity, other: Entity) -> Link:
    kind = schema.relations.get(relation.name)
    plain = relation.name.replace("_", " ")
    title = (kind.title if kind is not None else "") or plain
    inverse = kind.inverse_title if kind is not None else ""
    outwards = relation.subject == entity.id
    if not outwards:
        says, told = title, f"{other.name} {title} {entity.name}"
    elif inverse:
        says, told = inverse, f"{other.name} {inverse} {entity.name}"
    else:
        says, told = f"reached by “{plain}”", f"{entity.name} {title} {other.name}"
    return Link(id=other.id, name=other.name, relation=relation.name, outwards=outwards, says=says, told=told)
