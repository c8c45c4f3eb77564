"""Which run is next: one of a task at a time, by priority, and fair to all tenants; on each database."""

from __future__ import annotations

import asyncio

import pytest
from rejoinder.store import news, runs, schedules
from rejoinder.store.database import Database

from .samples import NOON, later


async def claim(database: Database, at: float, **options) -> tuple[str, str] | None:
    run = await runs.claim_next(database, owner=f"w{at}", lease_s=1000, at=later(at), **options)
    return None if run is None else (run.tenant_id, run.id)


async def finish(database: Database, taken: tuple[str, str], at: float) -> None:
    await runs.finish_run(database, *taken, owner=f"w{at}", status="failed", at=later(at))


async def test_a_tenant_with_a_hundred_runs_keeps_no_other_waiting(database: Database):
    for number in range(100):
        await runs.create_run(database, "acme", task=f"task-{number}", at=later(number))
    mine = [
        (await runs.create_run(database, "other", task=f"task-{number}", at=later(200 + number))).id
        for number in range(2)
    ]

    served = [await claim(database, 1000 + number) for number in range(5)]

    assert [one and one[0] for one in served] == ["acme", "other", "acme", "other", "acme"]
    assert [one[1] for one in served if one and one[0] == "other"] == mine


async def test_priority_goes_before_fairness(database: Database):
    await runs.create_run(database, "other", task="intent", at=NOON)
    urgent = [(await runs.create_run(database, "acme", task=f"t{n}", priority=5, at=later(n))).id for n in range(2)]

    assert [await claim(database, 10), await claim(database, 11)] == [("acme", one) for one in urgent]
    assert (await claim(database, 12) or ("",))[0] == "other"


async def test_a_task_has_one_run_under_way(database: Database):
    first = await runs.create_run(database, "acme", task="intent", at=NOON)
    second = await runs.create_run(database, "acme", task="intent", at=later(1))
    others = await runs.create_run(database, "other", task="intent", at=later(2))

    assert await claim(database, 10) == ("acme", first.id)
    assert await claim(database, 11) == ("other", others.id)
    assert await claim(database, 12) is None
    assert await runs.claim_run(database, "acme", second.id, owner="w", lease_s=9, at=later(12)) is None
    assert await runs.waiting_runs(database, at=later(12)) == []
    await finish(database, ("acme", first.id), 10)
    assert await claim(database, 13) == ("acme", second.id)


async def test_of_two_ids_of_one_task_that_come_at_once_one_is_taken(database: Database):
    made = [(await runs.create_run(database, "acme", task="intent", at=later(number))).id for number in range(6)]

    taken = await asyncio.gather(
        *(runs.claim_run(database, "acme", run, owner=f"w-{run}", lease_s=60) for run in made),
        *(runs.claim_next(database, owner=f"n{number}", lease_s=60) for number in range(6)),
    )

    assert sum(one is not None for one in taken) == 1
    assert len(await runs.list_runs(database, "acme", status="running")) == 1


async def test_a_run_whose_lease_is_over_goes_before_the_others_of_its_task(database: Database):
    lost = await runs.create_run(database, "acme", task="intent", at=NOON)
    await runs.create_run(database, "acme", task="intent", priority=9, at=later(1))
    await runs.claim_run(database, "acme", lost.id, owner="w", lease_s=5, at=later(2))

    assert await claim(database, 6) is None
    assert await claim(database, 8) == ("acme", lost.id)


@pytest.mark.parametrize(
    ("queues", "taken"), [(("cpu",), "small"), (("gpu",), "large"), (("cpu", "gpu"), "large"), (("tpu",), "")]
)
async def test_a_worker_takes_runs_of_its_queues(database: Database, queues: tuple[str, ...], taken: str):
    ids = {
        "large": (await runs.create_run(database, "acme", task="intent", queue="gpu", at=NOON)).id,
        "small": (await runs.create_run(database, "acme", task="topic", queue="cpu", at=later(1))).id,
    }
    assert await claim(database, 10, queues=queues) == (("acme", ids[taken]) if taken else None)


async def test_a_run_that_is_given_back_lost_no_attempt(database: Database):
    run = await runs.create_run(database, "acme", task="intent")
    await runs.claim_run(database, "acme", run.id, owner="w", lease_s=60)
    await runs.finish_run(database, "acme", run.id, owner="w", status="queued")

    given_back = await runs.get_run(database, "acme", run.id)
    assert (given_back.status, given_back.attempts, given_back.lease_owner, given_back.finished_at) == (
        "queued",
        0,
        None,
        None,
    )


async def test_many_that_ask_for_a_run_get_one(database: Database):
    asked = await asyncio.gather(
        *(runs.request_run(database, "acme", task="intent", reason="new examples") for _ in range(8)),
        runs.request_run(database, "acme", task="topic", reason="new examples"),
        runs.request_run(database, "other", task="intent", reason="new examples"),
    )
    assert sum(one is not None for one in asked) == 3
    assert len(await runs.open_runs(database, "acme", "intent")) == 1


async def test_a_schedule_is_kept_once_by_many_and_again_when_it_is_due(database: Database):
    async def keep(at: float) -> int:
        asked = (schedules.claim_schedule(database, "acme", "daily", every_s=60, at=later(at)) for _ in range(6))
        return sum(await asyncio.gather(*asked))

    assert [await keep(at) for at in (0, 59, 60, 61, 121)] == [1, 0, 1, 0, 1]
    assert await schedules.kept_schedules(database, "acme") == {"daily": later(121)}
    assert await schedules.kept_schedules(database, "other") == {}


async def test_a_run_that_waits_counts_as_learned_from_when_it_was_asked_for(database: Database):
    assert await news.last_learned(database, "acme", "intent") is None
    run = await runs.create_run(database, "acme", task="intent", at=later(5))
    assert await news.last_learned(database, "acme", "intent") == later(5)
    await runs.claim_run(database, "acme", run.id, owner="w", lease_s=60, at=later(9))
    assert await news.last_learned(database, "acme", "intent") == later(9)
