"""What messages say to flows, and when they are angry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rejoinder.payloads import Reading, Slot, Understanding
from rejoinder_plugins.dialogue.anger import is_angry
from rejoinder_plugins.flows import FlowsPlugin, FlowsSettings
from rejoinder_plugins.flows.words import Phrases, asks_about, gives_up, looks_like_question, says_other, yes_or_no


@pytest.mark.parametrize(
    "text",
    [
        "THIS IS RIDICULOUS!!",
        "I'm fed up with you",
        "you useless bot",
        "This is the worst service ever",
        "terrible, just terrible!!",
        "I will sue you",
        "are you kidding me",
    ],
)
def test_anger_is_heard(text: str) -> None:
    assert is_angry(text)


@pytest.mark.parametrize(
    "text",
    [
        "CANCEL ORDER ABC-12",
        "I have a terrible rash",
        "my card was stolen!!",
        "HELP ME PLEASE",
        "hello",
        "",
        "what a joke",
    ],
)
def test_what_is_not_plainly_angry_is_not_taken_so(text: str) -> None:
    assert not is_angry(text)


async def test_an_angry_message_goes_to_a_person_unless_the_tenant_does_not_want_that(talk: Any) -> None:
    one = talk()
    await one.say("THIS IS RIDICULOUS!!")
    assert (one.action.kind, one.action.reason) == ("hand_off", "is angry")
    other = talk(hand_off_on_anger=False)
    await other.say("THIS IS RIDICULOUS!!")
    assert other.action.kind == "answer"


@pytest.mark.parametrize(
    "text", ["never mind", "Oh, forget it.", "cancel", "please stop", "I changed my mind", "no, cancel that please"]
)
def test_giving_up_is_understood(text: str) -> None:
    assert gives_up(text)


@pytest.mark.parametrize("text", ["cancel order 12", "I can't stop it", "never", "12345", "I mind", "no"])
def test_what_does_not_give_up_goes_on(text: str) -> None:
    assert not gives_up(text)


@pytest.mark.parametrize(
    "text",
    [
        "what does order 67890 cost?",
        "wait, where is my order 67890",
        "yes but what is the price of order 67890?",
        "could you tell me when order 67890 arrives?",
        "I'd like to know what order 67890 costs",
        "is order 67890 on its way",
        "why is order 67890 not here",
    ],
)
def test_who_asks_about_a_value_does_not_change_one(text: str) -> None:
    assert asks_about(text)


@pytest.mark.parametrize(
    "text",
    [
        "no, order 67890",
        "67890?",
        "order 67890?",
        "what about order 67890?",
        "can you cancel 67890 instead?",
        "could you make it 67890?",
        "no, can you take order 67890?",
        "sorry, I meant 67890",
        "please use order 67890",
    ],
)
def test_who_says_another_value_does_not_only_ask(text: str) -> None:
    assert not asks_about(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes, cancel it", "yes"),
        ("ok do that please", "yes"),
        ("yep", "yes"),
        ("no", "no"),
        ("no, that's wrong", "no"),
        ("no don't do that", "no"),
        ("yes but which one?", None),
        ("no, the other one", None),
        ("what happens then?", None),
        ("12345", None),
        ("Correct, cancel it", "yes"),
        ("please correct the amount", None),
        ("please change the amount", None),
        ("ok, fix the address", None),
        ("ok, but sorry, I meant the card", None),
        ("no problem, cancel that order", None),
    ],
)
def test_yes_and_no_are_understood_generously(text: str, expected: str | None) -> None:
    assert yes_or_no(text) == expected


def test_the_longest_phrase_counts_and_its_words_may_stand_apart() -> None:
    phrases = Phrases({"cancel order": "order", "cancel order subscription": "subscription"})
    assert phrases.find("Please CANCEL my last order!") == "order"
    assert phrases.find("cancel the order of my subscription") == "subscription"
    assert phrases.find("cancel this and that and the other order") is None
    assert phrases.find("order") is None
    assert Phrases({}).find("anything") is None


def test_corrections_and_questions_are_told_apart() -> None:
    assert says_other("I meant the other one")
    assert not says_other("12345")
    assert looks_like_question("where is it")
    assert not looks_like_question("12345?")


def test_a_phrase_that_is_denied_does_not_count() -> None:
    phrases = Phrases({"cancel order": "cancel", "cancel my order": "cancel"})
    for text in ("I don't want to cancel my order", "do not cancel order 12", "I never asked you to cancel my order"):
        assert phrases.find(text) is None, text
    for text in (
        "No, cancel my order",
        "why don't you cancel my order?",
        "I don't know how to cancel my order",
        "it has not arrived, cancel my order",
    ):
        assert phrases.find(text) == "cancel", text


# --- in the middle of flows ----------------------------------------------------------------------------------------

CANCEL = {
    "title": "cancelling",
    "start": {"intents": ["cancel"], "phrases": ["cancel my order"]},
    "slots": {
        "order": {"type": "order_number", "title": "order number"},
        "amount": {"type": "amount", "title": "amount"},
        "address": {"type": "address", "title": "address"},
    },
    "steps": [
        {"ask": "order", "text": "Which order?"},
        {"ask": "amount", "text": "How much?"},
        {"ask": "address", "text": "Which address?"},
        {"confirm": "Sure?", "no": "kept"},
        {"end": "{order} is cancelled for {amount}."},
        {"id": "kept", "end": "Kept."},
    ],
}


@pytest.fixture
def flow(talk: Any) -> Callable[..., Any]:
    """A factory of conversations with the flow above; keyword arguments are the dialogue's settings."""
    flows = FlowsSettings(definitions={"cancel": CANCEL})
    return lambda **settings: talk(others={"flows": FlowsPlugin()}, others_settings={"flows": flows}, **settings)


async def at_the_confirmation(one: Any) -> None:
    for text in ("cancel my order 12345", "$10", "12 High Street"):
        reply = await one.say(text)
    assert reply.parts == ("Sure?",)


@pytest.mark.parametrize(
    "text", ["yes", "yes, cancel order 12345", "ok do it for $10", "yes that is correct", "please go on with it"]
)
async def test_a_yes_goes_on_also_with_what_was_said_before(flow: Any, text: str) -> None:
    one = flow()
    await at_the_confirmation(one)
    assert (await one.say(text)).parts == ("12345 is cancelled for 10.00.",)


@pytest.mark.parametrize(
    ("text", "slot", "value"),
    [
        ("yes, order 67890", "order", "67890"),
        ("please change the amount to $20", "amount", 20.0),
        ("right house number is 12b, flat 3", "address", "12 High Street"),
        ("yes, 67890", "order", "12345"),
    ],
)
async def test_a_yes_with_something_else_is_no_yes(flow: Any, text: str, slot: str, value: Any) -> None:
    one = flow()
    await at_the_confirmation(one)
    assert (await one.say(text)).parts[-1].endswith("Sure?")
    assert one.state.slots[slot].value == value


async def test_a_question_in_between_leaves_what_the_flow_knows(flow: Any) -> None:
    one = flow()
    await one.say("cancel my order 12345 for $10")
    question = "what does order 67890 cost?"
    one.understandings[question] = Understanding(
        readings=(Reading(intent="price", confidence=0.9),), slots=(Slot(name="order", value="67890"),)
    )
    await one.say(question)
    assert one.action.kind == "answer"
    assert one.action.query.filters["order"] == "67890"
    await one.say("12 High Street")
    assert (await one.say("yes")).parts == ("12345 is cancelled for 10.00.",)


async def test_words_begin_a_flow_unless_the_model_is_sure_of_something_else(flow: Any) -> None:
    text = "where can I cancel my order?"
    one = flow()
    one.understandings[text] = Understanding(readings=(Reading(intent="faq", confidence=0.98),))
    await one.say(text)
    assert one.action.kind == "answer"
    one.understandings[text] = Understanding(readings=(Reading(intent="faq", confidence=0.4),))
    await one.say(text)
    assert one.action.kind == "flow"


async def test_who_asks_for_a_person_in_the_tenants_words_gets_one_out_of_a_flow(flow: Any) -> None:
    one = flow(hand_off_phrases=("einen menschen bitte",))
    await one.say("cancel my order")
    await one.say("Einen Menschen, bitte!")
    assert one.action.kind == "hand_off"


async def test_an_angry_answer_counts_where_anger_does_not_hand_over(flow: Any) -> None:
    text = "I'm fed up with you, it is order 12345"
    one = flow(hand_off_on_anger=False)
    await one.say("cancel my order")
    assert (await one.say(text)).parts == ("How much?",)
    other = flow()
    await other.say("cancel my order")
    await other.say(text)
    assert (other.action.kind, other.action.reason) == ("hand_off", "is angry")


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        ("actually track my order 67890 first", "track_order"),
        ("Cancel order 12345", "cancel_order"),
        ("12345, I'd like to track the order", None),
        ("", None),
    ],
)
def test_a_message_opens_with_the_words_of_a_flow(text: str, flow: str | None) -> None:
    assert Phrases({"track order": "track_order", "cancel order": "cancel_order"}).opening(text) == flow
