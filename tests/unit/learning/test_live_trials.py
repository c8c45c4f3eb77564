"""Candidates on trial in a serving process: who sees them, what they learn, and how they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.context import utc_now
from rejoinder.learning import trials
from rejoinder.learning.trials import in_canary
from rejoinder.payloads import (
    Action,
    Caller,
    ConversationState,
    Decision,
    Example,
    Feedback,
    Message,
    Query,
    Reply,
    Reward,
    Understanding,
)
from rejoinder.store.examples import add_examples
from rejoinder.store.models import get_version, live_version, set_version_state
from rejoinder.store.tables import ModelTrial, ModelVersion
from rejoinder.store.trials import list_model_decisions, list_trials, start_trial
from rejoinder.testing import HashEncoder
from rejoinder_plugins.learner_adaptation.plugin import LearnerAdaptationPlugin

from tests.support.application import opened, text_that_is
from tests.support.learners import NearestLearner, TaughtPlugin

QUESTION = "where is my card"
WAIT_S = 20.0


class Talks:
    """Answers with whatever was found."""

    @hookimpl()
    async def decide_action(self, message: Message, understanding: Understanding, state: ConversationState) -> Action:
        return Action(kind="answer", state=state, query=Query(text=message.text, intents=understanding.readings))

    @hookimpl()
    async def compose_reply(self, answers: Any) -> Reply:
        return Reply(parts=tuple(one.text for one in answers[:1]) or ("I don't know.",))


class Scores:
    """Scores thumbs and teaches nothing: what people say would mend the worst model before a trial could end."""

    @hookimpl()
    async def score_feedback(self, feedback: Feedback, decision: Decision) -> list[Reward]:
        return [Reward(task="intent", value=float(feedback.value == 1), reason="thumbs")]


class Broken(NearestLearner):
    """Learns, and fails when it is asked about one text."""

    def predict_batch(self, texts: Any, vectors: Any) -> Any:
        if "boom" in self.labels and any("sunday" in text for text in texts):
            raise RuntimeError("broken on purpose")
        return super().predict_batch(texts, vectors)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:

        async def make(learner: type[NearestLearner] = NearestLearner, **gate: Any) -> Application:
            plugins = {
                "taught": TaughtPlugin(learner=learner),
                "talks": Talks(),
                "scores": Scores(),
                "learner_adaptation": LearnerAdaptationPlugin(),
            }
            settings = {"canary_share": 0.5, **gate}
            application = await stack.enter_async_context(opened(tmp_path, plugins, gate=settings))
            await said(application, "warm")
            return application

        yield make


async def candidate(
    application: Application, label: str, learner: type[NearestLearner] = NearestLearner
) -> ModelVersion:
    """A version that answers everything with this label."""
    registry, made = application.models.registry, learner()
    example = Example(id="x", task="intent", text=QUESTION, label=label)
    made.fit([example], HashEncoder().encode([example.text]), seed=0)
    draft = await registry.draft()
    made.save(draft / "head")
    return await registry.add("acme", "intent", draft, base_hash=HashEncoder().hash, settings={"origin": "test"})


async def on_trial(application: Application, label: str, *, share: float, **more: Any) -> ModelTrial:
    """A trial of such a version that this process serves already."""
    version = await candidate(application, label, **more)
    live = await live_version(application.database, "acme", "intent")
    assert live is not None
    await set_version_state(application.database, "acme", version.id, "canary" if share else "shadow")
    trial = await start_trial(
        application.database, "acme", task="intent", version_id=version.id, against_id=live.id, share=share
    )
    await until(lambda: loaded(application))
    return trial


async def loaded(application: Application) -> bool:
    trials = application.models._trials._loaded.get("acme", {})
    return any(one.task is not None for one in trials.values())


async def until(condition: Callable[[], Any]) -> None:
    started = time.monotonic()
    while not await condition():
        assert time.monotonic() - started < WAIT_S, "it does not come to pass"
        await asyncio.sleep(0.02)


async def said(application: Application, user: str, text: str = QUESTION) -> str | None:
    request = await application.models.request_for("acme", Caller(id=user))
    prediction = await request.models.predict("intent", text)
    return prediction.label if prediction else None


async def test_a_canary_answers_its_share_of_the_users_and_always_the_same(start: Any) -> None:
    application = await start()
    trial = await on_trial(application, "canary", share=0.5)
    users = [f"user-{n}" for n in range(40)]
    first = {user: await said(application, user) for user in users}

    assert first == {user: "canary" if in_canary(trial, user) else "card" for user in users}
    assert set(first.values()) == {"canary", "card"}
    assert {user: await said(application, user) for user in users} == first


async def test_a_correction_counts_at_once_on_both_sides(start: Any) -> None:
    application = await start()
    trial = await on_trial(application, "canary", share=0.5)
    text = text_that_is(False, "my card number {} is gone")
    example = Example(id="ex-1", task="intent", text=text, label="lost", polarity="correction", at=utc_now())
    await add_examples(application.database, "acme", [example], held_back=lambda _: False)
    await application.models.learn("acme", [example])
    users = [f"user-{n}" for n in range(20)]

    assert {in_canary(trial, user) for user in users} == {True, False}
    assert {await said(application, user, text) for user in users} == {"lost"}


async def test_what_was_taught_before_a_trial_is_known_in_it(start: Any) -> None:
    application = await start()
    text = text_that_is(False, "my card number {} is gone")
    example = Example(id="ex-1", task="intent", text=text, label="lost", polarity="correction", at=utc_now())
    await add_examples(application.database, "acme", [example], held_back=lambda _: False)
    await application.models.learn("acme", [example])
    trial = await on_trial(application, "canary", share=0.5)
    user = next(name for name in map("user-{}".format, range(99)) if in_canary(trial, name))

    assert await said(application, user, text) == "lost"
    assert await said(application, user) == "canary"


async def test_a_harmful_canary_is_taken_back_by_what_people_say_and_no_turn_fails(start: Any) -> None:
    application = await start(canary_turns=300)
    trial = await on_trial(application, "nonsense", share=0.5)
    rewarded = 0
    conversations = application.conversations
    for n in range(300):
        user = Caller(id=f"user-{n}")
        turn = await conversations.turn("acme", await conversations.create("acme", user), user, QUESTION)
        assert turn.decision_id is not None
        value = 1 if turn.reply is not None and "card" in turn.reply.parts[0] else -1
        await application.feedback.give("acme", user, decision_id=turn.decision_id, kind="thumbs", value=value)
        rewarded += 1
        if (await list_trials(application.database, "acme"))[0].outcome:
            break

    assert (await list_trials(application.database, "acme"))[0].outcome == "rejected"
    assert rewarded <= 100
    assert (await get_version(application.database, "acme", trial.model_version_id)).state == "retired"
    (decided, *_) = await list_model_decisions(application.database, "acme")
    assert (decided.action, decided.by) == ("rollback", "trial")
    assert "it is worse" in decided.reason
    assert {await said(application, f"user-{n}") for n in range(40)} == {"card"}


async def test_a_shadow_answers_nobody_and_is_let_on_when_it_is_sound(start: Any) -> None:
    application = await start(shadow_turns=10, canary_share=0.5)
    trial = await on_trial(application, "canary", share=0.0)
    for n in range(12):
        assert await said(application, f"user-{n}") == "card"
        await asyncio.sleep(0.02)

    async def in_canary_now() -> bool:
        await application.models._look()
        return (await list_trials(application.database, "acme"))[0].canary_at is not None

    await until(in_canary_now)
    (going_on,) = await list_trials(application.database, "acme")
    assert (going_on.id, going_on.share, going_on.counts.get("failed")) == (trial.id, 0.5, None)
    assert (await get_version(application.database, "acme", trial.model_version_id)).state == "canary"


async def test_a_shadow_that_fails_is_taken_back_and_no_turn_with_it(start: Any) -> None:
    application = await start(Broken, shadow_turns=20)
    await on_trial(application, "boom", share=0.0, learner=Broken)
    for _ in range(8):
        assert await said(application, "ana", "opening hours on sunday") == "hours"
        await asyncio.sleep(0.02)

    async def over() -> bool:
        await application.models._look()
        return (await list_trials(application.database, "acme"))[0].outcome is not None

    await until(over)
    (decided,) = await list_model_decisions(application.database, "acme")
    assert (decided.action, "failed on" in decided.reason) == ("reject", True)


async def test_a_trial_ends_when_a_person_promotes_something_else(start: Any) -> None:
    application = await start()
    trial = await on_trial(application, "canary", share=0.5)
    other = await candidate(application, "other")
    await application.models.promote("acme", other.id)
    (step,) = await application.models.review_trials("acme")

    assert (step.action, "another version was made live" in step.reason) == ("reject", True)
    assert (await get_version(application.database, "acme", trial.model_version_id)).state == "retired"

    async def served() -> bool:
        return await said(application, "ana") == "other"

    await until(served)


async def test_a_step_that_is_broken_off_is_taken_again(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    application = await start(canary_hours=1e-6)
    trial = await on_trial(application, "canary", share=0.5)
    write, broken = trials.add_model_decision, [True]

    async def breaks(*args: Any, **named: Any) -> Any:
        if broken:
            raise RuntimeError("killed")
        return await write(*args, **named)

    monkeypatch.setattr(trials, "add_model_decision", breaks)
    with pytest.raises(RuntimeError, match="killed"):
        await application.models.review_trials("acme")
    assert [one.outcome for one in await list_trials(application.database, "acme")] == [None]
    broken.clear()
    await until(lambda: promoted(application, trial))
    (decided,) = await list_model_decisions(application.database, "acme")
    assert (decided.action, "without a sign of harm" in decided.reason) == ("promote", True)


async def promoted(application: Application, trial: ModelTrial) -> bool:
    await application.models.review_trials("acme")
    return (await get_version(application.database, "acme", trial.model_version_id)).state == "live"


async def test_a_canary_whose_files_are_damaged_is_not_made_live(start: Any) -> None:
    application = await start(canary_hours=1e-6)
    trial = await on_trial(application, "canary", share=0.5)
    version = await get_version(application.database, "acme", trial.model_version_id)
    for file in (await application.models.registry.files(version)).rglob("*"):
        if file.is_file():
            file.write_bytes(b"damaged")
    await application.models.review_trials("acme")
    (decided,) = await list_model_decisions(application.database, "acme")

    assert (decided.action, "its files cannot be used" in decided.reason) == ("reject", True)
    assert (await get_version(application.database, "acme", version.id)).state == "retired"
    assert await said(application, "ana") == "card"


async def test_a_trial_of_one_tenant_is_not_another_tenants(start: Any) -> None:
    application = await start()
    await application.tenants.create("other")
    await on_trial(application, "canary", share=0.5)
    users = [Caller(id=f"user-{n}") for n in range(20)]
    answers = set()
    for user in users:
        request = await application.models.request_for("other", user)
        prediction = await request.models.predict("intent", QUESTION)
        answers.add(prediction.label if prediction else None)

    assert answers == {"card"}
    assert await list_trials(application.database, "other") == []
