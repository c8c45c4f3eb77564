"""The test on rewards may be looked at after each of them: it keeps its error, and sees harm fast."""

from __future__ import annotations

import numpy as np
import pytest
from rejoinder.learning.gate.sequential import RewardTest, Wealth


def first_alarm(
    random: np.random.Generator, *, canary: float, live: float, share: float, turns: int, error: float
) -> int:
    """Return the turn at which harm was seen; 0: never."""
    test = RewardTest()
    for turn in range(1, turns + 1):
        is_canary = bool(random.random() < share)
        test.add(float(random.random() < (canary if is_canary else live)), canary=is_canary)
        if test.worse.p_value <= error:
            return turn
    return 0


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_looking_after_every_reward_keeps_the_error(share: float):
    random = np.random.default_rng(5)
    alarms = sum(
        bool(first_alarm(random, canary=0.8, live=0.8, share=share, turns=1000, error=0.05)) for _ in range(150)
    )
    assert alarms <= 15  # the 99% quantile of a binomial with 150 tries and 5%


def test_a_sabotaged_canary_is_seen_well_before_300_turns():
    random = np.random.default_rng(6)
    seen = [first_alarm(random, canary=0.02, live=0.85, share=0.5, turns=300, error=0.01) for _ in range(50)]
    assert all(seen)
    assert max(seen) <= 100


def test_a_better_canary_is_seen_to_be_better_and_never_worse():
    random = np.random.default_rng(7)
    test = RewardTest()
    for _ in range(1500):
        is_canary = bool(random.random() < 0.5)
        test.add(float(random.random() < (0.9 if is_canary else 0.75)), canary=is_canary)
    assert test.better.p_value < 0.01
    assert test.worse.p_value > 0.05
    assert test.difference == pytest.approx(0.15, abs=0.04)


def test_a_margin_calls_equal_ones_not_worse():
    random = np.random.default_rng(8)
    test = RewardTest(margin=0.2)
    for _ in range(1500):
        is_canary = bool(random.random() < 0.5)
        test.add(float(random.random() < 0.8), canary=is_canary)
    assert test.better.p_value < 0.01


def test_rewards_wait_for_those_of_the_other_side():
    test = RewardTest()
    test.add(1.0, canary=False)
    test.add(0.0, canary=False)
    assert test.worse == Wealth()
    assert test.difference == 0.0
    test.add(0.0, canary=True)  # beside a mean of 0.5
    assert test.worse.p_value < 1.0
    assert test.pending == {"canary": [], "live": []}


@pytest.mark.parametrize("reward", [-0.1, 1.1])
def test_a_reward_out_of_range_is_refused(reward: float):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        RewardTest().add(reward, canary=True)
