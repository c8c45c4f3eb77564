"""The plugin `hand_off_rules`: what a tenant wants people to answer goes to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from rejoinder.payloads import Action, ConversationState, FlowFrame, Message, Question, Reading, Slot, Understanding
from rejoinder_plugins.hand_off_rules import HandOffRule, HandOffRulesPlugin, HandOffRulesSettings

from tests.unit.plugins.conftest import NOW

IN_FLOW = ConversationState(
    flows=(FlowFrame(flow="refund", step="amount"),),
    question=Question(kind="slot", slot="amount"),
    misses=1,
    dislikes=1,
)
BANK = Understanding(readings=(Reading(intent="block_card", confidence=0.7),), slots=(Slot(name="amount", value=9),))


async def decide(
    bench: Any,
    text: str,
    *rules: HandOffRule,
    understanding: Understanding = BANK,
    state: ConversationState = IN_FLOW,
    **more: Any,
) -> Action | None:
    settings = HandOffRulesSettings(rules=rules, **more)
    one = bench(settings={"hand_off_rules": settings}, hand_off_rules=HandOffRulesPlugin())
    message = Message(id="m", text=text, raw_text=text, at=NOW)
    decided: Action | None = await one.call("decide_action", message, understanding, state)
    return decided


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({"words": ("lawyer", "press office")}, True),
        ({"words": ("law",)}, False),
        ({"words": ("MY  Lawyer",)}, True),
        ({"intents": ("block_card",)}, True),
        ({"intents": ("block_card",), "min_confidence": 0.8}, False),
        ({"intents": ("refund",)}, False),
        ({"slots": ("amount", "order")}, True),
        ({"slots": ("order",)}, False),
        ({"slots": ("amount",), "words": ("refund",)}, False),
        ({"words": ("lawyer",), "hours": ("thu 12:00-12:30",)}, True),
        ({"words": ("lawyer",), "hours": ("thu 12:30-18:00",)}, False),
    ],
    ids=str,
)
async def test_all_that_a_rule_names_must_hold(bench: Any, rule: dict[str, Any], holds: bool) -> None:
    action = await decide(bench, "You hear from my lawyer.", HandOffRule(name="law", **rule))
    assert (action is not None) is holds


async def test_slots_that_were_filled_before_or_are_emptied_now_count_for_nothing(bench: Any) -> None:
    rule = HandOffRule(name="refunds", slots=("amount",))
    told = replace(IN_FLOW, slots={"amount": Slot(name="amount", value=9)})
    assert await decide(bench, "thanks", rule, understanding=Understanding(), state=told) is None
    emptied = Understanding(slots=(Slot(name="amount", value=None),))
    assert await decide(bench, "not 9", rule, understanding=emptied, state=told) is None


async def test_each_reading_that_is_sure_enough_counts(bench: Any) -> None:
    both = Understanding(readings=(Reading(intent="refund", confidence=0.9), Reading(intent="fraud", confidence=0.6)))
    assert await decide(bench, "a", HandOffRule(name="fraud", intents=("fraud",)), understanding=both) is not None
    rule = HandOffRule(name="fraud", intents=("fraud",), min_confidence=0.7)
    assert await decide(bench, "a", rule, understanding=both) is None


async def test_hours_are_of_the_time_zone_that_is_set(bench: Any) -> None:
    rule = HandOffRule(name="law", words=("lawyer",), hours=("thu 21:00-22:00",))
    assert await decide(bench, "my lawyer", rule) is None
    assert await decide(bench, "my lawyer", rule, time_zone="Asia/Tokyo") is not None


async def test_the_first_rule_ends_the_flow_and_tells_why(bench: Any) -> None:
    rules = (
        HandOffRule(name="never", words=("x",)),
        HandOffRule(name="law", words=("lawyer",), text="One moment."),
        HandOffRule(name="late", words=("my",)),
    )
    action = await decide(bench, "my lawyer", *rules, notifier="hand_off_webhook")
    assert action is not None
    assert (action.kind, action.text, action.reason) == ("hand_off", "One moment.", "rule: law")
    state = action.state
    assert (state.mode, state.flows, state.question, state.misses, state.dislikes) == ("queued", (), None, 0, 0)
    assert state.slots["amount"].value == 9
    (effect,) = action.effects
    assert (effect.name, effect.plugin, effect.arguments["reason"]) == (
        "notify_hand_off",
        "hand_off_webhook",
        "rule: law",
    )


async def test_while_a_person_speaks_nothing_is_decided(bench: Any) -> None:
    state = replace(IN_FLOW, mode="queued")
    assert await decide(bench, "my lawyer", HandOffRule(name="law", words=("lawyer",)), state=state) is None


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"name": "all"}, "a rule needs intents, words or slots"),
        ({"name": "all", "hours": ("mon 09:00-17:00",)}, "a rule needs intents, words or slots"),
        ({"name": "a", "words": ("a",), "hours": ("monday",)}, "expected a line like"),
        ({"words": ("a",)}, "name"),
        ({"name": "a", "words": ("a",), "word": "b"}, "word"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        HandOffRulesSettings.model_validate({"rules": [rule]})
