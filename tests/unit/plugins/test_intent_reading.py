"""Messages as people type them: held letters, emoji, code words, and several things at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from rejoinder.models.learner import Prediction
from rejoinder.payloads import Answer, ConversationState, Message, Query, Reading, Span
from rejoinder_plugins.dialogue import DialoguePlugin
from rejoinder_plugins.intent import IntentPlugin, IntentSettings
from rejoinder_plugins.intent.clauses import clauses
from rejoinder_plugins.intent.cleaning import cleaned

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def said(label: str, confidence: float = 0.9, **more: Any) -> Prediction:
    values = {"in_scope": 0.9, "accepted": True, **more}
    return Prediction(label=label, confidence=confidence, ranking=((label, confidence),), **values)


async def understand(
    bench: Any, models: Any, text: str, predictions: Mapping[str, Prediction], *, taught: Any = None, **settings: Any
) -> Any:
    fake = models(predictions)
    if taught is not None:

        async def recall(task: str, text: str) -> Any:
            return taught if task == "intent" else None

        fake.recall = recall
    one = bench(models=fake, settings={"intent": IntentSettings(**settings)}, intent=IntentPlugin())
    return await one.call("understand_intent", Message(id="m", text=text, raw_text=text, at=NOW), ConversationState())


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("heeelp me pleeeease", "help me please"),
        ("wHeRe iS mY cArD", "where is my card"),
        ("my \U0001f4b3 was stolen \U0001f621\U0001f621", "my credit card was stolen"),
        ("soooo cooool", "so cool"),
        ("where is my PayPal refund", "where is my PayPal refund"),
        ("THIS IS MY CARD", "THIS IS MY CARD"),
        ("na\u00efve caf\u00e9, 42 \u20ac", "na\u00efve caf\u00e9, 42 \u20ac"),
        ("is the ppi on WH7s?", "is the payment protection insurance on WH7s?"),
    ],
)
def test_a_message_is_cleaned(typed: str, read: str) -> None:
    assert cleaned(typed, {"PPI": "payment protection insurance", "WH7": "the warehouse"}) == read


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Where is my card? And how do I change my PIN", ["Where is my card?", "how do I change my PIN"]),
        (
            "cancel my order and refund me, also tell me your hours",
            ["cancel my order", "refund me", "tell me your hours"],
        ),
        ("bread and butter", ["bread and butter"]),
        ("where is my card", ["where is my card"]),
        ("Hi! Where is my card?", ["Hi! Where is my card?"]),
        ("I have to subscribe to the newsletter, can you help me?", None),
        ("I need to leave a review. Please tell me how! Thank you in advance.", None),
        ("I have to see the termination fee, how do I do it?", None),
        ("the address changed, could I edit it?", None),
        ("I ordered a card but it has not arrived. Help please!", None),
        ("If I lose my card abroad, what will it cost?", None),
        ("Can you help me? I want to close my account", None),
        (
            "cancel my order, can you help me? And is it possible to change my address",
            ["cancel my order, can you help me?", "is it possible to change my address"],
        ),
        ("my electric bill will be paid today, or should be. Thanks!", None),
        ("at the very least, what must I pay on my bill", None),
    ],
)
def test_a_message_is_cut_where_something_is_added(text: str, parts: list[str] | None) -> None:
    assert [text[one.start : one.end] for one in clauses(text)] == (parts or [text])


TWO = "where is my new card and how do I change my PIN"
FIRST, SECOND = "where is my new card", "how do I change my PIN"


async def test_each_part_that_says_an_intent_of_its_own_is_a_reading_with_its_place(bench: Any, models: Any) -> None:
    got = await understand(
        bench,
        models,
        TWO,
        {TWO: said("card_arrival", 0.6), FIRST: said("card_arrival"), SECOND: said("change_pin", 0.95)},
    )
    assert {one.intent: TWO[one.span.start : one.span.end] for one in got.readings} == {
        "card_arrival": FIRST,
        "change_pin": SECOND,
    }


@pytest.mark.parametrize(
    "second", [said("change_pin", 0.5), said("change_pin", accepted=False), said("card_arrival"), None]
)
async def test_one_intent_stays_one(bench: Any, models: Any, second: Prediction | None) -> None:
    got = await understand(
        bench, models, TWO, {TWO: said("card_arrival", 0.6), FIRST: said("card_arrival"), SECOND: second}
    )
    assert [(one.intent, one.span) for one in got.readings] == [("card_arrival", None)]


async def test_what_only_tells_how_things_are_is_the_background_of_a_question(bench: Any, models: Any) -> None:
    asked = "I live in the US, how long will delivery take?"
    predictions = {asked: said("delivery_time", 0.95), "I live in the US": said("countries")}
    predictions["how long will delivery take?"] = said("delivery_time")
    got = await understand(bench, models, asked, predictions)
    assert [(one.intent, one.span) for one in got.readings] == [("delivery_time", None)]
    predictions[asked] = said("delivery_time", 0.5)
    got = await understand(bench, models, asked, predictions)
    assert [one.intent for one in got.readings] == ["countries", "delivery_time"], "the whole is not sure"
    told = "My card was stolen and my phone is broken"
    predictions = {
        told: said("lost_card"),
        "My card was stolen": said("lost_card"),
        "my phone is broken": said("phone"),
    }
    got = await understand(bench, models, told, predictions)
    assert [one.intent for one in got.readings] == ["lost_card", "phone"]


async def test_what_a_whole_message_was_taught_to_mean_is_not_cut(bench: Any, models: Any) -> None:
    whole = said("both_at_once", source="memory")
    got = await understand(bench, models, TWO, {TWO: whole, FIRST: said("card_arrival"), SECOND: said("change_pin")})
    assert [one.intent for one in got.readings] == ["both_at_once"]


async def test_the_tenant_can_have_one_intent_only(bench: Any, models: Any) -> None:
    got = await understand(bench, models, TWO, {TWO: said("a"), FIRST: said("a"), SECOND: said("b")}, several=False)
    assert [one.intent for one in got.readings] == ["a"]


async def test_code_words_are_the_tenants_own(bench: Any, models: Any) -> None:
    predictions = {"the northern warehouse is late": said("late"), "WH7 is late": said("unknown")}
    got = await understand(bench, models, "WH7 is late", predictions, code_words={"wh7": "the northern warehouse"})
    assert got.readings[0].intent == "late"
    other = await understand(bench, models, "WH7 is late", predictions)
    assert other.readings[0].intent == "unknown"


async def test_what_people_taught_of_the_very_text_counts_more_than_cleaning(bench: Any, models: Any) -> None:
    predictions = {"heeelp": said("panic", source="memory"), "help": said("help")}
    got = await understand(bench, models, "heeelp", predictions, taught=SimpleNamespace(exact=True))
    assert got.readings[0].intent == "panic"
    assert (await understand(bench, models, "heeelp", predictions)).readings[0].intent == "help"


async def test_each_intent_is_answered_in_the_order_in_which_it_was_said(bench: Any) -> None:
    one = bench(dialogue=DialoguePlugin())
    readings = (
        Reading(intent="pin", confidence=0.95, span=Span(start=25, end=47)),
        Reading(intent="card", confidence=0.9, span=Span(start=0, end=20)),
    )
    answers = tuple(
        Answer(id=name, score=score, source="faq", text=name, intent=name)
        for name, score in (("pin", 0.9), ("card", 0.8), ("other", 0.7))
    )
    ranked = await one.call("rank_answers", Query(text=TWO, intents=readings), answers)
    assert [answer.id for answer in ranked] == ["card", "pin"]
    alone = await one.call("rank_answers", Query(text=TWO, intents=readings[:1]), answers)
    assert [answer.id for answer in alone] == ["pin"]


async def test_what_was_taught_for_the_whole_message_is_not_cut(bench: Any) -> None:
    one = bench(dialogue=DialoguePlugin())
    readings = (
        Reading(intent="pin", confidence=0.95, span=Span(start=25, end=47)),
        Reading(intent="card", confidence=0.9, span=Span(start=0, end=20)),
    )
    answers = (
        Answer(id="taught", score=1.0, source="correction", text="taught"),
        Answer(id="card", score=0.9, source="faq", text="card", intent="card"),
        Answer(id="pin", score=0.8, source="faq", text="pin", intent="pin"),
    )
    ranked = await one.call("rank_answers", Query(text=TWO, intents=readings), answers)
    assert [answer.id for answer in ranked] == ["taught"]


async def test_what_is_taught_to_be_out_of_scope_is_no_reading(bench: Any, models: Any) -> None:
    strange = Prediction(
        label="out_of_scope",
        confidence=1.0,
        ranking=(("out_of_scope", 1.0), ("card", 0.4)),
        in_scope=0.1,
        accepted=False,
        source="memory",
    )
    got = await understand(bench, models, "tell me a joke", {"tell me a joke": strange})
    assert [one.intent for one in got.readings] == ["card"]
    assert got.in_scope < 0.5
