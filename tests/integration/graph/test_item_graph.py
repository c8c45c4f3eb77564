"""A tenant's items in its graph: written, changed and removed with the store; on both servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rejoinder.errors import GraphUnavailableError
from rejoinder.graph.graph import Graph
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity
from rejoinder.items.item_mirror import ItemMirror, Mirrored
from rejoinder.settings import DeploymentSettings
from rejoinder.store.database import Database
from rejoinder.store.items import NewItem, delete_item, put_items
from rejoinder.store.tenants import create_tenant


@pytest.fixture
async def database(tmp_path: Path, tenant: str) -> AsyncIterator[Database]:
    opened = await Database.open(DeploymentSettings(data_dir=tmp_path).store_url)
    try:
        await opened.migrate()
        await create_tenant(opened, tenant, name=tenant)
        yield opened
    finally:
        await opened.close()


def film(number: int, title: str = "", **data: Any) -> NewItem:
    said = {"tags": ["film"], "data": {"director": "Ang Lee", "bought_together": f"{number + 1}", **data}}
    return NewItem(id=str(number), title=title or f"Film {number}", text="A film.", data=said)


async def follow(database: Database, graph: Graph, mirror: ItemMirror | None = None) -> Mirrored:
    async def ask(method: Any, /, *args: Any) -> Any:
        return await asyncio.to_thread(method, graph, *args)

    return await (mirror or ItemMirror(database)).follow(graph.tenant, ask)


def edges(graph: Graph, *ids: str) -> set[tuple[str, str, str]]:
    return {(edge.subject, edge.relation, edge.name) for edge in graph.relations_from(ids)}


@pytest.mark.parametrize("schema", [{"open": True, "kinds": {"item": {}}}])
async def test_the_graph_follows_the_store(database: Database, graph_space: Space, schema: Mapping[str, Any]) -> None:
    graph = Graph(graph_space, GraphSchema.parse(schema))
    await put_items(database, graph.tenant, [film(one) for one in range(3)])
    assert (await follow(database, graph)).written == 3
    assert edges(graph, "item:0", "item:2") == {
        ("item:0", "has_tag", "film"),
        ("item:0", "has_director", "Ang Lee"),
        ("item:0", "bought_together", "Film 1"),
        ("item:2", "has_tag", "film"),
        ("item:2", "has_director", "Ang Lee"),
        ("item:2", "has_bought_together", "3"),
    }
    assert await follow(database, graph) == Mirrored()

    await put_items(database, graph.tenant, [film(0, "Renamed", director="Mira Nair|Ang Lee"), film(3)])
    assert (await follow(database, graph)).written == 3  # item 2 names item 3, which has come now
    assert ("item:0", "has_director", "Mira Nair") in edges(graph, "item:0")
    assert ("item:2", "bought_together", "Film 3") in edges(graph, "item:2")
    assert graph.entity("item_bought_together:3") is None
    assert graph.entity("item:0").name == "Renamed"  # type: ignore[union-attr]  # it is there

    await put_items(database, graph.tenant, [film(0, "Renamed")])
    await delete_item(database, graph.tenant, "3")
    done = await follow(database, graph)
    assert (done.written, done.removed) == (1, 1)
    assert graph.entity("item:3") is None
    assert graph.entity("item_director:mira nair") is None
    assert graph.entity("item_director:ang lee") is not None


async def test_values_of_an_item_with_very_many_go_with_it(database: Database, graph_space: Space) -> None:
    graph = Graph(graph_space, GraphSchema(open=True))
    many = {f"list{one}": [f"value {one} {two}" for two in range(50)] for one in range(5)}
    await put_items(database, graph.tenant, [film(0, **many)])
    await follow(database, graph)
    await delete_item(database, graph.tenant, "0")
    await follow(database, graph)
    assert graph.stats().entities == 0


async def test_what_others_say_stays_and_what_cannot_be_kept_is_told(database: Database, graph_space: Space) -> None:
    graph = Graph(graph_space, GraphSchema(open=True))
    await put_items(database, graph.tenant, [film(0), film(1, "x" * 1001)])
    graph.upsert([Entity(id="item_director:ang lee", kind="director", name="Ang Lee")], source="somebody")
    done = await follow(database, graph)
    assert done.written == 1
    assert "at most 1000 are kept" in done.left_out["1"]
    assert graph.entity("item:1") is None
    await delete_item(database, graph.tenant, "0")
    await follow(database, graph)
    assert graph.entity("item:0") is None
    left = graph.entity("item_director:ang lee")
    assert left is not None
    assert left.sources == ("somebody",)


async def test_an_emptied_graph_and_one_that_was_away_are_filled_again(database: Database, graph_space: Space) -> None:
    graph = Graph(graph_space, GraphSchema(open=True))
    await put_items(database, graph.tenant, [film(one) for one in range(4)])
    mirror = ItemMirror(database)

    async def away(method: Any, /, *args: Any) -> Any:
        raise GraphUnavailableError("the server is away")

    with pytest.raises(GraphUnavailableError):
        await mirror.follow(graph.tenant, away)
    assert (await follow(database, graph, mirror)).written == 4
    graph.clear()
    assert (await follow(database, graph, mirror)).written == 4


async def test_a_closed_graph_takes_only_what_its_domains_declare(database: Database, graph_space: Space) -> None:
    declared = {"open": False, "kinds": {"item": {"properties": {"available": "boolean", "revision": "integer"}}}}
    graph = Graph(graph_space, GraphSchema.parse(declared))
    await put_items(database, graph.tenant, [film(0)])
    assert (await follow(database, graph)).written == 1
    assert edges(graph, "item:0") == set()
