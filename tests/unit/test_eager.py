"""Coroutines that begin at once: whose task they see, in which context, and what becomes of them when they wait."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from rejoinder.eager import start_at_once

_who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def test_what_never_waits_has_ended_when_it_is_started() -> None:
    ended = []

    async def work(name: str) -> None:
        ended.append(name)

    started = start_at_once((work("a"), work("b")))
    assert next(started) is None
    assert ended == ["a"], "each begins when it is asked for"
    assert list(started) == [None]
    assert ended == ["a", "b"]


async def test_what_waits_goes_on_beside_the_caller_with_what_it_waited_for() -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    heard = []

    async def waits() -> None:
        heard.append(await told)
        await asyncio.sleep(0)
        heard.append("and on")

    async def ends() -> None:
        heard.append("no wait")

    (first, second) = start_at_once((waits(), ends()))
    assert first is not None
    assert second is None
    assert heard == ["no wait"]
    told.set_result("news")
    await first
    assert heard == ["no wait", "news", "and on"]


async def test_each_sees_a_task_that_is_not_the_callers_from_its_first_step_to_its_last() -> None:
    seen = []

    async def work() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    mine = asyncio.current_task()
    tasks = [task for task in start_at_once((work(), work())) if task is not None]
    assert asyncio.current_task() is mine
    await asyncio.gather(*tasks)
    assert set(seen) == set(tasks)
    assert mine not in seen
    assert len(tasks) == 2


async def test_a_time_out_that_begins_in_the_first_step_ends_the_work_and_not_its_caller() -> None:
    said = []

    async def late() -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            said.append("late")

    (task,) = start_at_once((late(),))
    assert task is not None
    await task
    assert said == ["late"]


async def test_variables_of_a_context_stay_with_the_work() -> None:
    seen = []

    async def work() -> None:
        seen.append(_who.get())
        _who.set("work")
        await asyncio.sleep(0)
        seen.append(_who.get())

    _who.set("caller")
    (task,) = start_at_once((work(),))
    assert _who.get() == "caller"
    assert task is not None
    await task
    assert seen == ["caller", "work"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_cancelled_task_tells_the_work_before_and_after_its_own_first_step(at_once: bool) -> None:
    said = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            said.append("cancelled")
            raise

    (task,) = start_at_once((work(),))
    assert task is not None
    if not at_once:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said == ["cancelled"]


async def test_what_is_raised_before_the_first_wait_is_raised_here_and_later_in_the_task() -> None:
    async def at_once() -> None:
        raise ValueError("at once")

    async def later() -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    with pytest.raises(ValueError, match="at once"):
        next(start_at_once((at_once(),)))
    (task,) = start_at_once((later(),))
    assert task is not None
    with pytest.raises(ValueError, match="later"):
        await task


async def test_two_may_wait_for_one_future_from_their_first_step_on() -> None:
    shared: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    heard = []

    async def waits() -> None:
        heard.append(await shared)

    tasks = [task for task in start_at_once((waits(), waits())) if task is not None]
    asyncio.get_running_loop().call_later(0.01, shared.set_result, "news")
    assert await shared == "news"
    await asyncio.gather(*tasks)
    assert heard == ["news", "news"]


async def test_work_that_is_cancelled_before_its_tasks_first_step_may_clean_up() -> None:
    said = []

    async def inner() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            said.append("inner ended")

    async def work() -> None:
        try:
            await asyncio.gather(inner())
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            said.append("cleaned up")

    (task,) = start_at_once((work(),))
    assert task is not None
    await asyncio.sleep(0)  # `inner` begins
    (other,) = start_at_once((work(),))
    assert other is not None
    other.cancel()
    task.cancel()
    await asyncio.wait_for(asyncio.gather(task, other, return_exceptions=True), 5)
    assert said.count("cleaned up") == 2
    assert "inner ended" in said


async def test_works_that_share_a_task_share_no_variables_and_no_cancellation() -> None:
    seen = []

    async def sets() -> None:
        _who.set("first")
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def looks() -> None:
        seen.append(_who.get())
        await asyncio.sleep(0)
        seen.append("went on")

    _who.set("caller")
    (_, task) = start_at_once((sets(), looks()))
    assert task is not None
    await task
    assert seen == ["caller", "went on"]
