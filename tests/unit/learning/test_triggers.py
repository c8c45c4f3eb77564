"""What starts adaptation runs by itself, and what holds them back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.application import Application
from rejoinder.learning.drift import FallDetector
from rejoinder.learning.holdback import held_back
from rejoinder.learning.triggers import FEW
from rejoinder.payloads import Decision, Example, Feedback, Reward
from rejoinder.store.decisions import add_decision
from rejoinder.store.examples import add_examples
from rejoinder.store.feedback import add_feedback, set_rewards
from rejoinder.store.models import list_versions
from rejoinder.store.runs import claim_run, finish_run, list_runs
from rejoinder.store.tables import AdaptationRun
from rejoinder.store.trials import add_model_decision

from tests.support.application import ANA, opened, text_that_is
from tests.support.learners import TaughtPlugin

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
"""After all that the store dates by itself."""

Open = Callable[..., Any]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = LATER

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(tmp_path: Path, clock: Clock) -> AsyncIterator[Open]:
    """A factory of applications with a tenant whose model of `intent` is live; ten new examples start a run."""
    async with AsyncExitStack() as stack:

        async def make(*, plugins: dict[str, object] | None = None, **settings: Any) -> Application:
            named = {"taught": TaughtPlugin(), **(plugins or {})}
            settings = {"learning": {"adapt_after": 10, "adapt_hours": 24.0}, **settings}
            made = await stack.enter_async_context(opened(tmp_path, named, clock=clock, **settings))
            await made.models.request_for("acme", ANA)
            assert await list_versions(made.database, "acme", task="intent", state="live")
            clock.forward(seconds=1)
            return made

        yield make


def new_examples(count: int, clock: Clock, *, start: int = 0, kept: bool = False) -> list[Example]:
    found: list[Example] = []
    number = start
    while len(found) < count:
        text = text_that_is(kept, start=number)
        number = int(text.rsplit(" ", 1)[1]) + 1
        found.append(
            Example(id=f"ex-{text}", task="intent", text=text, label="card", at=clock(), polarity="correction")
        )
    return found


async def learn(application: Application, examples: list[Example]) -> None:
    await add_examples(application.database, "acme", examples, held_back=lambda one: held_back(one.text, 10))


async def runs_of(application: Application, tenant: str = "acme") -> list[AdaptationRun]:
    return await list_runs(application.database, tenant)


async def settle(application: Application) -> None:
    """Wait for the looks beside requests."""
    await asyncio.gather(*application.triggers._looks)


async def test_enough_new_examples_start_a_run_and_it_says_so(start: Open, clock: Clock) -> None:
    application = await start()
    await learn(application, new_examples(9, clock))
    assert await application.triggers.look("acme") == []
    await learn(application, new_examples(1, clock, start=500))

    (run,) = await application.triggers.look("acme")
    assert (run.task, run.status, run.queue) == ("intent", "queued", "cpu")
    assert run.reason == "10 new examples since it was last learned"
    assert await application.triggers.look("acme") == [], "one that waits will learn these too"


async def test_what_is_held_back_does_not_count(start: Open, clock: Clock) -> None:
    application = await start()
    await learn(application, new_examples(9, clock) + new_examples(8, clock, kept=True))
    assert await application.triggers.look("acme") == []


async def test_what_the_last_run_learned_is_not_new(start: Open, clock: Clock) -> None:
    application = await start()
    await learn(application, new_examples(12, clock))
    (run,) = await application.triggers.look("acme")
    clock.forward(minutes=1)
    await claim_run(application.database, "acme", run.id, owner="w", lease_s=60, at=clock())
    await finish_run(application.database, "acme", run.id, owner="w", status="failed", error="no")
    assert await application.triggers.look("acme") == [], "a run that failed is not repeated at once"

    clock.forward(minutes=1)
    await learn(application, new_examples(10, clock, start=1000))
    assert len(await application.triggers.look("acme")) == 1


async def test_examples_that_waited_long_start_a_run_if_there_are_a_few(start: Open, clock: Clock) -> None:
    application = await start()
    await learn(application, new_examples(FEW - 1, clock))
    clock.forward(hours=25)
    assert await application.triggers.look("acme") == []
    await learn(application, new_examples(1, clock, start=500))

    (run,) = await application.triggers.look("acme")
    assert run.reason == f"{FEW} new examples, the oldest from 25 hours ago"


async def test_both_can_be_turned_off(start: Open, clock: Clock) -> None:
    application = await start(learning={"adapt_after": 0, "adapt_hours": 0.0})
    examples = new_examples(40, clock)
    await learn(application, examples)
    application.triggers.note("acme", examples)
    clock.forward(hours=100)
    await settle(application)
    assert await application.triggers.look("acme") == []


async def test_after_a_roll_back_nothing_starts_by_itself_for_a_while(start: Open, clock: Clock) -> None:
    application = await start(gate={"pause_hours": 6.0})
    (live,) = await list_versions(application.database, "acme", task="intent")
    await add_model_decision(
        application.database,
        "acme",
        task="intent",
        version_id=live.id,
        action="rollback",
        by="trial",
        reason="worse",
        at=clock(),
    )
    await learn(application, new_examples(12, clock))
    clock.forward(hours=5)
    assert await application.triggers.look("acme") == []
    clock.forward(hours=2)
    assert len(await application.triggers.look("acme")) == 1


# --- within feedback ---------------------------------------------------------------------------------------------------


async def test_feedback_notes_what_it_brought_and_the_look_is_beside_it(start: Open, clock: Clock) -> None:
    application = await start()
    examples = new_examples(30, clock)
    for number, example in enumerate(examples[:10]):
        await learn(application, [example])
        application.triggers.note("acme", [example])
        await settle(application)
        assert len(await runs_of(application)) == (number == 9)
    (run,) = await runs_of(application)
    assert run.reason == "10 new examples since it was last learned"
    await learn(application, examples[10:])
    application.triggers.note("acme", examples[10:])
    await settle(application)
    assert len(await runs_of(application)) == 1


class Learns:
    """Makes an example of each feedback."""

    @hookimpl()
    def score_feedback(self, feedback: Feedback) -> list[Reward]:
        return [Reward(task="intent", value=1.0, reason="it was said")]

    @hookimpl()
    def make_examples(self, feedback: Feedback, decision: Decision) -> list[Example]:
        return [Example(id=f"ex-{feedback.id}", task="intent", text=decision.input, label="card", at=feedback.at)]


async def test_the_last_feedback_that_it_takes_starts_the_run(start: Open, clock: Clock) -> None:
    application = await start(plugins={"learns": Learns()})
    for number, example in enumerate(new_examples(10, clock)):
        decision = Decision(id=f"d-{number}", kind="turn", task="intent", at=clock(), input=example.text, user_id="ana")
        await add_decision(application.database, "acme", decision)
        await application.feedback.give("acme", ANA, decision_id=decision.id, kind="thumbs", value=1)
        await settle(application)
        assert len(await runs_of(application)) == (number == 9)


async def test_noting_costs_next_to_nothing(start: Open, clock: Clock) -> None:
    application = await start(learning={"adapt_after": 1_000_000})
    examples = new_examples(1, clock)
    application.triggers.note("acme", examples)
    await settle(application)
    begin = time.perf_counter()
    for _ in range(1000):
        application.triggers.note("acme", examples)
    assert (time.perf_counter() - begin) / 1000 < 1e-3


async def test_many_looks_at_once_start_one_run(start: Open, clock: Clock) -> None:
    application = await start()
    await learn(application, new_examples(12, clock))
    started = await asyncio.gather(*(application.triggers.look("acme") for _ in range(6)))
    assert sum(map(len, started)) == 1


async def test_one_tenants_examples_start_no_run_of_another(start: Open, clock: Clock, tmp_path: Path) -> None:
    application = await start(tenants=("acme", "other"))
    await learn(application, new_examples(12, clock))
    assert await application.triggers.look("other") == []
    assert len(await application.triggers.look("acme")) == 1
    assert await runs_of(application, "other") == []


# --- queues --------------------------------------------------------------------------------------------------------------


class WantsGpu:
    @hookimpl()
    def choose_queue(self, task: str) -> str | None:
        return "gpu" if task == "intent" else None


@pytest.mark.parametrize(("gpu_queue", "queue"), [(True, "gpu"), (False, "cpu")])
async def test_work_for_a_gpu_goes_to_its_queue_where_there_is_one(
    start: Open, clock: Clock, gpu_queue: bool, queue: str
) -> None:
    application = await start(plugins={"wants": WantsGpu()}, workers={"gpu_queue": gpu_queue})
    await learn(application, new_examples(12, clock))
    (run,) = await application.triggers.look("acme")
    assert run.queue == queue


# --- drift ---------------------------------------------------------------------------------------------------------------


def test_a_fall_is_found_and_a_rise_ends_it() -> None:
    pytest.importorskip("river")
    detector = FallDetector(0.002)
    for reward in [1.0, 0.8] * 150:
        detector.add(reward)
    assert detector.fall is None
    for reward in [0.0, 0.4] * 60:
        detector.add(reward)
    assert detector.fall is not None
    assert detector.fall.after < 0.6 < detector.fall.before
    for reward in [1.0, 0.8] * 300:
        detector.add(reward)
    assert detector.fall is None


async def reward(application: Application, clock: Clock, values: list[float]) -> None:
    for value in values:
        clock.forward(seconds=1)
        name = clock().isoformat()
        decision = Decision(id=f"d-{name}", kind="turn", task="intent", at=clock(), input="hello", user_id="ana")
        await add_decision(application.database, "acme", decision)
        given = Feedback(
            id=f"fb-{name}", decision_id=decision.id, kind="thumbs", value=1, user_id="ana", at=clock(), role="customer"
        )
        await add_feedback(application.database, "acme", given, idempotency_key=None, request_hash="")
        await set_rewards(
            application.database, "acme", given.id, (Reward(task="intent", value=value, reason="it was said"),)
        )


async def test_falling_rewards_start_a_run_also_after_a_restart(start: Open, clock: Clock) -> None:
    pytest.importorskip("river")
    application = await start()
    await reward(application, clock, [1.0] * 120)
    assert await application.triggers.look("acme") == []
    await reward(application, clock, [0.0] * 80)

    again = type(application.triggers)(  # as another process has it, which saw nothing
        application.database, application.host, application.tenants, application.settings, clock=clock
    )
    (run,) = await again.look("acme")
    assert run.reason.startswith("people became less content: the mean reward fell from 0.")
    assert await application.triggers.look("acme") == []
