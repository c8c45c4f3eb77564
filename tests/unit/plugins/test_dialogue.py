"""The plugin `dialogue`, over several steps of a conversation."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from rejoinder.context import NoModels, Request
from rejoinder.payloads import (
    Action,
    Answer,
    Caller,
    Card,
    Citation,
    ConversationState,
    EffectResult,
    Entity,
    Message,
    Option,
    Query,
    Question,
    Reading,
    Slot,
    Understanding,
    Utterance,
)
from rejoinder.wire import check
from rejoinder.wording import WordingSettings
from rejoinder_plugins.dialogue import DialoguePlugin, DialogueSettings, DialogueTexts
from rejoinder_plugins.dialogue.choices import chosen
from rejoinder_plugins.dialogue.phrases import asks_for_person, says_yes_or_no

TEXTS = DialogueTexts()
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def may_mean(*readings: tuple[str, float], in_scope: float | None = 0.9, **more: Any) -> Understanding:
    return Understanding(
        readings=tuple(
            Reading(intent=intent, confidence=share, title=intent.replace("_", " ").capitalize())
            for intent, share in readings
        ),
        in_scope=in_scope,
        **more,
    )


def an_answer(text: str = "Here you are.", score: float = 0.9, **more: Any) -> Answer:
    return Answer(id=more.pop("id", text or "a"), text=text, score=score, source="faq", **more)


# --- answering -----------------------------------------------------------------------------------------------------


async def test_answers_of_any_plugin_are_in_the_tenants_tone(talk: Any) -> None:
    conversation = talk()
    conversation.bench.settings["wording"] = WordingSettings(tone="formal")
    conversation.answers["where?"] = (an_answer("Over there."),)
    reply = await conversation.say("where?")
    assert reply.parts == (
        "Thank you for your inquiry.",
        "Over there.",
        "Please let us know if you have any further questions.",
    )
    conversation.bench.history = (Utterance(speaker="bot", text="Over there.", at=NOW),)
    assert (await conversation.say("where?")).parts[0] == "Over there.", "it greets once"
    flow = Question(kind="slot", slot="order", text="Which order?")
    conversation.state = replace(conversation.state, question=flow)
    assert (await conversation.say("where?")).parts == ("Over there.", "Which order?"), "a question closes by itself"
    assert (await conversation.say("what?")).parts[0] not in ("Thank you for your inquiry.", "Over there.")


async def test_an_answer_is_given_with_its_citations_and_card(talk: Any) -> None:
    conversation = talk()
    citation, card = Citation(source="Help centre"), Card(title="Map")
    conversation.answers["where?"] = (an_answer("Over there.", citations=(citation,), card=card), an_answer("no", 0.5))
    reply = await conversation.say("where?")
    assert (reply.parts, reply.citations, reply.cards) == (("Over there.",), (citation,), (card,))
    assert conversation.state.question is None


async def test_an_item_without_text_becomes_a_card(talk: Any) -> None:
    conversation = talk()
    conversation.answers["shoes"] = (Answer(id="1", item="Red shoes", score=0.9, source="shop"),)
    reply = await conversation.say("shoes")
    assert (reply.parts, reply.cards) == ((TEXTS.found,), (Card(title="Red shoes"),))


async def test_the_query_carries_what_is_known(talk: Any) -> None:
    conversation = talk(max_candidates=7)
    conversation.understandings["track it"] = may_mean(
        ("track", 0.9),
        slots=(Slot(name="order", value="A-17"), Slot(name="pin", value="1234", sensitive=True)),
        entities=(Entity(name="order", value="A-17"),),
    )
    await conversation.say("track it")
    query = conversation.action.query
    assert query is not None
    assert (query.text, query.user_id, query.session_id, query.limit) == ("track it", "user-1", "conv-1", 7)
    assert [reading.intent for reading in query.intents] == ["track"]
    assert query.filters == {"order": "A-17"}
    assert query.entities == (Entity(name="order", value="A-17"),)


async def test_slots_and_entities_are_carried_along_and_replaced_by_name(talk: Any) -> None:
    conversation = talk()
    slots = (Slot(name="order", value=1), Slot(name="city", value="Bonn"))
    conversation.understandings["one"] = may_mean(slots=slots, entities=(Entity(name="order", value="1"),))
    conversation.understandings["two"] = may_mean(
        slots=(Slot(name="order", value=2),), entities=(Entity(name="order", value="2"),)
    )
    await conversation.say("one")
    await conversation.say("two")
    await conversation.say("three")
    assert {name: slot.value for name, slot in conversation.state.slots.items()} == {"order": 2, "city": "Bonn"}
    assert conversation.state.entities == (Entity(name="order", value="2"),)


async def test_out_of_scope_is_still_looked_up_but_by_its_text_only(talk: Any) -> None:
    conversation = talk()
    conversation.understandings["tides?"] = may_mean(("lost_card", 0.9), in_scope=0.2)
    conversation.answers["tides?"] = (an_answer("Twice a day."),)
    reply = await conversation.say("tides?")
    assert reply.parts == ("Twice a day.",)
    assert conversation.action.query is not None
    assert conversation.action.query.intents == ()
    assert conversation.action.reason == "out of scope"


async def test_unsure_answers_are_not_given(talk: Any) -> None:
    conversation = talk(min_score=0.5)
    conversation.answers["x y"] = (an_answer(score=0.49),)
    assert (await conversation.say("x y")).parts[0] == TEXTS.unknown[0]


@pytest.mark.parametrize("text", ["?", "...", " \t\n ", "\u200b", "🎉"])
async def test_a_message_without_words_is_asked_about(talk: Any, text: str) -> None:
    conversation = talk()
    reply = await conversation.say(text)
    assert conversation.action.kind == "ask"
    assert reply.parts == (TEXTS.empty,)


async def test_after_repeated_failure_a_person_takes_over_unasked(talk: Any) -> None:
    conversation = talk(hand_off_after_failures=2)
    said = [(await conversation.say(f"unknown {number}")).parts[0] for number in range(3)]
    assert said == [*TEXTS.unknown[:2], TEXTS.hand_off]
    assert (conversation.state.mode, conversation.state.misses) == ("queued", 0)


@pytest.mark.parametrize(("dislikes", "hand_off", "mode"), [(1, True, "bot"), (2, True, "queued"), (2, False, "bot")])
async def test_after_thumbs_down_a_person_takes_over_unasked(
    talk: Any, dislikes: int, hand_off: bool, mode: str
) -> None:
    conversation = talk(hand_off=hand_off)
    conversation.state = replace(conversation.state, dislikes=dislikes)
    await conversation.say("unknown again")
    assert conversation.state.mode == mode


async def test_apologies_differ_and_come_round(talk: Any) -> None:
    conversation = talk(hand_off_after_failures=0)
    said = [(await conversation.say(f"unknown {number}")).parts[0] for number in range(4)]
    assert said == [*TEXTS.unknown, TEXTS.unknown[0]]
    assert conversation.state.misses == 4


async def test_no_apology_comes_twice_running_even_after_an_answer(talk: Any) -> None:
    conversation = talk(texts=DialogueTexts(unknown=("Sorry.", "No idea.")))
    first = await conversation.say("unknown one")
    conversation.state = ConversationState(misses=0)
    second = await conversation.say("unknown two")
    assert (first.parts[0], second.parts[0]) == ("Sorry.", "No idea.")


async def test_lists_pass_the_ranking_untouched(talk: Any) -> None:
    conversation = talk()
    answers = (an_answer(score=0.01), an_answer("two", score=0.0))
    assert await conversation.bench.call("rank_answers", Query(kind="recommendation"), answers) == answers


async def test_ranking_keeps_each_text_once_and_only_so_many(talk: Any) -> None:
    conversation = talk(max_answers=2)
    answers = (an_answer("A"), an_answer(" a ", id="b"), an_answer("B"), an_answer("C"))
    ranked = await conversation.bench.call("rank_answers", Query(text="x"), answers)
    assert [answer.text for answer in ranked] == ["A", "B"]


# --- asking back ---------------------------------------------------------------------------------------------------

TIE = may_mean(("lost_card", 0.4), ("card_arrival", 0.35), ("pin", 0.22), ("other", 0.03))


@pytest.fixture
def asked(talk: Any) -> Any:
    """A conversation in which the bot has just asked back."""

    async def ask(**settings: Any) -> Any:
        conversation = talk(**settings)
        conversation.understandings["my card"] = TIE
        conversation.answers["my card"] = (an_answer(),)
        reply = await conversation.say("my card")
        assert reply.parts == (TEXTS.clarify,)
        return conversation

    return ask


async def test_near_ties_are_asked_back_with_titles(asked: Any) -> None:
    conversation = await asked()
    question = conversation.state.question
    assert question.kind == "clarify"
    assert question.about == "my card"
    assert [(option.title, option.value) for option in question.options] == [
        ("Lost card", "lost_card"),
        ("Card arrival", "card_arrival"),
        ("Pin", "pin"),
        ("None of these", ""),
    ]


@pytest.mark.parametrize(
    ("said", "intent"),
    [
        ("Card arrival", "card_arrival"),
        ("  card ARRIVAL!! ", "card_arrival"),
        ("card_arrival", "card_arrival"),
        ("2", "card_arrival"),
        ("#2", "card_arrival"),
        ("2.", "card_arrival"),
        ("option 2 please", "card_arrival"),
        ("the second one", "card_arrival"),
        ("I mean the 2nd", "card_arrival"),
        ("number two", "card_arrival"),
        ("one", "lost_card"),
        ("the first one", "lost_card"),
        ("the last one", "pin"),
        ("arrival", "card_arrival"),
        ("I lost it, the lost one", "lost_card"),
        ("lost", "lost_card"),
    ],
)
async def test_a_choice_answers_the_original_text(asked: Any, said: str, intent: str) -> None:
    conversation = await asked()
    reply = await conversation.say(said)
    query = conversation.action.query
    assert reply.parts == ("Here you are.",)
    assert query.text == "my card"
    assert [(reading.intent, reading.confidence, reading.source) for reading in query.intents] == [
        (intent, 1.0, "choice")
    ]
    assert conversation.state.question is None


async def test_a_choice_counts_even_where_the_reply_itself_is_out_of_scope(asked: Any) -> None:
    conversation = await asked()
    conversation.understandings["2"] = may_mean(("age_limit", 0.3), in_scope=0.0)
    await conversation.say("2")
    assert [reading.intent for reading in conversation.action.query.intents] == ["card_arrival"]


@pytest.mark.parametrize(
    "said", ["None of these", "none of them", "neither", "no", "something else", "No, none of those", "4"]
)
async def test_all_options_rejected(asked: Any, said: str) -> None:
    conversation = await asked()
    reply = await conversation.say(said)
    assert reply.parts == (TEXTS.none_chosen,)
    assert conversation.state.question is None
    assert conversation.state.misses == 1


async def test_yes_to_a_choice_asks_which(asked: Any) -> None:
    conversation = await asked()
    reply = await conversation.say("yes")
    assert reply.parts == (TEXTS.clarify_again,)
    assert len(reply.options) == 4
    assert (await conversation.say("1")).parts == ("Here you are.",)


async def test_another_question_instead_of_a_choice_is_taken_as_such(asked: Any) -> None:
    conversation = await asked()
    conversation.answers["what are your fees"] = (an_answer("None."),)
    assert (await conversation.say("what are your fees")).parts == ("None.",)
    assert conversation.state.question is None


async def test_the_same_is_not_asked_twice_running(asked: Any) -> None:
    conversation = await asked()
    conversation.understandings["well, my card thing"] = TIE
    await conversation.say("well, my card thing")
    assert conversation.action.kind == "answer"


@pytest.mark.parametrize(
    ("understanding", "settings"),
    [
        (TIE, {"clarify_margin": 0.0}),
        (may_mean(("a", 0.6), ("b", 0.2)), {}),
        (may_mean(("a", 0.8), ("b", 0.79)), {}),
        (may_mean(("a", 0.15), ("b", 0.14)), {}),
        (may_mean(("a", 0.4), ("b", 0.39), in_scope=0.3), {}),
        (may_mean(("a", 0.4)), {}),
        (may_mean(), {}),
    ],
    ids=["switched off", "one is ahead", "sure of several", "sure of none", "out of scope", "only one", "nothing"],
)
async def test_when_it_does_not_ask_back(talk: Any, understanding: Understanding, settings: dict[str, Any]) -> None:
    conversation = talk(**settings)
    conversation.understandings["hm hm"] = understanding
    await conversation.say("hm hm")
    assert conversation.action.kind == "answer"


async def test_what_was_taught_is_not_asked_back(talk: Any, models: Any) -> None:
    conversation = talk(models=models(taught={"my card": SimpleNamespace(label="x", similarity=1.0, trust=1.0)}))
    conversation.understandings["my card"] = TIE
    await conversation.say("my card")
    assert conversation.action.kind == "answer"


async def test_a_corrected_intent_is_not_asked_back(talk: Any) -> None:
    conversation = talk()
    tie = (Reading(intent="a", confidence=0.5, source="memory"), Reading(intent="b", confidence=0.45))
    conversation.understandings["my card"] = Understanding(readings=tie)
    await conversation.say("my card")
    assert conversation.action.kind == "answer"


async def test_options_of_the_same_title_are_told_apart(talk: Any) -> None:
    conversation = talk()
    same = tuple(Reading(intent=intent, confidence=0.4, title="Card") for intent in ("card_lost", "card_new"))
    conversation.understandings["card"] = Understanding(readings=same)
    reply = await conversation.say("card")
    assert [option.title for option in reply.options] == ["Card (card lost)", "Card (card new)", "None of these"]


# --- handing off ---------------------------------------------------------------------------------------------------


async def test_a_person_is_offered_and_accepted(talk: Any) -> None:
    conversation = talk()
    reply = await conversation.say("tell me a joke")
    assert reply.parts == (TEXTS.unknown[0], TEXTS.hand_off_offer)
    assert [option.title for option in reply.options] == ["Yes, please", "No, thanks"]
    reply = await conversation.say("yes please")
    assert reply.parts == (TEXTS.hand_off,)
    assert (conversation.action.kind, conversation.state.mode, conversation.state.question) == (
        "hand_off",
        "queued",
        None,
    )
    assert conversation.action.effects == ()
    assert (await conversation.say("hello?")).parts == ()


async def test_a_person_is_offered_and_declined(talk: Any) -> None:
    conversation = talk()
    await conversation.say("tell me a joke")
    reply = await conversation.say("no thanks")
    assert reply.parts == (TEXTS.hand_off_declined,)
    assert (conversation.state.mode, conversation.state.question) == ("bot", None)


async def test_the_offer_lapses_with_the_next_question(talk: Any) -> None:
    conversation = talk()
    conversation.answers["fees"] = (an_answer("None."),)
    await conversation.say("tell me a joke")
    assert (await conversation.say("fees")).parts == ("None.",)
    await conversation.say("yes")
    assert conversation.state.mode == "bot"


async def test_no_person_is_offered_where_there_is_none(talk: Any) -> None:
    conversation = talk(hand_off=False)
    reply = await conversation.say("tell me a joke")
    assert (reply.parts, reply.options) == ((TEXTS.unknown[0],), ())
    await conversation.say("yes please")
    await conversation.say("let me talk to a human")
    assert conversation.state.mode == "bot"


async def test_the_offer_can_wait_for_several_misses(talk: Any) -> None:
    conversation = talk(hand_off_after_misses=2)
    assert len((await conversation.say("tell me a joke")).parts) == 1
    await conversation.say("yes")
    assert conversation.state.mode == "bot"
    conversation.state = ConversationState(misses=1)
    assert (await conversation.say("another joke")).parts[1] == TEXTS.hand_off_offer
    await conversation.say("yes")
    assert conversation.state.mode == "queued"


async def test_a_notification_is_planned_where_the_tenant_wants_it(talk: Any) -> None:
    conversation = talk(hand_off_notifier="hand_off_webhook", hand_off_notify_timeout_s=3.0)
    await conversation.say("I want to speak to a person")
    (effect,) = conversation.action.effects
    assert (effect.name, effect.plugin, effect.timeout_s) == ("notify_hand_off", "hand_off_webhook", 3.0)
    assert effect.arguments == {
        "conversation_id": "conv-1",
        "user_id": "user-1",
        "reason": "asked for a person",
        "text": "I want to speak to a person",
        "at": "2026-01-01T12:00:00+00:00",
    }


async def test_a_failed_notification_is_not_passed_over(talk: Any) -> None:
    conversation = talk(hand_off_notifier="hand_off_webhook")
    conversation.effects = [EffectResult(name="notify_hand_off", ok=False, error="status 500")]
    assert (await conversation.say("agent please")).parts == (TEXTS.hand_off_not_notified,)
    assert conversation.state.mode == "queued"


async def test_an_intent_can_mean_a_person(talk: Any) -> None:
    conversation = talk(hand_off_intents=("contact_human",))
    conversation.understandings["¿persona?"] = may_mean(("contact_human", 0.9))
    await conversation.say("¿persona?")
    assert conversation.state.mode == "queued"


@pytest.mark.parametrize(
    "text",
    [
        "talk to a person",
        "I'd like to speak with a human being, please",
        "can i talk to someone about my account",
        "Connect me to an agent",
        "put me through to a real person",
        "transfer me to customer service",
        "get me a human",
        "I want a human",
        "i need an agent now",
        "AGENT",
        "human please!",
        "representative",
        "can I chat with one of your advisors?",
        "let me speak to your manager",
        "is there a real person here?",
        "escalate this to a supervisor",
    ],
)
def test_asks_for_a_person(text: str) -> None:
    assert asks_for_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How do I send money to another person?",
        "transfer money to a person abroad",
        "I don't want to talk to a human",
        "can I do this without talking to an agent",
        "my travel agent charged me twice",
        "someone used my card",
        "a person I know got my PIN",
        "I need my card now",
        "give me someone else's refund",
        "is there an agent fee?",
        "i want to add another person to my account",
        "person" * 10_000,
        "talk to " * 10_000,
    ],
)
def test_does_not_ask_for_a_person(text: str) -> None:
    assert not asks_for_person(text)


def test_a_tenants_own_phrases_count() -> None:
    assert asks_for_person("Einen Menschen, bitte!", more=["einen menschen bitte"])
    assert says_yes_or_no("Ja, gern", yes=["ja gern"]) == "yes"
    assert says_yes_or_no("Nein.", no=["nein"]) == "no"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (text, "yes")
            for text in ("Yes", "yes please!", "yeah sure", "OK", "go ahead", "Sure, why not", "👍", "please do")
        ),
        *(
            (text, "yes")
            for text in ("yes, connect me with an agent", "That would be great", "of course", "y", "ok thanks")
        ),
        *(
            (text, "no")
            for text in ("No", "no thanks", "nope", "nah I'm good", "not now", "never mind", "👎", "no thank you")
        ),
        *(
            (text, "no")
            for text in ("maybe later", "that's all", "I'm fine", "no need", "don't", "forget it", "not really")
        ),
        *(
            (text, None)
            for text in ("", "no, I asked about fees", "ok and what does it cost?", "where is my card", "not")
        ),
        *(
            (text, None)
            for text in ("yes but what about my refund", "know", "yesterday", "nobody called me", "please help")
        ),
        *(
            (text, "yes")
            for text in ("no problem, go ahead", "sure, no problem", "yes, why not", "no worries, yes please")
        ),
        *(
            (text, "no")
            for text in (
                "please do not",
                "please don't",
                "ok do not do that",
                "yeah no",
                "definitely not",
                "no, do not do it",
            )
        ),
        *(
            (text, None)
            for text in ("yes I do not want that", "ok, that is not right", "no, go ahead", "no yes", "no problem")
        ),
    ],
)
def test_yes_or_no(text: str, expected: str | None) -> None:
    assert says_yes_or_no(text) == expected


# --- whatever comes ------------------------------------------------------------------------------------------------

words = strategies.one_of(
    strategies.text(max_size=60),
    strategies.sampled_from(["2", "yes", "no", "none", "the second one", "agent", "Lost card", "last", "one", "\x00"]),
)
shares = strategies.floats(min_value=0, max_value=1)
readings = strategies.lists(
    strategies.builds(Reading, intent=strategies.sampled_from(["a", "b", "c"]), confidence=shares), max_size=4
)
questions = strategies.none() | strategies.builds(
    Question,
    kind=strategies.sampled_from(["clarify", "slot", "confirm", "hand_off"]),
    options=strategies.lists(
        strategies.builds(
            Option, title=strategies.sampled_from(["Lost card", "Pin"]), value=strategies.sampled_from(["", "x"])
        )
    ).map(tuple),
    about=strategies.none() | words,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    text=words,
    found=readings,
    in_scope=strategies.none() | shares,
    question=questions,
    mode=strategies.sampled_from(["bot", "queued", "agent"]),
    misses=strategies.integers(0, 5),
    answered=strategies.booleans(),
)
def test_there_is_always_a_valid_action_and_reply(
    text: str,
    found: list[Reading],
    in_scope: float | None,
    question: Question | None,
    mode: Any,
    misses: int,
    answered: bool,
) -> None:
    request = Request(
        tenant="acme",
        caller=Caller(id="u"),
        models=NoModels(),
        plugins=frozenset({"dialogue"}),
        settings={"dialogue": DialogueSettings(hand_off_notifier="x")},
    )
    context = request.context("dialogue")
    state = ConversationState(question=question, mode=mode, misses=misses)
    now = context.now()
    message = Message(id="m", text=text, raw_text=text, at=now)
    understanding = Understanding(readings=tuple(sorted(found, key=lambda one: -one.confidence)), in_scope=in_scope)
    plugin = DialoguePlugin()
    action = asyncio.run(plugin.decide_action(message, understanding, state, context))
    check(Action, action)
    assert (action.kind == "answer") == (action.query is not None)
    assert action.kind != "silent" or mode != "bot"
    if question is not None and question.kind in ("slot", "confirm") and action.kind == "answer":
        assert action.state.question == question  # another plugin's
    answers = (an_answer(),) if answered and action.kind == "answer" else ()
    reply = asyncio.run(plugin.compose_reply(action, answers, action.state, context))
    assert reply is not None
    check(type(reply), reply)
    assert bool(reply.parts) == (action.kind != "silent")
    assert all(part.strip() for part in reply.parts)


@given(words, questions)
def test_a_choice_is_one_of_the_options_or_none(text: str, question: Question | None) -> None:
    options = question.options if question else ()
    option = chosen(text, options)
    assert option is None or option in options or option.value == ""
