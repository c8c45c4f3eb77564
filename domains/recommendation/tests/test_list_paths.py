"""Why an item is listed, by what it shares with what the person turned to: of the graph where there is one, else of its attributes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.graph.values import Entity, Relation
from rejoinder_recommendation.lists.paths import ItemPath

from tests.support.shop import ITEMS, Shop, shop

pytest.importorskip("neo4j", reason="needs the extra rejoinder[graph]")

ROD, REEL, LURE, PAN = "fishing-0", "fishing-1", "fishing-2", "kitchen-0"
ATTRIBUTES = {
    ROD: {"brand": "Trutta", "bought_together": REEL},
    REEL: {"brand": "Lachs"},
    LURE: {"brand": "trutta"},
    PAN: {"brand": "Eisen"},
}
OFFERED = [{**item, "data": ATTRIBUTES[item["id"]]} for item in ITEMS if item["id"] in ATTRIBUTES]


async def explained(acme: Shop, who: str = "admin") -> dict[str, dict[str, Any]]:
    listed = await acme.post("recommendations", {"user_id": "ann", "limit": 10, "explain": True}, who)
    return {item["id"]: item for item in listed["items"]}


async def test_without_a_graph_paths_are_of_the_attributes(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        await acme.post("items", OFFERED)
        await acme.rule(diversity=0.0, explore=False)
        await acme.did("click", ROD)
        listed = await explained(acme)
        tag = {"item": ROD, "relation": "tag", "value": "fishing", "source": "attributes"}
        brand = {"item": ROD, "relation": "brand", "value": "trutta", "source": "attributes"}
        link = {"item": ROD, "relation": "bought together", "value": None, "source": "attributes"}
        assert listed[LURE]["paths"] == [brand, tag]
        assert listed[REEL]["paths"] == [link, tag]
        assert listed[PAN]["paths"] == []
        assert listed[LURE]["reason"] == "Same brand as river 0: trutta."
        assert listed[REEL]["reason"] == "Bought together: river 0."
        assert listed[LURE]["because"] == listed[REEL]["because"] == ROD
        plain = await acme.post("recommendations", {"user_id": "ann"})
        assert all(item["paths"] is None for item in plain["items"])


async def test_with_a_graph_paths_are_read_from_it(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        settings = acme.application.settings
        graphs = await asyncio.to_thread(Graphs.from_settings, settings)
        try:
            graph = Graph(await asyncio.to_thread(graphs.space, "acme"), GraphSchema(open=True))
            await acme.post("items", OFFERED)
            await acme.rule(diversity=0.0, explore=False)
            await acme.did("click", ROD)
            for _ in range(300):
                await explained(acme)  # lets the graph follow, once it is known to be there
                if len(await asyncio.to_thread(graph.relations_from, [f"item:{one}" for one in ATTRIBUTES])) == 9:
                    break
                await asyncio.sleep(0.1)
            listed = await explained(acme)
            assert [path["source"] for path in listed[LURE]["paths"]] == ["graph", "graph"]
            assert listed[LURE]["reason"] == "Same brand as river 0: trutta."

            await asyncio.to_thread(_tell, graph)  # what only the graph knows
            listed = await explained(acme)
            assert listed[PAN]["paths"] == [{"item": ROD, "relation": "maker", "value": "Smith", "source": "graph"}]
            assert await explained(acme, "other") == {}

            response = await acme.client.delete(
                f"/v1/items/{LURE}", headers={"authorization": f"Bearer {acme.keys['admin']}"}
            )
            assert response.status_code == 204
            for _ in range(300):
                if await asyncio.to_thread(graph.entity, f"item:{LURE}") is None:
                    break
                await asyncio.sleep(0.1)
            else:
                pytest.fail("the item is still in the graph")
        finally:
            graphs.close()
            EmbeddedServer.stop(settings.graph_folder)


def _tell(graph: Graph) -> None:
    smith = Entity(id="person:smith", kind="person", name="Smith")
    made = [Relation(subject=f"item:{one}", name="has_maker", object=smith.id) for one in (ROD, PAN)]
    graph.upsert([smith], made, source="somebody")


def test_paths_are_sentences() -> None:
    assert ItemPath("7", "director", "Ang Lee", "graph").sentence("Hulk") == "Same director as Hulk: Ang Lee."
    assert ItemPath("7", "bought together", None, "graph").sentence("Hulk") == "Bought together: Hulk."
