"""The whole application over a real PostgreSQL: one process after another, and two at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from rejoinder.application import Application
from rejoinder.conversation import Turn
from rejoinder.payloads import Caller
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.store.models import list_versions
from rejoinder.store.turns import list_turns

from tests.services.postgres import postgres_url

__all__ = ["postgres_url"]

pytestmark = pytest.mark.service

ANN = Caller(id="ann")
BEN = Caller(id="ben")
QUESTION = "how can I cancel my order?"
SOON_S = 2.0
MESSAGES = 40

DEADLINES = (
    "redact_text",
    "understand_intent",
    "decide_action",
    "retrieve_answers",
    "rank_answers",
    "compose_reply",
    "score_feedback",
    "make_examples",
)


@pytest.fixture
async def loaded(postgres_url: str, tmp_path: Path) -> AsyncIterator[LoadedSettings]:
    """Settings of a deployment with a new, empty database."""
    name = f"end_to_end_{uuid4().hex}"
    server = await asyncpg.connect(postgres_url)
    try:
        await server.execute(f"CREATE DATABASE {name}")
        settings = DeploymentSettings(
            data_dir=tmp_path / "data",
            store={"url": postgres_url.rpartition("/")[0] + f"/{name}"},
            # On a busy machine nothing may time out: what is tested here is not how long hooks take.
            hooks={"deadline_s": dict.fromkeys(DEADLINES, 30.0), "breaker_failures": 1000},
            server={"turn_deadline_s": 60.0},
        )
        yield LoadedSettings(settings, tenants_dir=tmp_path / "tenants")
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await server.close()


async def add_shop(app: Application) -> None:
    """Add the tenant "shop", which starts from few examples and is soon loaded."""
    await app.tenants.create(
        "shop",
        settings={
            "customer_service": {"catalogue": "bitext", "examples_per_intent": 2},
            "dialogue": {"clarify_margin": 0.0, "min_in_scope": 0.0, "min_score": 0.0},
        },
    )


async def ask(app: Application, text: str = QUESTION, *, caller: Caller = ANN) -> Turn:
    """Ask in a new conversation."""
    conversation = await app.conversations.create("shop", caller)
    return await app.conversations.turn("shop", conversation, caller, text)


async def correct(app: Application, turn: Turn, intent: str) -> None:
    """Say what a turn was about."""
    assert turn.decision_id is not None
    result = await app.feedback.give("shop", ANN, decision_id=turn.decision_id, kind="corrected_intent", value=intent)
    assert result.learned


async def live_versions(app: Application) -> list[str]:
    """The ids of the shop's live models of intents."""
    return [row.id for row in await list_versions(app.database, "shop", state="live") if row.task == "intent"]


async def test_a_correction_outlives_the_process(loaded: LoadedSettings):
    async with Application.open(loaded) as app:
        await add_shop(app)
        conversation = await app.conversations.create("shop", ANN)
        first = await app.conversations.turn("shop", conversation, ANN, QUESTION, idempotency_key="k1")
        assert first.label == "cancel_order"
        await correct(app, first, "track_order")
        second = await app.conversations.turn("shop", conversation, ANN, QUESTION, idempotency_key="k2")
        assert second.label == "track_order"
        [version] = await live_versions(app)
    async with Application.open(loaded) as app:
        again = await app.conversations.turn("shop", conversation, ANN, QUESTION, idempotency_key="k1")
        assert (again.id, again.number, again.reply) == (first.id, 1, first.reply)
        third = await app.conversations.turn("shop", conversation, ANN, QUESTION, idempotency_key="k3")
        assert (third.number, third.label) == (3, "track_order")
        assert (await ask(app, caller=BEN)).label == "track_order"
        history = (await app.conversations.load("shop", conversation, ANN, history=100)).history
        assert [one.text for one in history if one.speaker == "user"] == [QUESTION] * 3
        assert await live_versions(app) == [version], "the stored model is loaded, not fitted anew"


async def test_two_processes_share_what_is_learned_and_lose_no_message(loaded: LoadedSettings):
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Application.open(loaded))
        second = await stack.enter_async_context(Application.open(loaded))
        await add_shop(first)
        before = [await ask(first), await ask(second)]
        assert [turn.label for turn in before] == ["cancel_order"] * 2

        await correct(first, before[0], "track_order")
        since = time.monotonic()
        assert (await ask(first)).label == "track_order"
        while (await ask(second, caller=BEN)).label != "track_order":
            assert time.monotonic() - since < SOON_S, "what one process learned, the other must know soon"
            await asyncio.sleep(0.05)

        conversation = await first.conversations.create("shop", ANN)
        texts = [f"{QUESTION} {'please ' * number}".strip() for number in range(MESSAGES)]
        turns = await asyncio.gather(
            *(
                (first, second)[number % 2].conversations.turn(
                    "shop", conversation, ANN, text, idempotency_key=f"k{number}"
                )
                for number, text in enumerate(texts)
            )
        )
        assert sorted(turn.number for turn in turns) == list(range(1, len(texts) + 1))
        stored = await list_turns(first.database, "shop", conversation, limit=200)
        assert {turn.number: turn.user_text for turn in stored} == {turn.number: turn.text for turn in turns}
        assert sorted(turn.user_text or "" for turn in stored) == sorted(texts)
        assert all(turn.reply.parts for turn in turns)
