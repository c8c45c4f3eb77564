"""Companies of a real graph: linked in texts by names, tickers, aliases and subsidiaries, and named by alerts as perhaps touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

from rejoinder.application import Application
from rejoinder.events.reading import read_stream
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.graph.values import Entity, Relation
from rejoinder.monitoring.detection import detect_changes
from rejoinder.serving.app import create_app
from rejoinder_finance_sentiment import FinanceSentimentPlugin

from tests.support.application import opened

from .conftest import SERVERS

DAY = timedelta(days=1)
BEGUN = datetime(2026, 1, 5, tzinfo=UTC)


def company(key: str, name: str, *aliases: str, **properties: Any) -> Entity:
    return Entity(id=key, kind="company", name=name, aliases=aliases, properties=properties)


ENTITIES = (
    company("acme", "Acme Holdings plc", "Big Anvil", ticker="ACM"),
    company("labs", "Acme Labs Ltd"),
    company("globex", "Globex Corporation", tickers=["GBX", "GBXA"]),
    company("initech", "Initech"),
    company("hooli", "Hooli Inc"),
    Entity(id="spring", kind="city", name="Springfield"),
)
RELATIONS = (
    Relation(subject="labs", name="subsidiary_of", object="acme"),
    Relation(subject="initech", name="supplies", object="acme"),
    Relation(subject="acme", name="supplies", object="globex"),
    Relation(subject="acme", name="competes_with", object="hooli"),
    Relation(subject="acme", name="based_in", object="spring"),
)


class Desk:
    """Two tenants of one server, each with a graph of its own."""

    def __init__(self, application: Application, client: httpx.AsyncClient, mine: str, other: str) -> None:
        self.application, self.client, self.mine, self.other = application, client, mine, other
        self.keys: dict[str, str] = {}

    async def call(self, method: str, path: str, body: Any = None, *, who: str) -> Any:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        answer = await self.client.request(method, f"/v1{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def read(self, who: str, *texts: str, at: datetime = BEGUN) -> list[dict[str, Any]]:
        """Send texts, let them be read, and return by company what was observed of its mention in each."""
        events = [{"text": text, "at": at.isoformat()} for text in texts]
        taken = await self.call("POST", "/events", events, who=who)
        await read_stream(self.application, who)
        found = []
        for one in taken["results"]:
            shown = await self.call("GET", f"/events/{one['id']}", who=who)
            assert shown["status"] == "done", shown
            found.append({own["key"]: own["value"] for own in shown["observations"] if own["type"] == "mention"})
        return found


@pytest.fixture(params=SERVERS)
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    neo4j = request.param == "neo4j"
    settings = {"graph": {"url": request.getfixturevalue("neo4j_url")}} if neo4j else {}
    mine, other = (f"desk-{uuid4().hex[:8]}" for _ in range(2))
    plugins = {"finance_sentiment": FinanceSentimentPlugin()}
    async with opened(tmp_path, plugins, tenants=(mine, other), **settings) as application:
        graphs = Graphs.from_settings(application.settings)
        schema = GraphSchema(open=True)
        theirs = company("rival", "Acme Rockets", ticker="ACM")
        await asyncio.to_thread(Graph(graphs.space(mine), schema).upsert, ENTITIES, RELATIONS, source="companies.csv")
        await asyncio.to_thread(Graph(graphs.space(other), schema).upsert, [theirs], [], source="companies.csv")
        for tenant in (mine, other):
            await application.tenants.set_setting(tenant, "finance_sentiment.examples", 0)
            await application.tenants.set_setting(tenant, "finance_sentiment.surges.bucket_minutes", 1440)
            await application.tenants.set_setting(tenant, "events.near_duplicates", 0)
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            found = Desk(application, client, mine, other)
            for tenant in (mine, other):
                found.keys[tenant] = (await application.tenants.create_key("admin", tenant=tenant)).token
            yield found
        for tenant in (mine, other):
            await asyncio.to_thread(graphs.drop, tenant)
        graphs.close()
    if not neo4j:
        EmbeddedServer.stop(tmp_path / "graph")


async def test_texts_are_linked_and_an_alert_names_who_may_be_touched(desk: Desk) -> None:
    name, alias, ticker, tickers, subsidiary, none = await desk.read(
        desk.mine,
        "Acme falls after a warning",
        "Big Anvil falls after a warning",
        "NYSE: ACM falls after a warning",
        "$GBXA rises, GBX follows",
        "Acme Labs names a new chief",
        "Springfield has a new park",
    )
    assert {key: value["how"] for key, value in name.items()} == {"acme": "name"}
    assert {key: value["how"] for key, value in alias.items()} == {"acme": "alias"}
    assert {key: value["how"] for key, value in ticker.items()} == {"acme": "ticker"}
    assert {key: value["how"] for key, value in tickers.items()} == {"globex": "cashtag"}
    assert {key: value["how"] for key, value in subsidiary.items()} == {"labs": "name", "acme": "subsidiary"}
    assert subsidiary["acme"]["via"] == "labs"
    assert none == {}
    [rival] = await desk.read(desk.other, "NYSE: ACM falls, Globex and Acme Labs do not")
    assert set(rival) == {"rival"}

    for day in range(1, 45):
        count = 18 if day >= 42 else 4
        texts = [f"Acme is spoken of, number {number} of day {day}" for number in range(count)]
        events = [{"text": text, "at": (BEGUN + day * DAY).isoformat()} for text in texts]
        for tenant in (desk.mine, desk.other):
            await desk.call("POST", "/events", events, who=tenant)
    for tenant in (desk.mine, desk.other):
        await read_stream(desk.application, tenant)
    assert await detect_changes(desk.application, desk.mine) == 1
    [listed] = (await desk.call("GET", "/alerts", who=desk.mine))["alerts"]
    alert = await desk.call("GET", f"/alerts/{listed['id']}", who=desk.mine)
    assert alert["key"] == "acme"
    for link in (
        "Acme Labs Ltd is a subsidiary of Acme Holdings plc",
        "Initech supplies Acme Holdings plc",
        "Globex Corporation is supplied by Acme Holdings plc",
        "Acme Holdings plc competes with Hooli Inc",
    ):
        assert link in alert["explanation"]
    assert "Springfield" not in alert["explanation"]
    companies = {one["id"]: (one["relation"], one["direction"]) for one in alert["data"]["companies"]}
    assert companies == {
        "labs": ("subsidiary_of", "in"),
        "initech": ("supplies", "in"),
        "globex": ("supplies", "out"),
        "hooli": ("competes_with", "out"),
    }
    assert "Acme Holdings" not in str((await desk.call("GET", "/alerts", who=desk.other))["alerts"])
