"""Rewards from what people did: each with its sign, weight and reason; positions; and the chosen alternative, which is explicit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rejoinder.learning.rewards import merge_rewards, shrunk
from rejoinder.payloads import Candidate, Decision, Feedback
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin
from rejoinder_plugins.implicit_feedback import ImplicitFeedbackPlugin, ImplicitFeedbackSettings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ITEMS = ("tent", "stove", "lamp", "rope")


def turn(**changes: Any) -> Decision:
    values: dict[str, Any] = {
        "id": "d",
        "kind": "turn",
        "task": "intent",
        "at": NOON,
        "input": "my card",
        "label": "card",
    }
    return Decision(**{**values, **changes})


def shown() -> Decision:
    candidates = tuple(Candidate(id=item, score=0.5, propensity=0.25) for item in ITEMS)
    return Decision(id="d", kind="list", task="items", at=NOON, input="camping", candidates=candidates, chosen=ITEMS)


def given(kind: Any, value: Any, **changes: Any) -> Feedback:
    values: dict[str, Any] = {"id": "f", "decision_id": "d", "user_id": "u", "at": NOON, "role": "system"}
    return Feedback(**{**values, **changes, "kind": kind, "value": value})


Scored = Callable[..., Any]


@pytest.fixture
def scored(bench: Any) -> Scored:
    async def score(feedback: Feedback, decision: Decision, **settings: Any) -> tuple[Any, Any]:
        chosen = {"implicit_feedback": ImplicitFeedbackSettings(**settings)} if settings else {}
        plugins = {"implicit_feedback": ImplicitFeedbackPlugin(), "explicit_feedback": ExplicitFeedbackPlugin()}
        call = bench(settings=chosen, **plugins).call
        rewards = await call("score_feedback", feedback, decision)
        made = [one for reward in rewards for one in await call("make_examples", reward, feedback, decision)]
        return rewards, made

    return score


@pytest.mark.parametrize(
    ("signal", "weight", "reason"),
    [
        ("rephrased", 0.05, "asked the same in other words"),
        ("repeated", 0.05, "asked the very same again"),
        ("abandoned", 0.02, "left after a message without an answer"),
        ("escalated", 0.1, "asked for a person after this reply"),
    ],
)
async def test_what_speaks_against_a_reply_is_weak_and_says_why(
    scored: Scored, signal: str, weight: float, reason: str
):
    rewards, made = await scored(given("behaviour", signal), turn())
    assert [(one.task, one.about, one.value, one.weight, one.reason) for one in rewards] == [
        ("intent", "intent", 0.0, weight, reason)
    ]
    assert made == []


async def test_a_click_speaks_for_what_was_clicked_and_against_what_was_passed_over(scored: Scored):
    rewards, made = await scored(given("behaviour", "click", about="position", index=2), shown())
    assert [(one.index, one.value, one.weight) for one in rewards] == [(2, 1.0, 0.1), (0, 0.0, 0.03), (1, 0.0, 0.03)]
    assert rewards[0].reason == "clicked at number 3"
    assert rewards[1].reason == "passed over for number 3 below, which was clicked"
    assert [(one.target["item"], one.polarity, one.target["propensity"]) for one in made] == [
        ("lamp", "positive", 0.25),
        ("tent", "negative", 0.25),
        ("stove", "negative", 0.25),
    ]
    assert {one.decision_id for one in made} == {"d"}


async def test_a_purchase_weighs_more_than_a_click(scored: Scored):
    bought, _ = await scored(given("behaviour", "purchase", about="position", index=0), shown())
    clicked, _ = await scored(given("behaviour", "click", about="position", index=0), shown())
    assert bought[0].weight > 5 * clicked[0].weight


@pytest.mark.parametrize(("seconds", "value"), [(0, 0.0), (5, 0.0), (17.5, 0.5), (30, 1.0), (4000, 1.0)])
async def test_the_longer_somebody_looks_the_better(scored: Scored, seconds: float, value: float):
    rewards, _ = await scored(given("dwell", seconds, about="position", index=1), shown())
    assert [(one.index, one.value) for one in rewards] == [(1, value)]


async def test_weights_are_settings_and_nothing_is_said_at_zero(scored: Scored):
    rewards, _ = await scored(given("behaviour", "rephrased"), turn(), rephrased_weight=0.3)
    assert rewards[0].weight == 0.3
    assert await scored(given("behaviour", "rephrased"), turn(), rephrased_weight=0.0) == ([], [])


async def test_what_is_not_known_is_left_to_others(scored: Scored):
    assert await scored(given("behaviour", "hummed"), turn()) == ([], [])


async def test_an_explicit_thumb_outweighs_all_signals_together(scored: Scored):
    said, _ = await scored(given("thumbs", 1, role="customer"), turn())
    for signal in ("rephrased", "escalated", "abandoned"):
        said += (await scored(given("behaviour", signal), turn()))[0]
    (merged,) = merge_rewards(said)
    assert shrunk(merged.value, merged.weight) >= 0.73
    assert "thumbs up" in merged.reason
    assert "asked for a person" in merged.reason


async def test_a_chosen_alternative_is_right_and_those_before_it_a_little_wrong(scored: Scored):
    candidates = tuple(Candidate(id=one, score=0.3, label=one) for one in ("card", "rate", "hours"))
    rewards, made = await scored(given("chosen", "hours", role="customer"), turn(candidates=candidates))
    assert [(one.about, one.index, one.value, one.weight) for one in rewards] == [
        ("intent", None, 0.0, 1.0),
        ("position", 2, 1.0, 1.0),
        ("position", 0, 0.0, 0.1),
        ("position", 1, 0.0, 0.1),
    ]
    assert rewards[0].correction == "hours"
    assert [(one.label, one.polarity) for one in made] == [("hours", "correction")]


async def test_what_was_not_shown_cannot_be_chosen(scored: Scored):
    assert await scored(given("chosen", "other", role="customer"), turn()) == ([], [])


async def test_what_is_done_after_an_answer_of_no_intent_is_about_the_answer(scored: Scored) -> None:
    (reward,), made = await scored(given("behaviour", "rephrased"), turn(label=None, answer="It was founded in 1998."))
    assert (reward.task, reward.about, reward.value, made) == ("answer", "answer", 0.0, [])
