"""What people said of versions, and trials, as the store keeps and gives them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rejoinder.errors import ConflictError, NotFoundError
from rejoinder.learning.canary_rewards import CanaryRewards
from rejoinder.learning.quality import service_quality
from rejoinder.payloads import ConversationState, Reward
from rejoinder.store import conversations, decisions, feedback, models, trials, turns
from rejoinder.store.database import Database
from rejoinder.store.quality import conversation_ends, decision_counts, rated_decisions

from .samples import NOON, decision, later, turn
from .samples import feedback as new_feedback


async def two_versions(database: Database) -> tuple[str, str]:
    ids = [(await models.add_version(database, "acme", task="intent", artefact="/a", sha256="0")).id for _ in range(2)]
    return ids[0], ids[1]


async def rate(database: Database, number: int, version: str, value: float, *, weight: float = 1.0) -> None:
    """A decision of a version, and feedback on it, `number` seconds after noon."""
    made = decision(f"decision_{number}", at=later(number), model_versions={"intent": version, "other": "x-1"})
    await decisions.add_decision(database, "acme", made)
    given = new_feedback(
        f"feedback_{number}", decision_id=made.id, at=later(number), kind="thumbs", value=1 if value > 0.5 else -1
    )
    await feedback.add_feedback(database, "acme", given)
    reward = Reward(task="intent", value=value, reason="thumbs", weight=weight)
    await feedback.set_rewards(database, "acme", given.id, [reward])


async def test_rewards_are_given_by_version_in_the_order_in_which_they_came(database: Database):
    for number, (version, value) in enumerate([("intent-1+4", 1.0), ("intent-2", 0.0), ("intent-1+5", 0.5)]):
        await rate(database, number, version, value)
    await rate(database, 3, "intent-2", 1.0, weight=0.0)  # says nothing
    found = await trials.rewarded_turns(database, "acme", "intent", decided_since=later(1), since=NOON)
    assert [(one.version, one.reward) for one in found] == [("intent-2", 0.0), ("intent-1+5", 0.5)]
    assert await trials.rewarded_turns(database, "acme", "slots", decided_since=NOON, since=NOON) == []


async def test_rewards_of_a_canary_are_read_once_and_late_ones_are_not_missed(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    live, candidate = await two_versions(database)
    trial = await trials.start_trial(
        database, "acme", task="intent", version_id=candidate, against_id=live, share=0.5, at=NOON
    )
    names = {"canary": "intent-2", "live": "intent-1"}
    whole, reader = CanaryRewards(database), CanaryRewards(database)
    read: list[int] = []

    async def counted(*args: Any, **more: Any) -> Any:
        found = await trials.rewarded_turns(*args, **more)
        read.append(len(found))
        return found

    monkeypatch.setattr("rejoinder.learning.canary_rewards.rewarded_turns", counted)
    numbers = [*range(0, 4000, 100), 3950, 7000, 7001, 6999]  # seconds; two come in late
    for place, number in enumerate(numbers):
        await rate(database, number, f"intent-{1 + number % 2}+3" if number % 7 else "intent-9", float(number % 3 > 0))
        if place % 10 == 9 or number > 6000:
            test = await reader.test_of(trial, began=NOON, **names)
    assert read[-1] <= 3, "what is long read is not read again"
    assert sum(read) < 2 * len(numbers)
    at_once = await whole.test_of(trial, began=NOON, **names)
    assert (test.counts, test.sums) == (at_once.counts, at_once.sums)
    assert sum(test.counts.values()) == sum(1 for number in numbers if number % 7)
    again = await reader.test_of(trial, began=NOON, **names)
    assert again.counts == at_once.counts


async def test_what_was_decided_is_counted_and_rated_by_version(database: Database):
    for number, version in enumerate(["intent-1+4", "intent-1+5", "intent-2", "intent-1"]):
        await rate(database, number, version, 1.0)
    assert (await decision_counts(database, "acme", since=NOON))["intent"] == {"intent-1": 3, "intent-2": 1}
    assert (await decision_counts(database, "acme", since=later(2)))["intent"] == {"intent-1": 1, "intent-2": 1}
    (last, *_) = reversed((await rated_decisions(database, "acme", since=NOON))["intent"])
    assert (last.version, last.label, last.kind, last.reward) == ("intent-1", "card_arrival", "thumbs", 1.0)


async def test_tasks_that_had_a_part_in_decisions_have_figures_of_their_own(database: Database):
    for number in range(3):
        await rate(database, number, "intent-1", 1.0)
    of_span = Reward(task="other", value=0.0, reason="thumbs", about="span")
    await feedback.set_rewards(database, "acme", "feedback_2", [of_span])
    assert (await decision_counts(database, "acme", since=NOON))["other"] == {"x-1": 3}
    rated = await rated_decisions(database, "acme", since=NOON)
    assert [(one.reward, one.label) for one in rated["intent"]] == [(1.0, "card_arrival")] * 2 + [
        (None, "card_arrival")
    ]
    assert [(one.decision_id, one.version, one.reward, one.label) for one in rated["other"]] == [
        ("decision_2", "x-1", 0.0, None)
    ]
    found = await service_quality(database, "acme", now=later(60))
    assert [(one.version, one.decisions, one.rated) for one in found.versions["other"]] == [("x-1", 3, 1)]
    assert await decision_counts(database, "other", since=NOON) == {}
    assert (await service_quality(database, "other", now=later(60))).versions == {}


async def test_conversations_that_needed_a_person_are_counted_once(database: Database):
    for name, actions in (("one", ["answer", "hand_off", "hand_off"]), ("two", ["answer"])):
        await conversations.open_conversation(database, "acme", user_id="ann", conversation_id=name, at=NOON)
        for number, action in enumerate(actions, start=1):
            said = turn(number, id=f"turn_{name}_{number}", action=action)
            await turns.record_turn(
                database,
                "acme",
                conversation_id=name,
                expected_version=number - 1,
                state=ConversationState(),
                turn=said,
            )
    assert await conversation_ends(database, "acme", since=NOON) == (2, 1)
    assert await conversation_ends(database, "acme", since=later(100)) == (0, 0)


async def test_a_task_has_one_trial_at_a_time_whoever_starts_it(database: Database):
    live, candidate = await two_versions(database)

    async def start() -> object:
        try:
            return await trials.start_trial(
                database, "acme", task="intent", version_id=candidate, against_id=live, share=0.2
            )
        except ConflictError as error:
            return error

    found = await asyncio.gather(*(start() for _ in range(4)))
    refused = [one for one in found if isinstance(one, ConflictError)]
    assert len(refused) == 3
    assert "has a trial that goes on" in str(refused[0])
    (trial,) = await trials.open_trials(database, ["acme", "other"])
    await trials.end_trial(database, "acme", trial.id, "rejected")
    assert not isinstance(await start(), ConflictError)


async def test_a_trial_goes_from_the_shadow_to_the_canary_and_ends_once(database: Database):
    live, candidate = await two_versions(database)
    trial = await trials.start_trial(
        database, "acme", task="intent", version_id=candidate, against_id=live, share=0.0, at=NOON
    )
    await trials.count_in_trial(database, "acme", trial.id, {"seen": 3.0})
    await trials.count_in_trial(database, "acme", trial.id, {"seen": 2.0, "failed": 1.0})
    canary = await trials.begin_canary(database, "acme", trial.id, share=0.3, at=later(5))
    assert (canary.counts, canary.share, canary.canary_at) == ({"seen": 5.0, "failed": 1.0}, 0.3, later(5))
    await trials.end_trial(database, "acme", trial.id, "promoted", at=later(9))
    assert await trials.open_trials(database, ["acme"]) == []
    for again in (
        trials.end_trial(database, "acme", trial.id, "rejected"),
        trials.begin_canary(database, "acme", trial.id, share=0.1),
    ):
        with pytest.raises(ConflictError, match="is over: promoted"):
            await again
    await trials.count_in_trial(database, "acme", trial.id, {"seen": 1.0})
    (kept,) = await trials.list_trials(database, "acme")
    assert (kept.outcome, kept.counts["seen"]) == ("promoted", 5.0)


async def test_decisions_about_versions_are_kept_newest_first(database: Database):
    live, candidate = await two_versions(database)
    for second, (version, action) in enumerate([(candidate, "canary"), (candidate, "rollback"), (live, "promote")]):
        await trials.add_model_decision(
            database,
            "acme",
            task="intent",
            version_id=version,
            action=action,
            by="gate",
            reason="because",
            details={"p": 0.01},
            at=later(second),
        )
    assert [one.action for one in await trials.list_model_decisions(database, "acme")] == [
        "promote",
        "rollback",
        "canary",
    ]
    (newest, _) = await trials.list_model_decisions(database, "acme", version_id=candidate)
    assert (newest.action, newest.details) == ("rollback", {"p": 0.01})
    with pytest.raises(NotFoundError, match="model version 'nothing'"):
        await trials.add_model_decision(
            database, "acme", task="intent", version_id="nothing", action="wait", by="gate", reason="x"
        )
