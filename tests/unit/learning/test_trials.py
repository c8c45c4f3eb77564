"""What a trial comes to: by a shadow's counts, and by what people say of a canary's answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from rejoinder.learning.gate import RewardTest
from rejoinder.learning.trials import in_canary, step_of_canary, step_of_shadow
from rejoinder.settings import GateSettings
from rejoinder.store.tables import ModelTrial

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = GateSettings(shadow_turns=100, canary_share=0.5, canary_turns=200)


def trial_with(**changes: object) -> ModelTrial:
    return ModelTrial(id="trial_1", tenant_id="acme", share=0.0, counts={}, **changes)


def rewards(*, canary: float, live: float, count: int, seed: int = 0) -> RewardTest:
    """So many rewards, by turns of the canary and of the live version, that are 1 with these chances and else 0."""
    random = np.random.default_rng(seed)
    test = RewardTest()
    for n in range(count):
        test.add(float(random.random() < (live if n % 2 else canary)), canary=n % 2 == 0)
    return test


def step(test: RewardTest, *, hours: float = 1.0, settings: GateSettings = SETTINGS):
    later = NOON + timedelta(hours=hours)
    return step_of_canary(test, canary="intent-8", live="intent-7", settings=settings, started=NOON, now=later)


def test_a_user_stays_on_one_side_and_the_share_is_kept():
    trial = ModelTrial(id="trial_2", share=0.2)
    chosen = [user for user in (f"user-{n}" for n in range(4000)) if in_canary(trial, user)]
    assert 680 <= len(chosen) <= 920
    assert all(in_canary(trial, user) for user in chosen)
    other = ModelTrial(id="trial_3", share=0.2)
    assert [user for user in chosen if in_canary(other, user)] != chosen


def test_a_shadow_answers_nobody():
    assert not any(in_canary(trial_with(), f"user-{n}") for n in range(100))


@pytest.mark.parametrize(
    ("counts", "action"),
    [
        ({}, None),
        ({"seen": 99.0, "failed": 1.0, "agreed": 90.0}, None),
        ({"seen": 100.0, "failed": 0.0, "agreed": 90.0}, "canary"),
        ({"seen": 20.0, "failed": 2.0}, "reject"),
    ],
)
def test_a_shadow_must_read_so_many_messages_without_failing(counts: dict[str, float], action: str | None):
    trial = trial_with()
    trial.counts = counts
    found = step_of_shadow(trial, SETTINGS)
    assert (found and found.action) == action


def test_without_a_canary_a_sound_shadow_is_promoted():
    trial = trial_with()
    trial.counts = {"seen": 100.0, "agreed": 100.0}
    found = step_of_shadow(trial, SETTINGS.model_copy(update={"canary_share": 0.0}))
    assert found is not None
    assert (found.action, "agreed with the live version on 100.0%" in found.reason) == ("promote", True)


def test_a_harmful_canary_is_taken_back_with_the_figures():
    found = step(rewards(canary=0.1, live=0.9, count=60))
    assert found is not None
    assert found.action == "rollback"
    assert "after 30 rewarded turns of intent-8 and 30 of intent-7" in found.reason
    assert found.details["p_worse"] <= 0.01


def test_a_canary_that_is_clearly_better_need_not_wait():
    found = step(rewards(canary=0.95, live=0.4, count=150))
    assert found is not None
    assert (found.action, "it is better" in found.reason) == ("promote", True)


def test_an_equal_canary_waits_for_its_turns_or_its_time():
    few = rewards(canary=0.8, live=0.8, count=100)
    assert step(few) is None
    late = step(few, hours=SETTINGS.canary_hours)
    assert late is not None
    assert (late.action, "in 72 hours" in late.reason) == ("promote", True)
    many = step(rewards(canary=0.8, live=0.8, count=400))
    assert many is not None
    assert (many.action, "without a sign of harm" in many.reason) == ("promote", True)
