"""What people did after a reply: read from real conversations, once, by a worker's schedule, and never across tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.application import Application
from rejoinder.hooks import hookimpl
from rejoinder.learning.signals import read_signals
from rejoinder.payloads import (
    Action,
    Answer,
    ConversationState,
    Message,
    Option,
    Query,
    Question,
    Reading,
    Reply,
    Understanding,
)
from rejoinder.store.examples import list_examples
from rejoinder.store.feedback import list_feedback
from rejoinder.store.signals import note_read
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin
from rejoinder_plugins.implicit_feedback import ImplicitFeedbackPlugin

from tests.support.application import ANA, opened
from tests.support.learners import TaughtPlugin

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KNOWN = "where is my card"


class Talks:
    """Answers what begins with "where", asks back on "card or rate", hands over on "person", and knows nothing else."""

    @hookimpl()
    async def understand_intent(self, message: Message) -> Understanding | None:
        if message.text != "card or rate":
            return None
        return Understanding(readings=tuple(Reading(intent=one, confidence=0.4) for one in ("card", "rate")))

    @hookimpl()
    async def decide_action(self, message: Message, understanding: Understanding, state: ConversationState) -> Action:
        text, readings = message.text, understanding.readings
        if text == "person":
            return Action(kind="hand_off", state=state, text="One moment.")
        if text == "card or rate":
            options = (Option(title="Card", value="card"), Option(title="Rate", value="rate"))
            question = Question(kind="clarify", options=options, about=text)
            return Action(kind="ask", state=ConversationState(question=question), text="Which?", question=question)
        if state.question is not None and state.question.about == "card or rate":
            picked = tuple(one for one in readings[:1])
            return Action(kind="answer", state=ConversationState(), query=Query(text="card or rate", intents=picked))
        return Action(
            kind="answer",
            state=state,
            query=Query(text=text, intents=readings if text.lower().startswith("where") else ()),
        )

    @hookimpl()
    async def compose_reply(self, answers: tuple[Answer, ...]) -> Reply:
        return Reply(parts=tuple(one.text or "" for one in answers[:1]) or ("I don't know.",))


class Watch:
    """An application, and conversations that go on while a test moves the clock."""

    def __init__(self, application: Application, clock: list[datetime]) -> None:
        self.application, self.clock = application, clock

    async def talk(self, *texts: str, tenant: str = "acme") -> list[Any]:
        conversations = self.application.conversations
        conversation = await conversations.create(tenant, ANA)
        turns = []
        for text in texts:
            self.clock[0] += timedelta(seconds=20)
            turns.append(await conversations.turn(tenant, conversation, ANA, text))
        return turns

    async def read(self, *, minutes: float = 60, tenant: str = "acme") -> list[tuple[str, str, Any]]:
        """Let time pass, read, and return decision, kind and value of all feedback."""
        self.clock[0] += timedelta(minutes=minutes)
        await read_signals(self.application, tenant)
        found = await list_feedback(self.application.database, tenant)
        return [(one.feedback.decision_id, one.feedback.kind, one.feedback.value) for one in found]


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    clock = [NOON]
    plugins = {
        "talks": Talks(),
        "taught": TaughtPlugin(),
        "explicit_feedback": ExplicitFeedbackPlugin(),
        "implicit_feedback": ImplicitFeedbackPlugin(),
    }
    settings = {"adapt_after": 0, "rephrase_cosine": 0.6}
    async with opened(
        tmp_path, plugins, tenants=("acme", "other"), clock=lambda: clock[0], learning=settings
    ) as application:
        yield Watch(application, clock)


@pytest.mark.parametrize(
    ("texts", "signal"),
    [
        ((KNOWN, "Where is my card?!"), "repeated"),
        ((KNOWN, "where is my card now"), "rephrased"),
        ((KNOWN, "person"), "escalated"),
    ],
)
async def test_what_speaks_against_the_reply_before(watch: Watch, texts: tuple[str, ...], signal: str):
    first, *_ = await watch.talk(*texts)
    assert await watch.read() == [(first.decision_id, "behaviour", signal)]
    (stored,) = await list_feedback(watch.application.database, "acme")
    assert (stored.feedback.role, stored.feedback.user_id) == ("system", "ana")
    assert [one.value for one in stored.rewards or ()] == [0.0]


async def test_another_question_says_nothing(watch: Watch):
    await watch.talk(KNOWN, "where do euro and dollar rates come from")
    assert await watch.read() == []


async def test_who_leaves_after_an_answer_or_with_thanks_has_not_given_up(watch: Watch):
    await watch.talk(KNOWN)
    await watch.talk("tell me a joke", "thanks, bye")
    assert await watch.read() == []


async def test_who_leaves_without_an_answer_has_given_up_once_it_is_long_enough_ago(watch: Watch):
    (turn,) = await watch.talk("tell me a joke")
    assert await watch.read(minutes=10) == []
    assert await watch.read(minutes=30) == [(turn.decision_id, "behaviour", "abandoned")]


async def test_a_conversation_is_read_once_however_often_one_looks(watch: Watch):
    first, *_ = await watch.talk(KNOWN, "where is my card now")
    for _ in range(3):
        found = await watch.read()
    assert found == [(first.decision_id, "behaviour", "rephrased")]


async def test_the_alternative_that_was_picked_is_a_correction(watch: Watch):
    asked, _ = await watch.talk("card or rate", "where is my card")
    found = await watch.read()
    assert found == [(asked.decision_id, "chosen", "card")]
    (example,) = await list_examples(watch.application.database, "acme", "intent")
    assert (example.text, example.label, example.polarity) == ("card or rate", "card", "correction")


async def test_a_tenants_conversations_are_read_for_it_alone(watch: Watch):
    await watch.talk(KNOWN, "person", tenant="other")
    assert await watch.read() == []
    assert len(await watch.read(tenant="other", minutes=0)) == 1


async def test_nothing_is_read_where_the_settings_say_so(tmp_path: Path):
    clock = [NOON]
    async with opened(
        tmp_path, {"talks": Talks(), "taught": TaughtPlugin()}, clock=lambda: clock[0], learning={"signals": False}
    ) as application:
        watch = Watch(application, clock)
        await watch.talk(KNOWN, "person")
        assert await watch.read() == []


async def test_conversations_of_one_moment_are_read_once_each_on_whichever_page_they_are(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("rejoinder.learning.signals._AT_ONCE", 2)
    decisions = []
    for _ in range(5):
        watch.clock[0] = NOON
        (turn,) = await watch.talk("tell me a joke")
        decisions.append((turn.decision_id, "behaviour", "abandoned"))
    assert sorted(await watch.read()) == sorted(decisions)
    assert sorted(await watch.read()) == sorted(decisions), "and not once more"


async def test_a_reader_that_was_killed_between_two_pages_leaves_none_out(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("rejoinder.learning.signals._AT_ONCE", 2)
    for _ in range(5):
        watch.clock[0] = NOON
        await watch.talk("tell me a joke")
    pages = 0

    async def killed(database: Any, tenant: str, until: datetime) -> None:
        nonlocal pages
        pages += 1
        await note_read(database, tenant, until)
        if pages == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("rejoinder.learning.signals.note_read", killed)
    with pytest.raises(KeyboardInterrupt):
        await watch.read()
    assert len(await list_feedback(watch.application.database, "acme")) == 2
    assert len(await watch.read()) == 5
