"""Feedback, examples, model versions and runs."""

from __future__ import annotations

import asyncio

import pytest
from rejoinder.errors import ConflictError, NotFoundError
from rejoinder.payloads import Evaluation, Reward
from rejoinder.store import decisions, examples, feedback, models, runs
from rejoinder.store.database import Database

from .samples import NOON, decision, example, later
from .samples import feedback as new_feedback


@pytest.fixture
async def decided(database: Database) -> Database:
    await decisions.add_decision(database, "acme", decision())
    return database


async def test_feedback_comes_back_with_its_rewards(decided: Database):
    stored = await feedback.add_feedback(decided, "acme", new_feedback(), idempotency_key="key", request_hash="hash")
    assert (stored.feedback, stored.rewards, stored.is_new) == (new_feedback(), None, True)
    assert [one.feedback.id for one in await feedback.list_feedback(decided, "acme", unscored=True)] == ["feedback_1"]
    rewards = [Reward(task="intent", value=0.0, reason="corrected", correction="card_lost")]
    await feedback.set_rewards(decided, "acme", "feedback_1", rewards)
    assert (await feedback.get_feedback(decided, "acme", "feedback_1")).rewards == tuple(rewards)
    assert await feedback.list_feedback(decided, "acme", unscored=True) == []
    assert len(await feedback.list_feedback(decided, "acme", decision_id="decision_1", user_id="ann", since=NOON)) == 1


@pytest.mark.parametrize("value", [1, 4.5, "text", True, None, {"a": [1]}], ids=repr)
async def test_any_value_comes_back_as_it_was(decided: Database, value: object):
    await feedback.add_feedback(decided, "acme", new_feedback(value=value))
    stored = await feedback.get_feedback(decided, "acme", "feedback_1")
    assert stored.feedback.value == value
    assert type(stored.feedback.value) is type(value)


async def test_the_same_key_with_the_same_content_gives_what_is_there(decided: Database):
    await feedback.add_feedback(decided, "acme", new_feedback(), idempotency_key="key", request_hash="hash")
    again = await feedback.add_feedback(
        decided, "acme", new_feedback("feedback_2"), idempotency_key="key", request_hash="hash"
    )
    assert (again.feedback.id, again.is_new) == ("feedback_1", False)


async def test_the_same_key_with_other_content_is_a_conflict(decided: Database):
    await feedback.add_feedback(decided, "acme", new_feedback(), idempotency_key="key", request_hash="hash")
    with pytest.raises(ConflictError, match="'key' was used for another request"):
        await feedback.add_feedback(decided, "acme", new_feedback("f2"), idempotency_key="key", request_hash="other")


async def test_feedback_is_found_by_its_key(decided: Database):
    assert await feedback.find_by_key(decided, "acme", "key", "hash") is None
    await feedback.add_feedback(decided, "acme", new_feedback(), idempotency_key="key", request_hash="hash")
    found = await feedback.find_by_key(decided, "acme", "key", "hash")
    assert found is not None
    assert (found.feedback, found.is_new) == (new_feedback(), False)
    with pytest.raises(ConflictError, match="another request"):
        await feedback.find_by_key(decided, "acme", "key", "other")


async def test_the_same_id_counts_once_and_other_content_is_a_conflict(decided: Database):
    await feedback.add_feedback(decided, "acme", new_feedback())
    assert not (await feedback.add_feedback(decided, "acme", new_feedback())).is_new
    with pytest.raises(ConflictError, match="other feedback with the id"):
        await feedback.add_feedback(decided, "acme", new_feedback(value="another"))


async def test_many_requests_with_one_key_at_once_are_one_feedback(decided: Database):
    stored = await asyncio.gather(
        *(
            feedback.add_feedback(decided, "acme", new_feedback(f"f{k}"), idempotency_key="key", request_hash="hash")
            for k in range(8)
        )
    )
    assert sum(one.is_new for one in stored) == 1
    assert len({one.feedback.id for one in stored}) == 1


async def test_feedback_on_an_unknown_decision_is_refused(database: Database):
    with pytest.raises(NotFoundError, match="no decision 'decision_1'"):
        await feedback.add_feedback(database, "acme", new_feedback())


async def test_examples_are_kept_once(database: Database):
    given = [example("e1"), example("e2", text="another"), example("e1", text="ignored")]
    assert await examples.add_examples(database, "acme", given[:2]) == ["e1", "e2"]
    assert await examples.add_examples(database, "acme", given) == []
    assert await examples.list_examples(database, "acme", "intent") == given[:2]
    assert await examples.get_example(database, "acme", "e2") == given[1]
    assert await examples.add_examples(database, "acme", []) == []


async def test_thousands_of_examples_at_once(database: Database):
    given = [example(f"e{k:05}", text=f"text {k}", polarity="positive", user_id=None) for k in range(5000)]
    assert await examples.add_examples(database, "acme", given) == [one.id for one in given]
    assert await examples.list_examples(database, "acme", "intent") == given
    assert await examples.count_examples(database, "acme") == {"intent": 5000}


async def test_examples_come_in_order_and_in_pages(database: Database):
    given = [example(f"e{k}", text=f"text {k}", at=later(k // 2)) for k in (3, 1, 0, 2)]
    await examples.add_examples(database, "acme", given)
    page = await examples.list_examples(database, "acme", "intent", limit=2)
    assert [one.id for one in page] == ["e0", "e1"]
    assert page[-1].at is not None
    rest = await examples.list_examples(database, "acme", "intent", after=(page[-1].at, page[-1].id))
    assert [one.id for one in rest] == ["e2", "e3"]


async def test_held_back_examples_can_be_told_apart(database: Database):
    given = [example("e1", text="one"), example("e2", text="two")]
    await examples.add_examples(database, "acme", given, held_back=lambda one: one.text == "two")
    assert await examples.list_examples(database, "acme", "intent", held_back=False) == given[:1]
    assert await examples.list_examples(database, "acme", "intent", held_back=True) == given[1:]
    assert await examples.count_examples(database, "acme", held_back=True, since=NOON) == {"intent": 1}


@pytest.mark.parametrize(
    ("older", "stays"),
    [
        (example("old", label="card_arrival"), False),
        (example("old", label="card_arrival", polarity="positive"), False),
        (example("old", label="card_lost", polarity="negative"), False),
        (example("old", label="card_arrival", polarity="negative"), True),
        (example("old", label="card_lost"), True),
        (example("old", label="card_arrival", user_id="bob"), True),
        (example("old", label="card_arrival", text="another"), True),
        (example("old", label="card_arrival", task="topic"), True),
        (example("old", label="card_arrival", other="pair"), True),
        (example("old", label="card_arrival", target={"start": 1}), True),
    ],
    ids=["corrected", "confirmed", "denied", "denied other", "same", "user", "text", "task", "pair", "target"],
)
@pytest.mark.parametrize("order", ["in order", "late", "together"])
async def test_a_correction_overrules_what_contradicts_it(database: Database, older, stays: bool, order: str):
    newer = example("new", at=later(1))
    if order == "together":
        await examples.add_examples(database, "acme", [older, newer])
    else:
        for one in (older, newer) if order == "in order" else (newer, older):
            await examples.add_examples(database, "acme", [one])
    active = await examples.list_examples(database, "acme", "intent")
    active += await examples.list_examples(database, "acme", "topic")
    assert {one.id for one in active} == ({"old", "new"} if stays else {"new"})
    if not stays:
        assert {one.id for one in await examples.list_examples(database, "acme", "intent", active=None)} == {
            "old",
            "new",
        }


async def test_examples_can_be_switched_off(database: Database):
    await examples.add_examples(database, "acme", [example("e1")])
    assert await examples.set_active(database, "acme", ["e1", "e2"], False) == 1
    assert await examples.list_examples(database, "acme", "intent") == []


async def new_version(database: Database, **changes):
    return await models.add_version(database, "acme", **{"task": "intent", "artefact": "/a", "sha256": "0", **changes})


async def test_versions_are_numbered_by_task(database: Database):
    numbers = [(await new_version(database, task=task)).number for task in ("intent", "intent", "topic")]
    assert numbers == [1, 2, 1]
    assert [one.number for one in await models.list_versions(database, "acme", task="intent")] == [2, 1]


async def test_one_version_of_a_task_is_live(database: Database):
    first, second = await new_version(database), await new_version(database)
    assert await models.live_version(database, "acme", "intent") is None
    await models.set_version_state(database, "acme", first.id, "live", at=NOON)
    await models.set_version_state(database, "acme", second.id, "live", at=later(1))
    live = await models.live_version(database, "acme", "intent")
    assert live is not None
    assert (live.id, live.promoted_at, live.retired_at) == (second.id, later(1), None)
    retired = await models.get_version(database, "acme", first.id)
    assert (retired.state, retired.retired_at) == ("retired", later(1))
    assert [one.id for one in await models.list_versions(database, "acme", state="retired")] == [first.id]


async def test_a_parent_must_exist(database: Database):
    with pytest.raises(ConflictError):
        await new_version(database, parent_id="nowhere")


async def test_evaluations_are_kept(database: Database):
    version = await new_version(database)
    scored = Evaluation(metrics={"accuracy": 0.5}, correct={"e1": True})
    await models.add_evaluation(
        database, "acme", version.id, data="held_back", evaluation=scored, verdict={"pass": True}
    )
    (row,) = await models.list_evaluations(database, "acme", version.id)
    assert (row.metrics, row.correct, row.verdict) == ({"accuracy": 0.5}, {"e1": True}, {"pass": True})


async def test_a_run_from_queue_to_done(database: Database):
    run = await runs.create_run(database, "acme", task="intent", reason="20 corrections", at=NOON)
    assert await runs.waiting_runs(database, at=NOON) == [("acme", run.id, "cpu")]
    claimed = await runs.claim_run(database, "acme", run.id, owner="w1", lease_s=60, at=NOON)
    assert claimed is not None
    assert (claimed.status, claimed.attempts, claimed.started_at, claimed.lease_until) == (
        "running",
        1,
        NOON,
        later(60),
    )
    assert await runs.claim_run(database, "acme", run.id, owner="w2", lease_s=60, at=later(59)) is None
    await runs.heartbeat_run(
        database, "acme", run.id, owner="w1", lease_s=60, progress=0.5, checkpoint="/c", at=later(50)
    )
    assert await runs.waiting_runs(database, at=later(100)) == []
    version = await new_version(database)
    await runs.finish_run(
        database, "acme", run.id, owner="w1", status="done", model_version_id=version.id, at=later(70)
    )
    done = await runs.get_run(database, "acme", run.id)
    assert (done.status, done.progress, done.checkpoint, done.finished_at) == ("done", 1.0, "/c", later(70))
    assert [one.id for one in await runs.list_runs(database, "acme", task="intent", status="done")] == [run.id]


async def test_a_lost_workers_run_is_taken_up_again(database: Database):
    run = await runs.create_run(database, "acme", task="intent", at=NOON)
    await runs.claim_run(database, "acme", run.id, owner="w1", lease_s=60, at=NOON)
    assert await runs.waiting_runs(database, at=later(60)) == [("acme", run.id, "cpu")]
    taken = await runs.claim_run(database, "acme", run.id, owner="w2", lease_s=60, at=later(60))
    assert taken is not None
    assert (taken.attempts, taken.started_at) == (2, NOON)
    with pytest.raises(ConflictError, match="not 'w1''s any more: it is running, 'w2' has it"):
        await runs.heartbeat_run(database, "acme", run.id, owner="w1", lease_s=60)
    with pytest.raises(ConflictError):
        await runs.finish_run(database, "acme", run.id, owner="w1", status="done")


async def test_a_cancelled_run_stops_its_owner(database: Database):
    run = await runs.create_run(database, "acme", task="intent")
    await runs.claim_run(database, "acme", run.id, owner="w1", lease_s=60)
    assert (await runs.cancel_run(database, "acme", run.id)).status == "cancelled"
    with pytest.raises(ConflictError, match="cancelled"):
        await runs.heartbeat_run(database, "acme", run.id, owner="w1", lease_s=60)
    with pytest.raises(ConflictError, match="is over"):
        await runs.cancel_run(database, "acme", run.id)


async def test_waiting_runs_by_priority_then_age(database: Database):
    low = await runs.create_run(database, "acme", task="intent", at=NOON)
    late = await runs.create_run(database, "other", task="intent", priority=1, at=later(2))
    early = await runs.create_run(database, "acme", task="topic", priority=1, at=later(1))
    waiting = await runs.waiting_runs(database)
    assert [(one.tenant_id, one.run_id) for one in waiting] == [
        ("acme", early.id),
        ("other", late.id),
        ("acme", low.id),
    ]


async def test_a_run_is_claimed_once_by_many(database: Database):
    run = await runs.create_run(database, "acme", task="intent")
    claims = await asyncio.gather(
        *(runs.claim_run(database, "acme", run.id, owner=f"w{k}", lease_s=60) for k in range(8))
    )
    assert sum(claim is not None for claim in claims) == 1
