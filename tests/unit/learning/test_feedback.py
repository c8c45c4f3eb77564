"""Feedback: checked, one's own, redacted, durable before it is learned, and learned before it is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.conversation import Turn
from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError, RedactionError
from rejoinder.payloads import Action, ConversationState, Message, Query, Reply, Understanding
from rejoinder.store.examples import count_examples, get_example, list_examples
from rejoinder.store.feedback import get_feedback, list_feedback
from rejoinder_plugins.corrections import CorrectionsPlugin
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin

from tests.support.application import ADMIN, AGENT, ANA, BEN, file_bytes, opened, text_that_is
from tests.support.learners import TaughtPlugin

SECRET = "4111111111111111"


class Redactor:
    """Masks the secret; fails where a text holds a certain word. `purposes` are what it was told."""

    purposes: list[str]

    def __init__(self) -> None:
        self.purposes = []

    @hookimpl()
    async def redact_text(self, text: str, purpose: str) -> str:
        self.purposes.append(purpose)
        if "unspeakable" in text:
            raise RuntimeError("broken on purpose")
        return text.replace(SECRET, "[CARD_NUMBER]")


class Talks:
    """Answers with whatever was found."""

    @hookimpl()
    async def decide_action(self, message: Message, understanding: Understanding, state: ConversationState) -> Action:
        return Action(kind="answer", state=state, query=Query(text=message.text, intents=understanding.readings))

    @hookimpl()
    async def compose_reply(self, answers: Any) -> Reply:
        return Reply(parts=tuple(one.text for one in answers[:1]) or ("I don't know.",))


@dataclass
class Desk:
    """An application, and a turn of ana's about her card."""

    application: Application
    turn: Turn | None = None

    @property
    def decision(self) -> str:
        assert self.turn is not None
        assert self.turn.decision_id is not None
        return self.turn.decision_id

    async def say(self, text: str) -> Turn:
        """Say something in a new conversation."""
        conversations = self.application.conversations
        return await conversations.turn("acme", await conversations.create("acme", ANA), ANA, text)

    async def give(self, kind: Any, value: Any, *, caller: Any = ANA, tenant: str = "acme", **more: Any) -> Any:
        """Give feedback on the turn."""
        named = {"decision_id": self.decision, **more}
        return await self.application.feedback.give(tenant, caller, kind=kind, value=value, **named)

    async def counts(self) -> tuple[int, int]:
        """How many feedbacks and examples the tenant has."""
        given = await list_feedback(self.application.database, "acme")
        return len(given), sum((await count_examples(self.application.database, "acme", active=None)).values())


@pytest.fixture
async def desk_of(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """A factory of desks over one folder: each is the next process; the one before is closed."""
    stack = AsyncExitStack()
    last: list[AsyncExitStack] = []

    async def make(text: str | None = "where is my card", **plugins: Any) -> Desk:
        while last:
            await last.pop().aclose()
        own = AsyncExitStack()
        last.append(own)
        stack.push_async_callback(own.aclose)
        shipped = {
            "talks": Talks(),
            "taught": TaughtPlugin(),
            "redactor": Redactor(),
            "corrections": CorrectionsPlugin(),
            "explicit_feedback": ExplicitFeedbackPlugin(),
        }
        application = await own.enter_async_context(opened(tmp_path, {**shipped, **plugins}, tenants=("acme", "other")))
        desk = Desk(application)
        if text is not None:
            desk.turn = await desk.say(text)
        return desk

    yield make
    await stack.aclose()


@pytest.fixture
async def desk(desk_of: Callable[..., Any]) -> Desk:
    made: Desk = await desk_of()
    return made


# --- what may be said ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("thumbs", 0, "must be 1 .up. or -1 .down., not 0"),
        ("thumbs", 2, "not 2"),
        ("thumbs", True, "not True"),
        ("thumbs", "1", "not '1'"),
        ("thumbs", None, "not None"),
        ("thumbs", [1], r"not \[1\]"),
        ("rating", 0, "whole number from 1 to 5, not 0"),
        ("rating", 6, "not 6"),
        ("rating", 3.5, "not 3.5"),
        ("rating", True, "not True"),
        ("rating", "5", "not '5'"),
        ("dwell", -1, "seconds from 0"),
        ("dwell", float("nan"), "seconds from 0"),
        ("dwell", True, "not True"),
        ("dwell", "30", "not '30'"),
        *(
            (kind, value, message)
            for kind in ("corrected_intent", "corrected_answer", "free_text", "behaviour")
            for value, message in (
                ("", "not empty"),
                (" \n", "not empty"),
                (1, "must be a text"),
                (None, "must be a text"),
                (["x"], "must be a text"),
                ("x" * 8001, "8001 characters, at most 8000"),
                ("a\x00b", "NUL"),
                ("a\ud800b", "not valid Unicode at character 1"),
            )
        ),
        ("thumb", 1, "no feedback kind 'thumb'.*Did you mean 'thumbs'.*corrected_answer"),
        ("", 1, "no feedback kind"),
    ],
)
async def test_a_value_that_does_not_fit_its_kind_is_refused(desk: Desk, kind: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        await desk.give(kind, value)
    assert await desk.counts() == (0, 0)


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("thumbs", 1, 1),
        ("thumbs", -1.0, -1),
        ("rating", 1, 1),
        ("rating", 5, 5),
        ("corrected_intent", " lost ", "lost"),
        ("corrected_answer", "x" * 8000, "x" * 8000),
        ("free_text", "thanks", "thanks"),
        ("behaviour", "click", "click"),
        ("chosen", " lost ", "lost"),
        ("dwell", 12, 12.0),
    ],
)
async def test_every_kind_is_stored_with_who_gave_it(desk: Desk, kind: str, value: Any, stored: Any) -> None:
    result = await desk.give(kind, value, about="answer", index=0)

    found = (await get_feedback(desk.application.database, "acme", result.id)).feedback
    assert (found.kind, found.value, type(found.value)) == (kind, stored, type(stored))
    assert (found.user_id, found.role, found.decision_id) == ("ana", "customer", desk.decision)
    assert (found.about, found.index) == ("answer", 0)


# --- whose -----------------------------------------------------------------------------------------------------------


async def missing(desk: Desk) -> str:
    with pytest.raises(NotFoundError) as caught:
        await desk.give("thumbs", 1, decision_id="dec_none")
    return str(caught.value)


@pytest.mark.parametrize("who", ["another-user", "another-tenant"])
async def test_a_strangers_decision_is_as_if_it_were_not_there(desk: Desk, who: str) -> None:
    caller, tenant = (BEN, "acme") if who == "another-user" else (ADMIN, "other")
    with pytest.raises(NotFoundError) as caught:
        await desk.give("corrected_intent", "lost", caller=caller, tenant=tenant)

    assert str(caught.value).replace(desk.decision, "dec_none") == await missing(desk)
    assert await desk.counts() == (0, 0)


@pytest.mark.parametrize("caller", [AGENT, ADMIN], ids=["agent", "admin"])
async def test_agents_and_admins_may_correct_what_a_customer_was_told(desk: Desk, caller: Any) -> None:
    result = await desk.give("corrected_intent", "lost", caller=caller)

    found = await get_feedback(desk.application.database, "acme", result.id)
    assert (found.feedback.user_id, found.feedback.role) == (caller.id, caller.role)


# --- what comes of it --------------------------------------------------------------------------------------------------


async def test_a_corrected_intent_counts_in_the_very_next_turn(desk: Desk) -> None:
    assert desk.turn is not None
    assert desk.turn.label == "card"
    result = await desk.give("corrected_intent", "lost")

    assert (result.examples, result.learned, result.repeated) == (1, True, False)
    assert [(one.task, one.value, one.correction) for one in result.rewards] == [("intent", 0.0, "lost")]
    assert (await desk.say("where is my card")).label == "lost"


async def test_a_corrected_answer_is_given_in_the_very_next_turn(desk: Desk) -> None:
    await desk.give("corrected_answer", "It is on its way.")

    assert (await desk.say("where is my card")).reply.parts == ("It is on its way.",)


async def test_a_thumbs_up_is_an_example_of_what_was_said(desk: Desk) -> None:
    result = await desk.give("thumbs", 1)

    (example,) = await list_examples(desk.application.database, "acme", "intent")
    assert (example.label, example.polarity, example.decision_id) == ("card", "positive", desk.decision)
    assert {one.value for one in result.rewards} == {1.0}


async def test_a_remark_teaches_nothing(desk: Desk) -> None:
    result = await desk.give("free_text", "hm, interesting")

    assert (result.examples, result.learned) == (0, False)
    assert await desk.counts() == (1, 0)


async def test_the_rewards_are_stored(desk: Desk) -> None:
    result = await desk.give("thumbs", -1)

    assert (await get_feedback(desk.application.database, "acme", result.id)).rewards == result.rewards


async def test_an_example_that_is_kept_back_is_marked(desk_of: Callable[..., Any]) -> None:
    desk = await desk_of(text_that_is(True))
    await desk.give("corrected_intent", "lost")

    assert await count_examples(desk.application.database, "acme", held_back=True) == {"intent": 1}


async def test_the_examples_ids_follow_from_the_feedback(desk: Desk) -> None:
    result = await desk.give("corrected_intent", "lost")
    (example,) = await list_examples(desk.application.database, "acme", "intent")
    stored = await get_feedback(desk.application.database, "acme", result.id)
    request = await desk.application.models.request_for("acme", ANA)
    from rejoinder.store.decisions import get_decision

    decision = await get_decision(desk.application.database, "acme", desk.decision)
    again = await desk.application.host.make_examples(result.rewards[0], stored.feedback, decision, request)

    assert [one.id for one in again] == [example.id]
    assert await get_example(desk.application.database, "acme", example.id) == example


class Broken:
    """Fails wherever feedback goes."""

    @hookimpl()
    async def score_feedback(self) -> Any:
        raise RuntimeError("broken on purpose")

    @hookimpl()
    async def make_examples(self) -> Any:
        return "not examples"


async def test_a_plugin_that_fails_leaves_the_others_to_it(desk_of: Callable[..., Any]) -> None:
    desk = await desk_of(broken=Broken())
    result = await desk.give("corrected_intent", "lost")

    assert (result.examples, result.learned) == (1, True)


# --- the same again ----------------------------------------------------------------------------------------------------


async def test_the_same_feedback_with_the_same_key_counts_once(desk: Desk) -> None:
    first = await desk.give("corrected_intent", "lost", idempotency_key="k1")
    again = await desk.give("corrected_intent", "lost", idempotency_key="k1")

    assert (again.id, again.rewards, again.repeated, again.examples) == (first.id, first.rewards, True, 0)
    assert await desk.counts() == (1, 1)


async def test_the_same_key_counts_once_after_a_restart(desk_of: Callable[..., Any]) -> None:
    desk = await desk_of()
    first = await desk.give("corrected_intent", "lost", idempotency_key="k1")
    again = await desk_of(None)
    again.turn = desk.turn

    assert (await again.give("corrected_intent", "lost", idempotency_key="k1")).id == first.id
    assert await again.counts() == (1, 1)


async def test_the_same_key_at_the_same_time_counts_once(desk: Desk) -> None:
    import asyncio

    results = await asyncio.gather(*(desk.give("corrected_intent", "lost", idempotency_key="k1") for _ in range(5)))

    assert len({one.id for one in results}) == 1
    assert sum(not one.repeated for one in results) == 1
    assert await desk.counts() == (1, 1)


@pytest.mark.parametrize(
    "changed",
    [{"value": "stolen"}, {"kind": "free_text"}, {"about": "intent"}, {"index": 1}, {"caller": AGENT}],
    ids=lambda changed: next(iter(changed)),
)
async def test_the_same_key_for_other_feedback_is_a_conflict(desk: Desk, changed: dict[str, Any]) -> None:
    given = {"kind": "corrected_intent", "value": "lost", "idempotency_key": "k1"}
    await desk.give(**given)

    with pytest.raises(ConflictError):
        await desk.give(**{**given, **changed})
    assert await desk.counts() == (1, 1)


async def test_feedback_without_a_key_counts_each_time(desk: Desk) -> None:
    await desk.give("thumbs", 1)
    await desk.give("thumbs", 1)

    assert (await desk.counts())[0] == 2


# --- what is kept ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["free_text", "corrected_answer", "corrected_intent", "behaviour"])
async def test_the_text_of_feedback_is_redacted_for_training(
    desk_of: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    redactor = Redactor()
    desk = await desk_of(redactor=redactor)
    redactor.purposes.clear()
    result = await desk.give(kind, f"call {SECRET}")

    assert redactor.purposes[0] == "train"
    found = (await get_feedback(desk.application.database, "acme", result.id)).feedback
    assert found.value == "call [CARD_NUMBER]"
    assert SECRET.encode() not in file_bytes(tmp_path)


async def test_what_cannot_be_redacted_is_not_stored(desk: Desk) -> None:
    with pytest.raises(RedactionError):
        await desk.give("corrected_answer", "unspeakable")
    assert await desk.counts() == (0, 0)


async def test_what_was_stored_is_learned_even_when_the_process_dies_before_it_learns(
    desk_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await desk_of()

    async def dies(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(desk.application.models, "learn", dies)
    with pytest.raises(KeyboardInterrupt):
        await desk.give("corrected_intent", "lost", idempotency_key="k1")

    again = await desk_of()
    assert again.turn is not None
    assert again.turn.label == "lost"
    again.turn = desk.turn
    assert (await again.give("corrected_intent", "lost", idempotency_key="k1")).repeated


async def test_of_what_one_person_says_at_the_same_moment_one_counts(desk_of: Callable[..., Any]) -> None:
    desk = await desk_of()
    await asyncio.gather(*(desk.give("thumbs", value) for value in (1, -1, 1, -1)))
    given = await list_feedback(desk.application.database, "acme")
    counting = [one for one in given if any(reward.weight > 0 for reward in one.rewards or ())]
    assert (len(given), len(counting)) == (4, 1)
    kept = await list_examples(desk.application.database, "acme", "intent")
    assert [one.polarity for one in kept] == ["positive" if counting[0].feedback.value == 1 else "negative"]


async def test_the_same_request_twice_at_the_same_moment_counts_once(desk_of: Callable[..., Any]) -> None:
    desk = await desk_of()
    results = await asyncio.gather(*(desk.give("thumbs", 1, idempotency_key="k") for _ in range(4)))
    assert sorted(one.repeated for one in results) == [False, True, True, True]
    assert await desk.counts() == (1, 1)


async def test_what_two_people_say_at_the_same_moment_counts_both(desk_of: Callable[..., Any]) -> None:
    desk = await desk_of()
    await asyncio.gather(desk.give("thumbs", 1), desk.give("thumbs", -1, caller=AGENT))
    given = await list_feedback(desk.application.database, "acme")
    assert all(reward.weight > 0 for one in given for reward in one.rewards or ())
    assert len(given) == 2
