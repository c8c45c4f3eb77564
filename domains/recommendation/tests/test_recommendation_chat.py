"""Recommendation in conversation through the HTTP door, over a real store, with the items that a tenant sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import rejoinder_recommendation
from rejoinder.application import Application
from rejoinder.items.files import read_item_file
from rejoinder.serving.app import create_app
from rejoinder.store.decisions import get_decision
from rejoinder_plugins.dialogue import DialoguePlugin
from rejoinder_plugins.redaction import RedactionPlugin
from rejoinder_plugins.small_talk import SmallTalkPlugin
from rejoinder_recommendation import RecommendationPlugin
from rejoinder_recommendation.conversation import talk
from rejoinder_recommendation.lists import answers

from tests.support.application import opened

pytest.importorskip("datasketch", reason="needs the extra rejoinder[events]")

SHOP = [
    {
        "id": "rod",
        "title": "Silver Brook rod",
        "text": "A light fly fishing rod for trout.",
        "tags": ["outdoor"],
        "price": 45,
    },
    {
        "id": "lures",
        "title": "Box of lures",
        "text": "Twenty lures for fishing in rivers.",
        "tags": ["outdoor"],
        "price": 19.5,
        "image": "https://shop.example/lures.jpg",
        "url": "https://shop.example/lures",
    },
    {"id": "mug", "title": "Blue mug", "text": "Holds coffee.", "tags": ["kitchen"], "price": 9},
    {"id": "pan", "title": "Iron pan", "text": "A heavy pan for stews.", "tags": ["kitchen"], "price": 29},
    {
        "id": "gone",
        "title": "Fishing hat",
        "text": "A hat for fishing.",
        "tags": ["outdoor"],
        "price": 12,
        "available": False,
    },
]
FILMS = [
    {"id": id_, "title": title, "text": text, "tags": tags, "data": {"director": [director], "minutes": minutes}}
    for id_, title, text, tags, director, minutes in (
        ("a", "Harbour Lights (2001)", "A sailor comes home.", ["drama"], "Ana Lopes", 150),
        ("b", "Low Tide (2004)", "A short summer by the sea.", ["drama"], "Ana Lopes", 95),
        ("c", "Night Ferry (2010)", "A crime on a ferry.", ["crime"], "Ana Lopes", 170),
        ("d", "Paper Moons (2015)", "A clown looks for work.", ["comedy"], "Bo Berg", 90),
        ("e", "Tin Drums (1987)", "Soldiers on leave.", ["comedy", "drama"], "Bo Berg", 101),
    )
]


@dataclass
class Chat:
    """One conversation."""

    client: httpx.AsyncClient
    headers: dict[str, str]
    id: str
    replies: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    async def say(self, text: str) -> dict[str, Any]:
        path = f"/v1/conversations/{self.id}/messages"
        response = await self.client.post(path, json={"text": text}, headers=self.headers)
        assert response.status_code == 200, response.text
        turn = response.json()
        reply: dict[str, Any] = turn["reply"]
        self.replies.append(reply)
        self.decisions.append(turn["decision_id"])
        return reply

    async def items(self, text: str) -> list[str]:
        return [card["data"]["item"] for card in (await self.say(text))["cards"]]


@dataclass
class Shop:
    """The server and its tenants."""

    application: Application
    client: httpx.AsyncClient

    async def post(self, path: str, body: Any, tenant: str = "acme") -> dict[str, Any]:
        key = (await self.application.tenants.create_key("admin", tenant=tenant)).token
        response = await self.client.post(f"/v1/{path}", json=body, headers={"authorization": f"Bearer {key}"})
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def chat(self, items: list[dict[str, Any]] | None = None, tenant: str = "acme", who: str = "ana") -> Chat:
        if items:
            await self.post("items", items, tenant)
        key = (await self.application.tenants.create_key("customer", tenant=tenant)).token
        issuer = await self.application.tenants.authenticate(key)
        token = (await self.application.tenants.issue_token(issuer, who)).token
        headers = {"authorization": f"Bearer {token}"}
        made = await self.client.post("/v1/conversations", json={}, headers=headers)
        assert made.status_code in (200, 201), made.text
        return Chat(self.client, headers, made.json()["id"])

    async def rule(self, **rules: Any) -> None:
        for name, value in rules.items():
            await self.application.tenants.set_setting("acme", ("recommendation", *name.split("__")), value)


@asynccontextmanager
async def shop(folder: Path, *, explore: bool = False) -> AsyncIterator[Shop]:
    plugins = {
        "recommendation": RecommendationPlugin(),
        "dialogue": DialoguePlugin(),
        "small_talk": SmallTalkPlugin(),
        "redaction": RedactionPlugin(),
    }
    # On a busy machine nothing may time out: what is tested here is not how long hooks take.
    patient = {
        "deadlines_s": dict.fromkeys(("decide_action", "retrieve_answers", "compose_reply", "redact_text"), 30.0)
    }
    with pytest.MonkeyPatch.context() as longer:
        longer.setattr(talk, "_PATIENCE_S", 20.0)
        longer.setattr(answers, "_PATIENCE_S", 20.0)
        async with opened(folder, plugins, tenants=("acme", "other"), host_options=patient) as application:
            transport = httpx.ASGITransport(app=create_app(application))
            async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
                made = Shop(application, client)
                await made.rule(explore=explore, diversity=0.0)
                yield made


async def test_like_one_but_shorter_not_this_one_and_why(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        chat = await acme.chat(FILMS)
        assert await chat.items("Something like Harbour Lihgts but shorter, please") == ["b", "e", "d"]
        first = chat.replies[-1]
        assert "Harbour Lights (2001)" in first["parts"][0]
        assert "149 minutes" in first["parts"][0]
        assert first["cards"][0]["data"]["reasons"] == [
            "same director as Harbour Lights (2001): Ana Lopes",
            "same tag as Harbour Lights (2001): drama",
        ]
        assert first["citations"][0]["source"] == "item:b"
        assert first["citations"][0]["quote"] == "A short summer by the sea."
        assert "95 minutes\nWhy: same director as Harbour Lights (2001): Ana Lopes" in first["cards"][0]["text"]
        why = (await chat.say("Why this?"))["parts"][0]
        assert why.startswith("Low Tide (2004): same director as Harbour Lights (2001): Ana Lopes")
        assert "b" not in await chat.items("not this one")
        assert await chat.items("no comedy") == []
        assert "Nothing fits" in chat.replies[-1]["parts"][0]
        older = await chat.items("ok, something like Paper Moons then, but older")
        assert older[0] == "e"
        assert set(older) == {"a", "c", "e"}


async def test_a_gift_in_words_and_with_a_limit(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        chat = await acme.chat(SHOP)
        found = await chat.items("I need a gift for my father who fishes, under 30")
        assert found[0] == "lures"
        assert {"rod", "gone"}.isdisjoint(found)
        card = chat.replies[-1]["cards"][0]
        assert (card["image_url"], card["data"]["price"]) == ("https://shop.example/lures.jpg", 19.5)
        assert card["data"]["reasons"] == ['its description says "fishing"']
        assert (await chat.items("something cheaper")) == ["mug"]
        assert await chat.items("under 5 euros") == []
        assert "Whatever the price" in chat.replies[-1]["parts"][0]
        longer = await acme.chat()
        await longer.items("a gift for my sister who fishes")
        assert "longer" in " ".join((await longer.say("a longer one"))["parts"])


async def test_strangers_are_asked_three_questions(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        chat = await acme.chat(FILMS)
        assert "like lately" in (await chat.say("Can you recommend something?"))["parts"][0]
        mood = await chat.say("Night Ferry")
        assert "mood" in mood["parts"][0]
        assert {option["value"] for option in mood["options"]} == {"drama", "comedy", "crime"}
        assert "limit" in (await chat.say("drama"))["parts"][0]
        assert (await chat.items("nothing before 1990"))[0] in {"a", "b"}
        assert all(card["data"]["year"] >= 1990 for card in chat.replies[-1]["cards"])


async def test_the_shipped_films_are_spoken_of(tmp_path: Path) -> None:
    films = Path(rejoinder_recommendation.__file__).parent / "data" / "movies.jsonl.gz"
    async with shop(tmp_path) as acme:
        rows = [orjson.loads(line) for _, line in read_item_file(films)]
        chat = await acme.chat(rows)
        found = await chat.say("I loved Teh Conjuring (2013). Can you suggest a horror movie from the 80s?")
        assert len(found["cards"]) == 3
        for card in found["cards"]:
            assert 1980 <= card["data"]["year"] <= 1989
            assert "horror" in card["data"]["tags"]
            assert "horror" in card["data"]["reason"]
        shorter = await chat.say("a shorter one")
        assert "does not say" in shorter["parts"][0]


async def test_what_is_not_about_items_is_left_to_others(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        chat = await acme.chat(SHOP)
        assert (await chat.say("thanks"))["parts"] == ["You're welcome! Is there anything else?"]
        assert (await chat.say("where is my parcel"))["cards"] == []
        assert (await chat.say("I am looking for my parcel"))["cards"] == []


async def test_no_tenant_reaches_anothers_items_by_any_words(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        mine = await acme.chat(SHOP)
        assert await mine.items("something for fishing")
        theirs = await acme.chat(tenant="other")
        for text in (
            "recommend something like Silver Brook rod",
            "something for fishing",
            "why this?",
            "I loved Box of lures",
        ):
            assert await theirs.items(text) == []
            assert "rod" not in theirs.replies[-1]["parts"][0]
        other = await acme.chat(FILMS, tenant="other")
        assert set(await other.items("recommend something like Low Tide")) <= {"a", "b", "c", "d", "e"}
        await other.say("not this one")
        assert await other.items("something like Blue mug, outdoor") != ["rod"]
        assert set(await mine.items("something else")) <= {"rod", "lures", "mug", "pan"}
        await acme.post("events", {"kind": "like", "item_id": "rod", "user_id": "ben"}, "other")
        stranger = await acme.chat(who="ben")
        assert "like lately" in (await stranger.say("Can you recommend something?"))["parts"][0], (
            "acme knows nothing of ben"
        )
        response = await acme.client.post(
            f"/v1/conversations/{mine.id}/messages", json={"text": "why this?"}, headers=other.headers
        )
        assert response.status_code == 404


async def test_an_empty_catalogue_says_so(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        chat = await acme.chat()
        assert "empty" in (await chat.say("Can you recommend a film about boats?"))["parts"][0]
        assert "catalogue" not in (await chat.say("where is my parcel?"))["parts"][0]
        await acme.rule(chat__enabled=False)
        await acme.chat(SHOP)
        assert (await chat.say("Can you recommend a rod?"))["cards"] == []


async def test_an_item_that_changes_counts_in_the_next_turn(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        chat = await acme.chat(SHOP)
        assert "rod" not in await chat.items("something for fishing under 30")
        await acme.post("items", {**SHOP[0], "price": 25})
        assert "rod" in await chat.items("something for fishing under 30")
        await acme.post(
            "items",
            [
                {**SHOP[0], "available": False},
                {"id": "net", "title": "Landing net", "text": "For fishing.", "price": 9},
            ],
        )
        assert (await chat.items("something for fishing under 30"))[:2] in (["net", "lures"], ["lures", "net"])
        assert "Landing net" in (await chat.say("something like Landing Nte"))["parts"][0]


async def test_a_list_in_chat_is_a_list_decision_and_what_is_said_of_it_is_behaviour(tmp_path: Path) -> None:
    async with shop(tmp_path, explore=True) as acme:
        chat = await acme.chat(FILMS)
        shown = await chat.items("Can you recommend a drama?")
        decision = await get_decision(acme.application.database, "acme", chat.decisions[-1])
        assert (decision.kind, decision.task, decision.user_id) == ("list", "recommendation", "ana")
        assert list(decision.chosen) == shown
        assert all(0 < one.propensity <= 1 for one in decision.candidates)
        assert shown[0] not in await chat.items("not this one")
        listed = await acme.post("recommendations", {"user_id": "ana", "limit": 10})
        assert shown[0] not in [item["id"] for item in listed["items"]]
        await chat.say("I loved Night Ferry")
        why = await acme.post("recommendations", {"user_id": "ana", "explain": True, "limit": 10})
        assert "c" not in [item["id"] for item in why["items"]]
        thumb = {"decision_id": decision.id, "kind": "thumbs", "value": 1}
        assert (await chat.client.post("/v1/feedback", json=thumb, headers=chat.headers)).status_code < 300


async def test_a_click_elsewhere_and_the_shops_rules_change_the_next_list_in_chat(tmp_path: Path) -> None:
    tags = {"fishing": "river rod trout", "kitchen": "pan knife oven", "garden": "soil rose spade"}
    goods = [
        {"id": f"{tag}-{number}", "title": f"{tag} thing {number}", "text": words, "tags": [tag], "price": 5.0 + number}
        for tag, words in tags.items()
        for number in range(6)
    ]
    async with shop(tmp_path) as acme:
        chat = await acme.chat(goods)
        await acme.post("events", {"kind": "click", "item_id": "garden-1", "user_id": "ana"})
        found = await chat.say("Can you recommend something?")
        assert [card["data"]["item"][:6] for card in found["cards"]] == ["garden"] * 3, (
            "no questions: she is no stranger"
        )
        assert "garden" in found["cards"][0]["data"]["reason"]
        await acme.rule(exclude=["garden-0", "garden-2"], pin=["kitchen-5"])
        again = await chat.items("Can you recommend something?")
        assert again[0] == "kitchen-5"
        assert {"garden-0", "garden-2"}.isdisjoint(again)
        why = (await chat.say("why the first one?"))["parts"][0]
        assert "Chosen by the shop" in why


async def test_a_value_a_comparison_and_praise_of_what_was_shown_are_understood(tmp_path: Path) -> None:
    async with shop(tmp_path) as acme:
        chat = await acme.chat(FILMS)
        assert set((await chat.items("something by Bo Berg"))[:2]) == {"d", "e"}
        assert "as you said" in chat.replies[-1]["cards"][0]["data"]["reason"]
        assert await chat.items("something funnier")
        await chat.items("something like Low Tide")
        second = chat.replies[-1]["cards"][1]["title"]
        await chat.items("the second one looks really nice")
        assert second in chat.replies[-1]["parts"][0]
        assert (await chat.say("I did something earlier"))["cards"] == []
