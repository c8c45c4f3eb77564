"""What messages say to flows, and when they are angry."""

from __future__ import annotations

from typing import Any

import pytest
from rejoinder_plugins.dialogue.anger import is_angry
from rejoinder_plugins.flows.words import Phrases, gives_up, looks_like_question, says_other, yes_or_no


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
