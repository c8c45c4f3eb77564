"""Events read as observations, by a real application over a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from rejoinder.application import Application
from rejoinder.events.reading import read_stream
from rejoinder.models.training.objectives.entity import text_about
from rejoinder.serving.app import create_app
from rejoinder.testing import HashEncoder
from rejoinder_finance_sentiment import FinanceSentimentPlugin
from rejoinder_plugins.explicit_feedback import plugin as explicit_feedback
from rejoinder_plugins.redaction import RedactionPlugin

from tests.support.application import opened

COMPANIES = {
    "acme": {"name": "Acme Holdings plc", "tickers": ["ACM"]},
    "globex": {"name": "Globex Corporation"},
    "labs": {"name": "Acme Labs Ltd", "owner": "acme"},
}
CONTRACT = "Acme wins a contract from Globex"


class Desk:
    """Two tenants at one server, the first with companies of its own."""

    def __init__(self, application: Application, client: httpx.AsyncClient, keys: dict[str, str]) -> None:
        self.application, self.client, self.keys = application, client, keys

    async def call(self, method: str, path: str, body: Any = None, *, who: str = "acme") -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        return await self.client.request(method, f"/v1/events{path}", json=body, headers=headers)

    async def read(self, *texts: str, who: str = "acme") -> list[dict[tuple[str, str], Any]]:
        """Send texts, let them be read, and return what was observed in each, by type and key."""
        events = [{"text": text, "at": "2026-03-02T14:00:00Z"} for text in texts]
        taken = (await self.call("POST", "", events, who=who)).json()
        await read_stream(self.application, who)
        found = []
        for one in taken["results"]:
            shown = (await self.call("GET", f"/{one['id']}", who=who)).json()
            assert shown["status"] == "done", shown
            observed = {(own["type"], own["key"]): own for own in shown["observations"]}
            assert len(observed) == len(shown["observations"])
            found.append(observed)
        return found


@asynccontextmanager
async def desk(folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    plugins = {
        "finance_sentiment": FinanceSentimentPlugin(),
        "explicit_feedback": explicit_feedback,
        "redaction": RedactionPlugin(),
    }
    async with opened(folder, plugins, model=HashEncoder(), tenants=("acme", "other")) as application:
        for tenant in ("acme", "other"):
            await application.tenants.set_setting(tenant, "finance_sentiment.examples", 60)
        for name, value in ({"companies": COMPANIES} | settings).items():
            await application.tenants.set_setting("acme", f"finance_sentiment.{name}", value)
        keys = {one: (await application.tenants.create_key("admin", tenant=one)).token for one in ("acme", "other")}
        keys["analyst"] = (await application.tenants.create_key("analyst", tenant="acme")).token
        keys["ingest"] = (await application.tenants.create_key("ingest", tenant="acme")).token
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield Desk(application, client, keys)


def sentiment_keys(observed: dict[tuple[str, str], Any]) -> set[str]:
    return {key for kind, key in observed if kind == "sentiment"}


async def test_companies_sentiments_and_topics_are_read(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        contract, labs, none, odd = await at.read(
            CONTRACT, "Acme Labs names a new CEO", "Nothing happened", "🦄 $ $ACM"
        )

        assert {key for kind, key in contract if kind == "mention"} == {"acme", "globex"}
        assert ("topic", "contracts") in contract
        assert sentiment_keys(contract) == {"", "acme", "globex"}
        whole, acme = contract["sentiment", ""], contract["sentiment", "acme"]
        assert "read" not in whole["value"]
        assert acme["value"]["read"] == text_about(CONTRACT, "Acme", ["Globex"])
        for one in (whole, acme):
            shares = [one["value"][label] for label in ("negative", "neutral", "positive")]
            assert sum(shares) == pytest.approx(1.0, abs=1e-3)
            assert one["confidence"] == pytest.approx(max(shares), abs=1e-3)
            assert one["value"]["score"] == pytest.approx(shares[2] - shares[0], abs=1e-3)

        assert labs["mention", "acme"]["value"]["via"] == "labs"
        assert labs["sentiment", "acme"]["value"] == labs["sentiment", ""]["value"]
        assert ("topic", "management") in labs
        assert sentiment_keys(none) == {""}
        assert odd["mention", "acme"]["value"]["how"] == "cashtag"


async def test_a_text_is_encoded_once_and_as_it_is_written(tmp_path: Path) -> None:
    async with desk(tmp_path, examples=1500) as at:
        await at.read("Nothing happened")
        before = at.application.encoder.stats.misses

        [read] = await at.read("Cramer says shares of the firm rise")

        assert "read" not in read["sentiment", ""]["value"]
        assert at.application.encoder.stats.misses == before + 1


async def test_another_tenant_has_its_own_companies_and_topics(tmp_path: Path) -> None:
    async with desk(tmp_path, topics={"deals": {"words": ["contract*"]}}) as at:
        [mine] = await at.read(CONTRACT)
        [theirs] = await at.read(CONTRACT, who="other")

        assert {key for kind, key in mine if kind == "topic"} == {"deals"}
        assert {key for kind, key in theirs if kind == "topic"} == {"contracts"}
        assert sentiment_keys(theirs) == {""}


async def test_a_corrected_sentiment_is_learned_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        [event] = (await at.call("POST", "", [{"text": CONTRACT}])).json()["results"]
        await read_stream(at.application, "acme")
        path = f"/{event['id']}/observations/feedback"
        body = {"type": "sentiment", "key": "globex", "label": "negative"}
        said = await at.call("POST", path, body, who="analyst")
        assert said.status_code == 200, said.text
        assert (said.json()["learned"], said.json()["examples"]) == (True, 1)

        [again] = await at.read(CONTRACT)  # of another moment: another event
        assert again["sentiment", "globex"]["value"]["label"] == "negative"
        [theirs] = await at.read(CONTRACT, who="other")
        assert ("sentiment", "globex") not in theirs

        assert (await at.call("POST", path, body, who="other")).status_code == 404
        assert (await at.call("POST", path, body, who="ingest")).status_code == 403
        missing = await at.call("POST", path, {**body, "key": "nobody"}, who="analyst")
        assert missing.status_code == 404
        assert "sentiment 'globex'" in missing.json()["detail"]
        assert (await at.call("POST", path, {"type": "sentiment"}, who="analyst")).status_code == 422
        odd = await at.call("POST", path, {**body, "label": "negativ"}, who="analyst")
        assert odd.status_code == 422
        assert "is one of negative, neutral, positive. Did you mean 'negative'?" in odd.json()["detail"]
        unlabelled = await at.call("POST", path, {"type": "mention", "key": "acme", "right": False}, who="analyst")
        assert unlabelled.status_code == 422
        assert "no label that could be right or wrong" in unlabelled.json()["detail"]


async def test_a_topic_that_an_analyst_rejects_is_not_read_of_the_same_text(tmp_path: Path) -> None:
    examples = [f"Order number {n} for turbines is signed" for n in range(6)]
    topics = {"contracts": {"words": ["order*"], "examples": examples}, "legal": {"words": ["court*"]}}
    async with desk(tmp_path, topics=topics) as at:
        text = "The court restores order in the hall"
        [event] = (await at.call("POST", "", [{"text": text}])).json()["results"]
        await read_stream(at.application, "acme")
        path = f"/{event['id']}/observations/feedback"
        for _ in range(2):  # the second says the same
            said = await at.call("POST", path, {"type": "topic", "key": "contracts", "right": False}, who="analyst")
            assert said.status_code == 200, said.text
        assert said.json()["examples"] == 1
