"""The questions of a day: which ones are asked, what an answer does, and that no tenant sees another's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from rejoinder.application import Application
from rejoinder.errors import AccessError, ConflictError, InvalidInputError, NotFoundError
from rejoinder.hooks import hookimpl
from rejoinder.learning.holdback import held_back
from rejoinder.learning.review import answer_question, questions_of_today, skip_question
from rejoinder.learning.review_choice import choose_questions, doubts
from rejoinder.models.learner import Prediction
from rejoinder.payloads import Action, Answer, Caller, ConversationState, Message, Query, Reply, Understanding
from rejoinder.store.examples import list_examples
from rejoinder.store.users import set_consent
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin

from tests.support.application import AGENT, ANA, BEN, opened
from tests.support.learners import TaughtPlugin

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Talks:
    """Answers by the intent that was read, and hands over on "person"."""

    @hookimpl()
    async def decide_action(self, message: Message, understanding: Understanding, state: ConversationState) -> Action:
        if message.text == "person":
            return Action(kind="hand_off", state=state, text="One moment.")
        return Action(kind="answer", state=state, query=Query(text=message.text, intents=understanding.readings))

    @hookimpl()
    async def compose_reply(self, answers: tuple[Answer, ...]) -> Reply:
        return Reply(parts=tuple(one.text or "" for one in answers[:1]) or ("I don't know.",))

    @hookimpl()
    async def redact_text(self, text: str) -> str:
        return text.replace("4711", "<NUMBER>")


class Shop:
    """An application whose customers ask, and a clock that a test moves."""

    def __init__(self, application: Application, clock: list[datetime]) -> None:
        self.application, self.clock = application, clock

    async def ask(self, *texts: str, tenant: str = "acme", caller: Caller = ANA) -> None:
        for text in texts:
            self.clock[0] += timedelta(seconds=1)
            conversation = await self.application.conversations.create(tenant, caller)
            await self.application.conversations.turn(tenant, conversation, caller, text)

    async def texts(self, tenant: str = "acme") -> list[str]:
        return [one.text for one in await questions_of_today(self.application, tenant)]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    clock = [NOON]
    plugins = {"talks": Talks(), "taught": TaughtPlugin(), "explicit_feedback": ExplicitFeedbackPlugin()}
    settings = {"adapt_after": 0, "review_per_day": 3}
    async with opened(
        tmp_path, plugins, tenants=("acme", "other"), clock=lambda: clock[0], learning=settings
    ) as application:
        yield Shop(application, clock)


def not_held_back(*texts: str) -> list[str]:
    return [text for text in texts if not held_back(text)]


ASKED = not_held_back(
    "lost luggage at the airport",
    "my luggage is lost",
    "can I bring my dog",
    "is a dog allowed",
    "what is the exchange rate",
    "where do I park",
    "parking near the airport",
)


async def test_so_many_a_day_and_none_of_them_twice(shop: Shop):
    await shop.ask(*ASKED, *(text.upper() for text in ASKED))
    first = await shop.texts()
    assert len(first) == 3
    assert len({text.casefold() for text in first}) == 3
    assert await shop.texts() == first

    questions = await questions_of_today(shop.application, "acme")
    for one in questions:
        await answer_question(shop.application, "acme", AGENT, one.id, "other")
    assert await shop.texts() == []

    shop.clock[0] += timedelta(days=1)
    second = await shop.texts()
    assert second
    assert not {text.casefold() for text in second} & {text.casefold() for text in first}


async def test_what_comes_later_fills_the_day_up_and_what_nobody_looked_at_may_come_again(shop: Shop):
    await shop.ask(ASKED[0])
    assert await shop.texts() == [ASKED[0]]
    await shop.ask(*ASKED[1:])
    found = await shop.texts()
    assert len(found) == 3
    assert found[0] == ASKED[0]
    shop.clock[0] += timedelta(days=1)
    assert len(await shop.texts()) == 3
    shop.clock[0] += timedelta(days=8)
    assert await shop.texts() == []


async def test_an_answer_counts_from_the_next_message_on(shop: Shop):
    await shop.ask("lost luggage at the airport")
    (question,) = await questions_of_today(shop.application, "acme")
    assert question.guesses
    result = await answer_question(shop.application, "acme", AGENT, question.id, "luggage")
    assert result.learned
    assert "new intent" in result.note
    (example,) = await list_examples(shop.application.database, "acme", "intent")
    assert (example.label, example.polarity, example.user_id) == ("luggage", "correction", AGENT.id)
    conversation = await shop.application.conversations.create("acme", BEN)
    turn = await shop.application.conversations.turn("acme", conversation, BEN, "Lost luggage at the airport")
    assert turn.label == "luggage"


async def test_texts_are_redacted_and_what_must_not_be_learned_is_not_asked(shop: Shop):
    kept_back = next(text for text in (f"question number {n} please" for n in range(100)) if held_back(text))
    await shop.ask("the code of box 4711 please")
    await shop.ask(kept_back, "person")
    await shop.ask("what does Ben want", caller=BEN)
    await set_consent(shop.application.database, "acme", "ben", False)
    assert await shop.texts() == ["the code of box <NUMBER> please"]


async def test_what_was_corrected_already_is_not_asked(shop: Shop):
    await shop.ask(ASKED[0], ASKED[2])
    conversation = await shop.application.conversations.create("acme", ANA)
    turn = await shop.application.conversations.turn("acme", conversation, ANA, ASKED[0])
    await shop.application.feedback.give(
        "acme", AGENT, decision_id=turn.decision_id or "", kind="corrected_intent", value="luggage"
    )
    assert await shop.texts() == [ASKED[2]]


async def test_who_skips_is_not_asked_again(shop: Shop):
    await shop.ask(ASKED[0])
    (question,) = await questions_of_today(shop.application, "acme")
    await skip_question(shop.application, "acme", AGENT, question.id)
    await skip_question(shop.application, "acme", AGENT, question.id)
    shop.clock[0] += timedelta(days=1)
    await shop.ask(ASKED[0])
    assert await shop.texts() == []
    with pytest.raises(ConflictError, match="skipped"):
        await answer_question(shop.application, "acme", AGENT, question.id, "luggage")


async def test_an_answer_stands(shop: Shop):
    await shop.ask(ASKED[0])
    (question,) = await questions_of_today(shop.application, "acme")
    for label in (" ", "a\x00b", "x" * 201):
        with pytest.raises(InvalidInputError):
            await answer_question(shop.application, "acme", AGENT, question.id, label)
    await answer_question(shop.application, "acme", AGENT, question.id, "luggage")
    assert (await answer_question(shop.application, "acme", AGENT, question.id, "luggage")).repeated
    with pytest.raises(ConflictError):
        await answer_question(shop.application, "acme", AGENT, question.id, "dogs")
    with pytest.raises(ConflictError):
        await skip_question(shop.application, "acme", AGENT, question.id)


async def test_neither_customers_nor_other_tenants_reach_a_question(shop: Shop):
    await shop.ask(ASKED[0])
    (question,) = await questions_of_today(shop.application, "acme")
    assert await shop.texts("other") == []
    for attempt in (answer_question(shop.application, "other", AGENT, question.id, "luggage"),):
        with pytest.raises(NotFoundError):
            await attempt
    with pytest.raises(NotFoundError):
        await skip_question(shop.application, "other", AGENT, question.id)
    with pytest.raises(AccessError):
        await answer_question(shop.application, "acme", ANA, question.id, "luggage")
    with pytest.raises(AccessError):
        await skip_question(shop.application, "acme", ANA, question.id)
    assert await shop.texts() == [ASKED[0]]


async def test_a_question_goes_with_the_user_who_asked_it(shop: Shop):
    await shop.ask(ASKED[0])
    assert await shop.texts() == [ASKED[0]]
    await shop.application.eraser.erase("acme", "ana", by="admin-1")
    assert await shop.texts() == []


def test_a_batch_is_spread_and_prefers_what_many_ask_in_doubt():
    around = np.float32([[1, 0, 0], [0.99, 0.14, 0], [0.98, 0, 0.2], [0, 1, 0], [0, 0.99, 0.14], [0, 0, 1]])
    vectors = around / np.linalg.norm(around, axis=1, keepdims=True)
    chosen = choose_questions(vectors, np.array([0.9, 0.9, 0.9, 0.8, 0.8, 0.9]), 2)
    assert chosen[0] in (0, 1, 2)
    assert chosen[1] in (3, 4)
    assert choose_questions(vectors, np.full(6, 0.5), 10) != []
    assert sorted(choose_questions(vectors, np.zeros(6), 6)) == list(range(6))
    assert choose_questions(vectors[:0], np.zeros(0), 5) == []
    assert choose_questions(vectors[:1], np.ones(1), 5) == [0]
    with pytest.raises(InvalidInputError):
        choose_questions(vectors, np.ones(5), 2)


def test_doubt_is_what_lies_between_the_best_two():
    def said(*shares: float, source: str = "head") -> Prediction:
        ranking = tuple((str(place), share) for place, share in enumerate(shares))
        return Prediction(label="0", confidence=shares[0], ranking=ranking, in_scope=1.0, accepted=True, source=source)

    found = doubts([said(0.5, 0.4), said(0.9, 0.05), said(0.3), said(0.5, 0.5, source="memory")])
    assert found.tolist() == pytest.approx([0.9, 0.15, 0.7, 0.0])
