"""Clusters of what customers ask in vain: found, named, accepted live at once, rejected for good, and never another tenant's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict
from rejoinder.application import Application
from rejoinder.context import Context
from rejoinder.errors import AccessError, ConflictError, InvalidInputError, NotFoundError
from rejoinder.hooks import hookimpl
from rejoinder.learning.clusters import accept_cluster, find_clusters, proposals, reject_cluster
from rejoinder.learning.clusters_grouping import groups_of
from rejoinder.learning.clusters_naming import label_of, names_of, phrases_of
from rejoinder.learning.review import pick_questions
from rejoinder.learning.schedules import CLUSTERS, keep_schedules
from rejoinder.payloads import (
    Action,
    Answer,
    Caller,
    ConversationState,
    Domain,
    Message,
    Query,
    Reply,
    Understanding,
)
from rejoinder.serving.app import create_app
from rejoinder.store.examples import list_examples
from rejoinder_plugins.corrections import CorrectionsPlugin
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin

from tests.support.application import AGENT, ANA, BEN, opened
from tests.support.learners import TaughtPlugin

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LUGGAGE = (
    "my lost luggage claim",
    "lost luggage claim where",
    "claim for lost luggage",
    "how do I claim lost luggage",
    "lost luggage claim form",
)
DOGS = ("may a dog fly", "can my dog fly too", "does a dog fly free", "may my dog fly along", "dog fly price")
ALONE = ("tell me a joke", "who won yesterday")


class ShopSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: dict[str, str] = {}


class ShopDomain:
    """Answers an intent where the tenant has an answer for it and the model is fairly sure, and else says that it knows nothing."""

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        return [Domain(name="shop", settings=ShopSettings, answers="answers")]

    @hookimpl()
    async def decide_action(self, message: Message, understanding: Understanding, state: ConversationState) -> Action:
        if message.text.startswith("Guten Tag"):
            return Action(kind="say", state=state, text="English, please.")
        sure = tuple(one for one in understanding.readings if one.confidence > 0.4)
        return Action(kind="answer", state=state, query=Query(text=message.text, intents=sure))

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        settings: ShopSettings = context.settings
        if (query.text or "").startswith("terms"):
            return [Answer(id="terms", score=1.0, source="a document", text="See page 3.")]
        return [
            Answer(id=one.intent, score=1.0, source="shop", text=settings.answers[one.intent], intent=one.intent)
            for one in query.intents
            if one.intent in settings.answers
        ]

    @hookimpl()
    async def rank_answers(self, answers: tuple[Answer, ...]) -> list[Answer]:
        return [one for one in answers if one.source != "taught"]

    @hookimpl()
    async def compose_reply(self, action: Action, answers: tuple[Answer, ...]) -> Reply:
        return Reply(parts=tuple(one.text or "" for one in answers[:1]) or (action.text or "I don't know.",))


class Shop:
    """An application whose customers ask."""

    def __init__(self, application: Application, clock: list[datetime]) -> None:
        self.application, self.clock = application, clock

    async def ask(self, *texts: str, tenant: str = "acme", caller: Caller = ANA) -> str:
        """Ask, each in a conversation of its own; return the last reply."""
        said = ""
        for text in texts:
            self.clock[0] += timedelta(seconds=1)
            conversation = await self.application.conversations.create(tenant, caller)
            turn = await self.application.conversations.turn(tenant, conversation, caller, text)
            said = " ".join(turn.reply.parts)
        return said

    async def find(self, tenant: str = "acme") -> dict[str, str]:
        """Look for clusters; return their ids by label."""
        return {one.label: one.id for one in await find_clusters(self.application, tenant)}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    clock = [NOON]
    plugins: dict[str, Any] = {
        "shop": ShopDomain(),
        "taught": TaughtPlugin(),
        "explicit_feedback": ExplicitFeedbackPlugin(),
        "corrections": CorrectionsPlugin(),
    }
    async with opened(
        tmp_path, plugins, tenants=("acme", "other"), clock=lambda: clock[0], learning={"adapt_after": 0}
    ) as application:
        yield Shop(application, clock)


async def test_what_is_asked_in_vain_is_found_and_named(shop: Shop):
    await shop.ask(*LUGGAGE, *DOGS, *ALONE, LUGGAGE[0].upper())
    found = await find_clusters(shop.application, "acme")
    assert {one.label for one in found} == {"lost_luggage_claim", "dog_fly"}
    luggage = next(one for one in found if "luggage" in one.label)
    assert luggage.size == 5
    assert {one.casefold() for one in luggage.examples} == {one.casefold() for one in LUGGAGE}
    assert luggage.keywords[0] == "lost luggage claim"
    assert await proposals(shop.application, "acme") == found
    assert await shop.find() == {one.label: one.id for one in found}


async def test_an_accepted_intent_answers_from_the_next_message_on(shop: Shop):
    await shop.ask(*LUGGAGE, *DOGS)
    ids = await shop.find()
    assert await shop.ask("a claim for lost luggage", caller=BEN) == "I don't know."
    done = await accept_cluster(
        shop.application, "acme", AGENT, ids["lost_luggage_claim"], label="lost.luggage", answer="Please call the desk."
    )
    assert (done.label, done.examples, done.answer_setting) == ("lost.luggage", 5, "shop.answers.lost.luggage")
    assert await shop.ask("a claim for lost luggage", caller=BEN) == "Please call the desk."
    examples = await list_examples(shop.application.database, "acme", "intent")
    assert {(one.text, one.label, one.user_id) for one in examples} == {
        (text, "lost.luggage", AGENT.id) for text in LUGGAGE
    }
    assert await shop.find() == {"dog_fly": ids["dog_fly"]}
    assert (await shop.application.tenants.get("other")).settings == {}

    again = await accept_cluster(
        shop.application, "acme", AGENT, done.id, label="lost.luggage", answer="Please call the desk."
    )
    assert again.label == "lost.luggage"
    assert len(await list_examples(shop.application.database, "acme", "intent")) == 5
    with pytest.raises(ConflictError):
        await accept_cluster(shop.application, "acme", AGENT, done.id, label="another")
    with pytest.raises(ConflictError, match=r"set shop\.answers\.lost\.luggage to change it"):
        await accept_cluster(shop.application, "acme", AGENT, done.id, label="lost.luggage", answer="Another.")
    assert await shop.ask("a claim for lost luggage", caller=BEN) == "Please call the desk."
    with pytest.raises(ConflictError):
        await reject_cluster(shop.application, "acme", AGENT, done.id)


async def test_a_second_answer_leaves_the_first(shop: Shop):
    await shop.ask(*LUGGAGE, *DOGS)
    ids = await shop.find()
    await accept_cluster(shop.application, "acme", AGENT, ids["lost_luggage_claim"], label="luggage", answer="Call us.")
    await accept_cluster(shop.application, "acme", AGENT, ids["dog_fly"], label="dogs", answer="Dogs may fly.")
    assert await shop.ask("claim for lost luggage") == "Call us."
    assert await shop.ask("dog fly price") == "Dogs may fly."


async def test_two_accepted_at_once_both_keep_their_answers(shop: Shop):
    await shop.ask(*LUGGAGE, *DOGS)
    ids = await shop.find()
    await asyncio.gather(
        accept_cluster(shop.application, "acme", AGENT, ids["lost_luggage_claim"], label="a.b", answer="Call us."),
        accept_cluster(shop.application, "acme", AGENT, ids["dog_fly"], label="dogs", answer="Dogs may fly."),
    )
    stored = (await shop.application.tenants.get("acme")).settings
    assert stored == {"shop": {"answers": {"a.b": "Call us.", "dogs": "Dogs may fly."}}}


async def test_an_answer_alone_is_given_to_such_questions(shop: Shop):
    await shop.ask(*DOGS)
    ids = await shop.find()
    done = await accept_cluster(shop.application, "acme", AGENT, ids["dog_fly"], answer="Dogs may fly.")
    assert (done.label, done.examples, done.answer_setting) == (None, 5, "")
    assert await shop.ask("Does a dog fly free?", caller=BEN) == "Dogs may fly."
    assert await list_examples(shop.application.database, "acme", "intent") == []
    assert await shop.find() == {}


async def test_what_was_rejected_is_never_proposed_again(shop: Shop):
    await shop.ask(*LUGGAGE)
    (cluster,) = (await shop.find()).values()
    assert (await reject_cluster(shop.application, "acme", AGENT, cluster)).state == "rejected"
    await shop.ask(*(f"please, {text}" for text in LUGGAGE), *(f"hello, {text}" for text in LUGGAGE))
    assert await shop.find() == {}
    assert [one.id for one in await proposals(shop.application, "acme", state="rejected")] == [cluster]
    with pytest.raises(ConflictError):
        await accept_cluster(shop.application, "acme", AGENT, cluster, label="luggage")


async def test_answers_that_were_disliked_or_in_doubt_count_as_none(shop: Shop):
    await shop.application.tenants.set_setting("acme", "shop.answers", {"card": "Wait.", "rate": "1.1", "hours": "9."})
    texts = [f"where is my card number {word}" for word in ("one", "two", "six", "ten", "four")]
    for text in texts:
        conversation = await shop.application.conversations.create("acme", ANA)
        turn = await shop.application.conversations.turn("acme", conversation, ANA, text)
        await shop.application.feedback.give("acme", ANA, decision_id=turn.decision_id or "", kind="thumbs", value=-1)
    (found,) = await find_clusters(shop.application, "acme")
    assert set(found.examples) == set(texts)


async def test_what_a_document_answered_is_answered_whatever_the_intent_model_thinks(shop: Shop):
    await shop.ask(*(f"terms of {text}" for text in LUGGAGE))
    assert await shop.find() == {}


async def test_what_needs_no_answer_is_no_question_without_one(shop: Shop):
    assert await shop.ask(*(f"Guten Tag, {text}" for text in LUGGAGE)) == "English, please."
    assert await shop.find() == {}
    assert await pick_questions(shop.application, "acme") == 0


async def test_too_few_are_no_cluster_and_old_ones_are_forgotten(shop: Shop):
    await shop.ask(*DOGS[:4], DOGS[0].upper())
    assert await shop.find() == {}
    await shop.ask(DOGS[4])
    assert list(await shop.find()) == ["dog_fly"]
    shop.clock[0] += timedelta(days=29)
    assert await shop.find() == {}


async def test_a_cluster_goes_with_the_questions_of_a_user_who_is_erased(shop: Shop):
    await shop.ask(*DOGS)
    await shop.find()
    await shop.application.eraser.erase("acme", "ana", by="admin-1")
    (left,) = await proposals(shop.application, "acme")
    assert left.examples == ()
    assert await shop.find() == {}


async def test_neither_customers_nor_other_tenants_reach_a_cluster(shop: Shop):
    await shop.ask(*DOGS)
    (cluster,) = (await shop.find()).values()
    assert await shop.find("other") == {}
    assert len(await proposals(shop.application, "acme")) == 1
    with pytest.raises(NotFoundError):
        await accept_cluster(shop.application, "other", AGENT, cluster, label="dogs")
    with pytest.raises(NotFoundError):
        await reject_cluster(shop.application, "other", AGENT, cluster)
    with pytest.raises(AccessError):
        await accept_cluster(shop.application, "acme", ANA, cluster, label="dogs")
    with pytest.raises(AccessError):
        await reject_cluster(shop.application, "acme", ANA, cluster)


async def test_without_a_place_for_answers_an_intent_is_taken_in_without_one(shop: Shop):
    await shop.application.tenants.disable_plugin("other", "shop")
    await shop.ask(*DOGS, tenant="other")
    ids = await shop.find("other")
    (cluster,) = ids.values()
    with pytest.raises(InvalidInputError, match="keeps answers by intent"):
        await accept_cluster(shop.application, "other", AGENT, cluster, label="dogs", answer="Yes.")
    assert (await accept_cluster(shop.application, "other", AGENT, cluster)).label == "dog_fly"


async def test_a_worker_looks_once_a_day(shop: Shop):
    await shop.ask(*DOGS)
    assert ("acme", CLUSTERS) in await keep_schedules(shop.application)
    assert len(await proposals(shop.application, "acme")) == 1
    shop.clock[0] += timedelta(hours=23)
    assert ("acme", CLUSTERS) not in await keep_schedules(shop.application)


async def test_over_http(shop: Shop):
    await shop.ask(*LUGGAGE, *DOGS)
    keys = {
        role: (await shop.application.tenants.create_key(role, tenant="acme")).token
        for role in ("agent", "admin", "customer")
    }
    transport = httpx.ASGITransport(app=create_app(shop.application))
    async with httpx.AsyncClient(transport=transport, base_url="http://test/v1/learning") as client:

        async def call(method: str, path: str, *, role: str = "agent", status: int = 200, **options: Any) -> Any:
            headers = {"authorization": f"Bearer {keys[role]}"}
            answer = await client.request(method, path, headers=headers, **options)
            assert answer.status_code == status, answer.text
            return answer.json()

        await call("GET", "/review", role="customer", status=403)
        first, second, *rest = (await call("GET", "/review"))["items"]
        assert len(rest) >= 5
        assert first["text"] in (*LUGGAGE, *DOGS)
        said = await call("POST", f"/review/{first['id']}", json={"label": "luggage"})
        assert (said["state"], said["learned"]) == ("answered", True)
        assert (await call("POST", f"/review/{second['id']}", json={"label": None}))["state"] == "skipped"
        await call("POST", f"/review/{second['id']}", json={"label": "luggage"}, status=409)
        await call("POST", "/review/review_none", json={"label": "luggage"}, status=404)
        await call("POST", f"/review/{rest[0]['id']}", json={}, status=422)
        assert len((await call("GET", "/review"))["items"]) == len(rest)

        shop.clock[0] += timedelta(seconds=1)
        await shop.ask(*(f"{text} please" for text in (*LUGGAGE, *DOGS)))
        found = (await call("POST", "/clusters"))["items"]
        assert found == (await call("GET", "/clusters"))["items"]
        dogs = next(one for one in found if "dog" in one["label"])
        others = [one for one in found if one is not dogs]
        body = {"label": "dogs", "answer": "Dogs may fly."}
        await call("POST", f"/clusters/{dogs['id']}/accept", json=body, status=403)
        taken = await call("POST", f"/clusters/{dogs['id']}/accept", json=body, role="admin")
        assert taken["answer_setting"] == "shop.answers.dogs"
        assert await shop.ask("dog fly price please") == "Dogs may fly."
        for one in others:
            assert (await call("POST", f"/clusters/{one['id']}/reject"))["state"] == "rejected"
        assert (await call("GET", "/clusters"))["items"] == []
        await call("POST", "/clusters/cluster_none/accept", json={}, status=404)


def test_groups_are_named_by_what_tells_them_apart():
    near = np.float32([[1, 0, 0], [1, 0.1, 0], [1, 0, 0.1], [0, 1, 0], [0.1, 1, 0], [0, 1, 0.1], [0, 0, 1], [0, 0, 0]])
    vectors = near / np.maximum(np.linalg.norm(near, axis=1, keepdims=True), 1e-9)
    texts = ["lost bag", "a lost bag", "bag lost again", "dog fly", "fly a dog", "a dog may fly", "hello", "the"]
    groups = groups_of(vectors, least=3)
    assert [set(group.rows) for group in groups] == [{0, 1, 2}, {3, 4, 5}]
    phrases = phrases_of(texts, groups)
    assert [
        set(own) >= wanted for own, wanted in zip(phrases, ({"lost", "bag", "lost bag"}, {"dog", "fly"}), strict=True)
    ]
    towards = {phrase: near[0] for own in phrases for phrase in own} | {
        "dog": near[3],
        "dog fly": near[0],
        "fly": near[0],
    }
    names = names_of(texts, groups, phrases, towards | {"lost bag": np.float32([2, 0, 0])})
    assert names[0].title == "Lost bag", "the phrase nearest to the middle"
    assert label_of(names[1].title) == "dog_fly", "one word gets another"
    assert names[0].keywords[0] == "lost bag"
    alone = groups_of(vectors[:3], least=2)
    assert phrases_of(["the", "it", "on"], alone) == [()]
    assert names_of(["the", "it", "on"], alone, [()], {})[0].keywords == ()
    assert phrases_of(texts, []) == []
    assert groups_of(vectors[:0], least=2) == []
    assert names_of(texts, [], [], {}) == []
