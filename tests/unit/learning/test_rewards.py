"""One reward per task and part."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.learning.rewards import merge_rewards
from rejoinder.payloads import Reward


def reward(value: float = 1.0, weight: float = 1.0, **changes: Any) -> Reward:
    return Reward(**{"task": "intent", "value": value, "weight": weight, "reason": "because", **changes})


def test_nothing_makes_nothing() -> None:
    assert merge_rewards([]) == ()


def test_one_reward_stays_as_it_is() -> None:
    one = reward(0.3, 2.0, about="answer", correction="x")
    assert merge_rewards([one]) == (one,)


def test_values_are_averaged_by_weight_and_weights_add_up() -> None:
    (merged,) = merge_rewards([reward(1.0, 3.0), reward(0.0, 1.0)])
    assert (merged.value, merged.weight) == (0.75, 4.0)


@pytest.mark.parametrize("weight", [5e-324, 1e308], ids=["tiny", "huge"])
def test_weights_of_any_size_average(weight: float) -> None:
    (merged,) = merge_rewards([reward(0.5, weight), reward(1.0, weight)])
    assert merged.value == pytest.approx(0.75)
    assert 0 < merged.weight <= sys.float_info.max


def test_tasks_and_parts_stay_apart() -> None:
    given = [reward(), reward(about="answer"), reward(task="answer"), reward(0.0)]
    merged = merge_rewards(given)

    assert [(one.task, one.about, one.value) for one in merged] == [
        ("intent", "whole", 0.5),
        ("intent", "answer", 1.0),
        ("answer", "whole", 1.0),
    ]


def test_reasons_are_joined_once_each() -> None:
    (merged,) = merge_rewards([reward(reason="a"), reward(reason="b"), reward(reason="a")])
    assert merged.reason == "a; b"


def test_the_weightiest_correction_stays() -> None:
    (merged,) = merge_rewards(
        [reward(correction="light", weight=1.0), reward(weight=9.0), reward(correction="heavy", weight=2.0)]
    )
    assert merged.correction == "heavy"


def test_a_false_correction_is_one_too() -> None:
    (merged,) = merge_rewards([reward(correction=0), reward(correction=None, weight=5.0)])
    assert merged.correction == 0


def test_what_weighs_nothing_says_nothing_beside_what_does() -> None:
    (merged,) = merge_rewards([reward(0.0, 0.0, reason="hm", correction="no"), reward(1.0, 1.0, reason="yes")])
    assert (merged.value, merged.reason, merged.correction) == (1.0, "yes", None)


def test_what_weighs_nothing_is_kept_where_nothing_else_speaks() -> None:
    (merged,) = merge_rewards([reward(0.5, 0.0, reason="a"), reward(0.0, 0.0, reason="b")])
    assert (merged.weight, merged.reason) == (0.0, "a; b")


rewards = st.lists(
    st.builds(
        reward,
        value=st.floats(0, 1),
        weight=st.floats(0, 1e308),
        task=st.sampled_from(["intent", "answer"]),
        about=st.sampled_from(["whole", "intent"]),
    ),
    max_size=8,
)


@given(rewards)
def test_every_task_and_part_has_one_reward_between_the_least_and_the_most(given: list[Reward]) -> None:
    merged = merge_rewards(given)

    assert {(one.task, one.about) for one in merged} == {(one.task, one.about) for one in given}
    assert len({(one.task, one.about) for one in merged}) == len(merged)
    for one in merged:
        own = [other.value for other in given if (other.task, other.about) == (one.task, one.about)]
        assert min(own) - 1e-9 <= one.value <= max(own) + 1e-9


@given(rewards)
def test_the_order_does_not_matter(given: list[Reward]) -> None:
    def values(merged: tuple[Reward, ...]) -> dict[tuple[str, str], tuple[float, float]]:
        return {(one.task, one.about): (one.value, one.weight) for one in merged if one.weight > 0}

    forwards, backwards = values(merge_rewards(given)), values(merge_rewards(given[::-1]))

    assert forwards.keys() == backwards.keys()
    for key, found in forwards.items():
        assert found == pytest.approx(backwards[key])
