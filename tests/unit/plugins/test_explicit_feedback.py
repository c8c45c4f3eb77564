"""The plugin `explicit_feedback`: what people say becomes rewards and examples."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from rejoinder.context import NoModels, Request
from rejoinder.payloads import Caller, Reward
from rejoinder.wire import check
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin, ExplicitFeedbackSettings
from rejoinder_plugins.explicit_feedback.score import rewards_for


@pytest.fixture
def taught(bench: Any, given: Any) -> Any:
    """Feedback on a decision, through both hooks: the rewards and the examples."""

    async def give(kind: str, value: Any, *, decision: Any = None, tenant: str = "acme", **more: Any) -> Any:
        plugin_settings = more.pop("settings", ExplicitFeedbackSettings())
        one = bench(settings={"explicit_feedback": plugin_settings}, explicit_feedback=ExplicitFeedbackPlugin())
        feedback, on = given.feedback(kind, value, **more), decision or given.decision()
        rewards = await one.call("score_feedback", feedback, on, tenant=tenant)
        examples = [
            example
            for reward in rewards
            for example in await one.call("make_examples", reward, feedback, on, tenant=tenant)
        ]
        return rewards, examples

    return give


async def test_thumbs_up_confirms_the_label(taught: Any) -> None:
    rewards, (example,) = await taught("thumbs", 1)
    assert [(one.task, one.about, one.value, one.weight) for one in rewards] == [
        ("intent", "intent", 1.0, 0.5),
        ("answer", "answer", 1.0, 0.5),
    ]
    assert rewards[0].reason == "thumbs up by a customer"
    assert (example.task, example.text, example.label) == ("intent", "where is my card", "card_arrival")
    assert (example.polarity, example.weight, example.source) == ("positive", 0.5, "feedback:thumbs")
    assert (example.decision_id, example.user_id) == ("dec-1", "user-1")


async def test_thumbs_down_rejects_it(taught: Any) -> None:
    rewards, (example,) = await taught("thumbs", -1)
    assert {one.value for one in rewards} == {0.0}
    assert example.polarity == "negative"


async def test_thumbs_on_the_answer_say_nothing_of_the_intent(taught: Any) -> None:
    rewards, examples = await taught("thumbs", -1, about="answer")
    assert [(one.task, one.about) for one in rewards] == [("answer", "answer")]
    assert examples == []


@pytest.mark.parametrize(("about", "rewarded"), [("span", 0), ("entity", 0), ("position", 1)])
async def test_thumbs_on_a_part_of_a_turn_teach_nothing_of_its_intent(taught: Any, about: str, rewarded: int) -> None:
    rewards, examples = await taught("thumbs", -1, about=about, index=0)
    assert (len(rewards), examples) == (rewarded, [])


@pytest.mark.parametrize(("kind", "value"), [("thumbs", 1), ("thumbs", -1), ("rating", 5)])
async def test_judging_an_answer_of_no_intent_teaches_no_intent(taught: Any, given: Any, kind: str, value: int) -> None:
    rewards, examples = await taught(kind, value, decision=given.decision(label=None))
    assert [(one.task, one.about) for one in rewards] == [("answer", "answer")]
    assert examples == []


async def test_thumbs_on_a_turn_without_an_answer_are_about_the_intent(taught: Any, given: Any) -> None:
    rewards, _ = await taught("thumbs", -1, decision=given.decision(answer=None))
    assert [one.task for one in rewards] == ["intent"]


@pytest.mark.parametrize(
    ("stars", "value", "polarity"),
    [(1, 0.0, "negative"), (2, 0.25, "negative"), (3, 0.5, None), (4, 0.75, "positive"), (5, 1.0, "positive")],
)
async def test_ratings(taught: Any, stars: int, value: float, polarity: str | None) -> None:
    rewards, examples = await taught("rating", stars)
    assert {one.value for one in rewards} == {value}
    assert [one.polarity for one in examples] == ([polarity] if polarity else [])


async def test_a_corrected_intent_teaches_the_right_one(taught: Any) -> None:
    (reward,), (example,) = await taught("corrected_intent", "  lost_card ", role="agent")
    assert (reward.task, reward.value, reward.correction, reward.weight) == ("intent", 0.0, "lost_card", 2.0)
    assert reward.reason == "intent corrected by an agent"
    assert (example.label, example.polarity, example.weight) == ("lost_card", "correction", 2.0)


async def test_a_confirmed_intent_is_rewarded(taught: Any) -> None:
    (reward,), (example,) = await taught("corrected_intent", "card_arrival")
    assert (reward.value, reward.reason, example.polarity) == (1.0, "intent confirmed by a customer", "correction")


async def test_a_corrected_answer_teaches_it_for_the_text(taught: Any) -> None:
    (reward,), (example,) = await taught("corrected_answer", "It comes by post.\n")
    assert (reward.task, reward.value, reward.about) == ("answer", 0.0, "answer")
    assert (example.task, example.text, example.label) == ("answer", "where is my card", "It comes by post.")
    assert example.polarity == "correction"


@pytest.mark.parametrize(
    ("remark", "value", "weight"),
    [
        ("Thanks, that helped", 1.0, 0.2),
        ("yes!", 1.0, 0.2),
        ("no that is about something else", 0.0, 0.2),
        ("Not helpful at all", 0.0, 0.2),
        ("That didn't work", 0.0, 0.2),
        ("I asked yesterday as well", 0.5, 0.0),
        ("nothing yet", 0.5, 0.0),
        ("no problem", 0.5, 0.0),
        ("yeah right", 0.5, 0.0),
    ],
)
async def test_remarks_count_little_and_teach_nothing(taught: Any, remark: str, value: float, weight: float) -> None:
    rewards, examples = await taught("free_text", remark)
    assert [(one.value, one.weight) for one in rewards] == [(value, weight)] * 2
    assert remark in rewards[0].reason
    assert examples == []


async def test_long_remarks_are_cut(taught: Any) -> None:
    rewards, _ = await taught("free_text", "x" * 5000)
    assert len(rewards[0].reason) < 300


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("thumbs", 0),
        ("thumbs", True),
        ("thumbs", "1"),
        ("rating", 6),
        ("rating", None),
        ("rating", False),
        ("corrected_intent", "   "),
        ("corrected_intent", 7),
        ("corrected_intent", "x" * 201),
        ("corrected_answer", ""),
        ("corrected_answer", ["a"]),
        ("free_text", {"a": 1}),
        ("behaviour", "click"),
    ],
)
async def test_what_cannot_be_read_counts_for_nothing(taught: Any, kind: str, value: Any) -> None:
    assert await taught(kind, value) == ([], [])


async def test_ids_are_the_same_for_a_retry_and_differ_between_tenants_and_tasks(taught: Any) -> None:
    _, (one,) = await taught("thumbs", 1)
    _, (again,) = await taught("thumbs", 1)
    _, (other_tenant,) = await taught("thumbs", 1, tenant="globex")
    _, (other_task,) = await taught("corrected_answer", "x")
    _, (other_feedback,) = await taught("thumbs", 1, id="fb-2")
    assert one.id == again.id
    assert len({one.id, other_tenant.id, other_task.id, other_feedback.id}) == 4


async def test_weights_follow_the_role(taught: Any) -> None:
    said = {
        role: (await taught("corrected_intent", "x", role=role))[1] for role in ("customer", "agent", "admin", "ingest")
    }
    assert [said[role][0].weight for role in ("customer", "agent", "admin")] == [1.0, 2.0, 3.0]
    assert said["ingest"] == []


async def test_a_silenced_role_teaches_nothing(taught: Any) -> None:
    _, examples = await taught("corrected_intent", "x", settings=ExplicitFeedbackSettings(customer_weight=0.0))
    assert examples == []


async def test_a_reading_of_another_task_teaches_that_task(taught: Any, given: Any) -> None:
    decision = given.decision(kind="reading", task="sentiment", label="positive")
    (reward,), (example,) = await taught("corrected_intent", "negative", decision=decision)
    assert (reward.task, example.task, example.label) == ("sentiment", "sentiment", "negative")


@pytest.mark.parametrize("changes", [{"input": " "}, {"label": None}, {"kind": "list", "task": "recommend"}])
async def test_thumbs_without_a_labelled_text_teach_nothing(taught: Any, given: Any, changes: dict[str, Any]) -> None:
    rewards, examples = await taught("thumbs", 1, decision=given.decision(**changes))
    assert rewards
    assert examples == []


values = strategies.one_of(
    strategies.none(),
    strategies.booleans(),
    strategies.integers(-3, 7),
    strategies.floats(allow_nan=True),
    strategies.text(max_size=300),
    strategies.lists(strategies.integers(), max_size=2),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=strategies.sampled_from(
        ["thumbs", "rating", "corrected_intent", "corrected_answer", "free_text", "behaviour"]
    ),
    value=values,
    about=strategies.sampled_from(["whole", "intent", "answer", "span", "entity", "position"]),
    decision_kind=strategies.sampled_from(["turn", "list", "alert", "reading"]),
)
def test_rewards_and_examples_are_always_valid(
    given: Any, kind: str, value: Any, about: str, decision_kind: str
) -> None:
    import asyncio

    plugin, chosen = ExplicitFeedbackPlugin(), ExplicitFeedbackSettings()
    request = Request(
        tenant="acme",
        caller=Caller(id="u"),
        models=NoModels(),
        plugins=frozenset(),
        settings={"explicit_feedback": chosen},
    )
    decision = given.decision(kind=decision_kind)
    feedback = given.feedback(kind, value, about=about)
    rewards = rewards_for(feedback, decision, chosen)
    for reward in rewards:
        check(Reward, reward)
        for example in asyncio.run(
            plugin.make_examples(reward, feedback, decision, request.context("explicit_feedback"))
        ):
            check(type(example), example)
            assert example.label
            assert example.label == example.label.strip()
    assert len({(reward.task, reward.about) for reward in rewards}) == len(rewards)
