"""Recommendation in conversation through the HTTP door, over a real store, with a shop's items and with the shipped films."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rejoinder.payloads import Caller
from rejoinder.serving.app import create_app
from rejoinder_plugins.dialogue import DialoguePlugin
from rejoinder_plugins.redaction import RedactionPlugin
from rejoinder_plugins.small_talk import SmallTalkPlugin
from rejoinder_recommendation.conversation.catalogue import Catalogue, CatalogueItem
from rejoinder_recommendation.conversation.plugin import NAME, ConversationPlugin

from tests.support.application import opened

SHOP = [
    CatalogueItem(
        id="rod", title="Silver Brook rod", text="A light fly fishing rod for trout.", tags=("outdoor",), price=45
    ),
    CatalogueItem(
        id="lures", title="Box of lures", text="Twenty lures for fishing in rivers.", tags=("outdoor",), price=19.5
    ),
    CatalogueItem(id="mug", title="Blue mug", text="A mug for coffee.", tags=("kitchen",), price=9),
    CatalogueItem(id="pan", title="Iron pan", text="A heavy pan for stews.", tags=("kitchen",), price=29),
    CatalogueItem(
        id="gone", title="Fishing hat", text="A hat for fishing.", tags=("outdoor",), price=12, available=False
    ),
]
FILMS = [
    CatalogueItem(
        id=id_, title=title, text=text, tags=tags, relations={"director": (director,)}, minutes=minutes, year=year
    )
    for id_, title, text, tags, director, minutes, year in (
        ("a", "Harbour Lights (2001)", "A sailor comes home.", ("drama",), "Ana Lopes", 150, 2001),
        ("b", "Low Tide (2004)", "A short summer by the sea.", ("drama",), "Ana Lopes", 95, 2004),
        ("c", "Night Ferry (2010)", "A crime on a ferry.", ("crime",), "Ana Lopes", 170, 2010),
        ("d", "Paper Moons (2015)", "A clown looks for work.", ("comedy",), "Bo Berg", 90, 2015),
        ("e", "Tin Drums (1987)", "Soldiers on leave.", ("comedy", "drama"), "Bo Berg", 101, 1987),
    )
]


@dataclass
class Chat:
    """One conversation."""

    client: httpx.AsyncClient
    headers: dict[str, str]
    id: str
    replies: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, text: str) -> dict[str, Any]:
        path = f"/v1/conversations/{self.id}/messages"
        response = await self.client.post(path, json={"text": text}, headers=self.headers)
        assert response.status_code == 200, response.text
        reply: dict[str, Any] = response.json()["reply"]
        self.replies.append(reply)
        return reply

    async def items(self, text: str) -> list[str]:
        return [card["data"]["item"] for card in (await self.say(text))["cards"]]


@asynccontextmanager
async def chats(folder: Path, **settings: Any) -> AsyncIterator[Callable[..., Awaitable[Chat]]]:
    plugin = ConversationPlugin()
    plugins = {
        NAME: plugin,
        "dialogue": DialoguePlugin(),
        "small_talk": SmallTalkPlugin(),
        "redaction": RedactionPlugin(),
    }
    # On a busy machine nothing may time out: what is tested here is not how long hooks take.
    patient = {
        "deadlines_s": dict.fromkeys(("decide_action", "retrieve_answers", "compose_reply", "redact_text"), 30.0)
    }
    async with opened(folder, plugins, tenants=("acme", "other"), host_options=patient) as application:
        transport = httpx.ASGITransport(app=create_app(application))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            for name, value in settings.items():
                await application.tenants.set_setting("acme", f"{NAME}.{name}", value)

            async def begin(items: list[CatalogueItem] | None = None, tenant: str = "acme") -> Chat:
                if items is not None:
                    request = await application.models.request_for(tenant, Caller(id="ana"))
                    plugin.shelves.put(request.context(NAME), Catalogue(items))
                    await plugin.shelves.warmed()
                key = (await application.tenants.create_key("customer", tenant=tenant)).token
                issuer = await application.tenants.authenticate(key)
                token = (await application.tenants.issue_token(issuer, "ana")).token
                headers = {"authorization": f"Bearer {token}"}
                made = await client.post("/v1/conversations", json={}, headers=headers)
                assert made.status_code in (200, 201), made.text
                return Chat(client, headers, made.json()["id"])

            yield begin


async def test_like_one_but_shorter_not_this_one_and_why(tmp_path: Path) -> None:
    async with chats(tmp_path) as begin:
        chat = await begin(FILMS)
        assert await chat.items("Something like Harbour Lihgts but shorter, please") == ["b", "e", "d"]
        first = chat.replies[-1]
        assert "Harbour Lights (2001)" in first["parts"][0]
        assert "149 minutes" in first["parts"][0]
        assert first["cards"][0]["data"]["reasons"] == [
            "same director as Harbour Lights (2001): Ana Lopes",
            "same tag as Harbour Lights (2001): drama",
        ]
        assert first["citations"][0]["quote"] == "A short summer by the sea."
        why = (await chat.say("Why this?"))["parts"][0]
        assert why.startswith("Low Tide (2004): same director as Harbour Lights (2001): Ana Lopes")
        assert "b" not in await chat.items("not this one")
        assert await chat.items("no comedy") == []
        assert "Nothing fits" in chat.replies[-1]["parts"][0]
        older = await chat.items("ok, something like Paper Moons then, but older")
        assert older[0] == "e"
        assert set(older) == {"a", "c", "e"}


async def test_a_gift_in_words_and_with_a_limit(tmp_path: Path) -> None:
    async with chats(tmp_path) as begin:
        chat = await begin(SHOP)
        found = await chat.items("I need a gift for my father who fishes, under 30")
        assert found[0] == "lures"
        assert {"rod", "gone"}.isdisjoint(found)
        assert chat.replies[-1]["cards"][0]["data"]["reasons"] == ['its description says "fishing"']
        assert (await chat.items("something cheaper")) == ["mug"]
        assert await chat.items("under 5 euros") == []
        assert "Whatever the price" in chat.replies[-1]["parts"][0]
        longer = await begin()
        await longer.items("a gift for my sister who fishes")
        assert "longer" in " ".join((await longer.say("a longer one"))["parts"])


async def test_strangers_are_asked_three_questions(tmp_path: Path) -> None:
    async with chats(tmp_path) as begin:
        chat = await begin(FILMS)
        assert "like lately" in (await chat.say("Can you recommend something?"))["parts"][0]
        mood = await chat.say("Night Ferry")
        assert "mood" in mood["parts"][0]
        assert {option["value"] for option in mood["options"]} == {"drama", "comedy", "crime"}
        assert "limit" in (await chat.say("drama"))["parts"][0]
        assert (await chat.items("nothing before 1990"))[0] in {"a", "b"}
        assert all(card["data"]["year"] >= 1990 for card in chat.replies[-1]["cards"])


async def test_the_shipped_films_answer_at_once(tmp_path: Path) -> None:
    async with chats(tmp_path, catalogue="movies") as begin:
        chat = await begin()
        found = await chat.say("I loved Teh Conjuring (2013). Can you suggest a horror movie from the 80s?")
        assert len(found["cards"]) == 3
        for card in found["cards"]:
            assert 1980 <= card["data"]["year"] <= 1989
            assert "horror" in card["data"]["tags"]
            assert (
                "same tag as The Conjuring (2013): horror" in " ".join(card["data"]["reasons"])
                or "tag: horror" in card["text"]
            )
        shorter = await chat.say("a shorter one")
        assert "does not say" in shorter["parts"][0]


async def test_what_is_not_about_items_is_left_to_others(tmp_path: Path) -> None:
    async with chats(tmp_path) as begin:
        chat = await begin(SHOP)
        assert (await chat.say("thanks"))["parts"] == ["You're welcome! Is there anything else?"]
        assert (await chat.say("where is my parcel"))["cards"] == []


async def test_a_tenant_sees_its_own_items_only(tmp_path: Path) -> None:
    async with chats(tmp_path) as begin:
        mine = await begin(SHOP)
        assert await mine.items("something for fishing")
        theirs = await begin(tenant="other")
        assert await theirs.items("something for fishing") == []
        other = await begin(FILMS, tenant="other")
        assert set(await other.items("recommend something like Low Tide")) <= {"a", "b", "c", "d", "e"}
        assert set(await mine.items("something else")) <= {"rod", "lures", "mug", "pan"}


async def test_an_empty_catalogue_says_so(tmp_path: Path) -> None:
    async with chats(tmp_path) as begin:
        chat = await begin([])
        assert "empty" in (await chat.say("any good films about boats?"))["parts"][0]
