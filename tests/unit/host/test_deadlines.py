"""Nobody waits longer than a deadline: not for a coroutine, not for a thread, not for one that will not be cancelled."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.errors import HookTimeoutError, HookUnavailableError, RedactionError
from rejoinder.payloads import Action, Answer, ConversationState, Effect, Query, Understanding
from rejoinder.trace import Trace

GOOD = Answer(id="good", score=0.5, source="good")
SHORT = {"deadlines_s": {"retrieve_answers": 0.1, "rank_answers": 0.1, "redact_text": 0.1, "decide_action": 0.1}}
STATE = ConversationState()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < seconds


class Good:
    @hookimpl()
    async def retrieve_answers(self, query: Query) -> list[Answer]:
        return [GOOD]


class HangsAsync:
    @hookimpl()
    async def retrieve_answers(self, query: Query) -> Any:
        await asyncio.sleep(60)


class WillNotBeCancelled:
    def __init__(self) -> None:
        self.end = asyncio.Event()

    @hookimpl()
    async def retrieve_answers(self, query: Query) -> Any:
        while not self.end.is_set():
            try:
                await self.end.wait()
            except asyncio.CancelledError:
                continue
        return [GOOD]


class AnswersCancellationWithAnError:
    @hookimpl()
    async def retrieve_answers(self, query: Query) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("no") from None


class HangsInThread:
    def __init__(self, release: threading.Event) -> None:
        self.release = release
        self.calls = 0

    @hookimpl()
    def retrieve_answers(self, query: Query) -> Any:
        self.calls += 1
        self.release.wait(60)
        return [Answer(id="late", score=1.0, source="late")]


@pytest.mark.parametrize("kind", ["async", "swallows", "answers with an error", "thread"])
async def test_one_that_hangs_is_left_out_at_its_deadline(
    host_of: Any, request_of: Any, release: threading.Event, kind: str
) -> None:
    stubborn = WillNotBeCancelled()
    bad: dict[str, object] = {
        "async": HangsAsync(),
        "swallows": stubborn,
        "answers with an error": AnswersCancellationWithAnError(),
        "thread": HangsInThread(release),
    }
    host = host_of(bad=bad[kind], good=Good(), options=SHORT)
    request = request_of(host)

    with at_most(0.5):
        assert await host.retrieve_answers(Query(), request) == (GOOD,)

    (call,) = request.trace.failures
    assert (call.plugin, call.outcome) == ("bad", "timeout")
    assert call.detail == "plugin 'bad', hook retrieve_answers: no result within 0.1 s"
    assert 90 < call.took_ms < 400
    stubborn.end.set()
    await asyncio.sleep(0)


async def test_sleeping_in_a_thread_is_no_way_around(host_of: Any, request_of: Any) -> None:
    class Sleeps:
        @hookimpl()
        def retrieve_answers(self) -> None:
            time.sleep(0.6)

    host = host_of(bad=Sleeps(), options=SHORT)

    with at_most(0.4):
        assert await host.retrieve_answers(Query(), request_of(host)) == ()


@pytest.mark.parametrize("kind", ["async", "def"])
async def test_collect_hooks_run_at_the_same_time(host_of: Any, request_of: Any, kind: str) -> None:
    class Async:
        @hookimpl()
        async def retrieve_answers(self) -> list[Answer]:
            await asyncio.sleep(0.1)
            return [GOOD]

    class Def:
        @hookimpl()
        def retrieve_answers(self) -> list[Answer]:
            time.sleep(0.1)
            return [GOOD]

    host = host_of(**{f"p{number}": Async() if kind == "async" else Def() for number in range(10)})

    with at_most(0.3):
        assert len(await host.retrieve_answers(Query(), request_of(host))) == 10


async def test_many_that_will_not_be_cancelled_cost_one_moment_of_grace(host_of: Any, request_of: Any) -> None:
    stubborn = [WillNotBeCancelled() for _ in range(10)]
    host = host_of(**{f"p{number}": one for number, one in enumerate(stubborn)}, options=SHORT)

    with at_most(0.35):
        await host.retrieve_answers(Query(), request_of(host))
    for one in stubborn:
        one.end.set()
    await asyncio.sleep(0)


async def test_results_before_the_deadline_of_another_are_kept_in_order(host_of: Any, request_of: Any) -> None:
    class Sleeps:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        @hookimpl()
        async def retrieve_answers(self, context: Any) -> list[Answer]:
            await asyncio.sleep(self.seconds)
            return [Answer(id=context.plugin, score=0.5, source="s")]

    host = host_of(a=Sleeps(0.05), b=Sleeps(60), c=Sleeps(0), options=SHORT)

    assert [one.id for one in await host.retrieve_answers(Query(), request_of(host))] == ["a", "c"]


@pytest.mark.parametrize(
    ("own", "allowed", "left", "expected"),
    [
        pytest.param(0.05, 5.0, 30.0, 0.05, id="its own"),
        pytest.param(60.0, 0.05, 30.0, 0.05, id="never more than the deployment allows"),
        pytest.param(None, 0.05, 30.0, 0.05, id="the deployment's"),
        pytest.param(60.0, 60.0, 0.05, 0.05, id="what is left of the request"),
    ],
)
async def test_the_shortest_deadline_counts(
    host_of: Any, request_of: Any, own: float | None, allowed: float, left: float, expected: float
) -> None:
    class Hangs:
        @hookimpl(deadline_s=own)
        async def retrieve_answers(self) -> None:
            await asyncio.sleep(60)

    host = host_of(bad=Hangs(), options={"deadlines_s": {"retrieve_answers": allowed}})
    request = request_of(host, timeout_s=left)

    with at_most(0.4):
        await host.retrieve_answers(Query(), request)

    (call,) = request.trace.failures
    assert call.took_ms >= expected * 1e3 * 0.6  # a part of what was left may be gone when the call begins


async def test_nothing_is_called_when_the_time_is_used_up(host_of: Any, request_of: Any) -> None:
    host = host_of(a=Good())
    request = request_of(host, timeout_s=-1.0)

    assert await host.retrieve_answers(Query(), request) == ()
    assert [(one.outcome, one.detail) for one in request.trace.calls] == [
        ("skipped", "the time for this request is used up")
    ]


async def test_the_walk_goes_on_behind_one_that_hangs(host_of: Any, request_of: Any, release: threading.Event) -> None:
    class HangsDef:
        @hookimpl()
        def decide_action(self) -> Any:
            release.wait(60)

    class HangsCoroutine:
        @hookimpl()
        async def decide_action(self) -> Any:
            await asyncio.sleep(60)

    class Decides:
        @hookimpl()
        def decide_action(self, state: ConversationState) -> Action:
            return Action(kind="silent", state=state)

    host = host_of(a=HangsDef(), b=HangsCoroutine(), c=HangsDef(), d=Decides(), options=SHORT)
    request = request_of(host)
    message: Any = None

    with at_most(0.8):
        action = await host.decide_action(message, Understanding(), STATE, request)

    assert action is not None
    assert [(one.plugin, one.outcome) for one in request.trace.calls] == [
        ("a", "timeout"),
        ("b", "timeout"),
        ("c", "timeout"),
        ("d", "result"),
    ]


async def test_a_late_thread_does_not_overwrite_the_chain(
    host_of: Any, request_of: Any, release: threading.Event
) -> None:
    came_back = threading.Event()

    class Late:
        @hookimpl()
        def rank_answers(self, answers: Any) -> Any:
            release.wait(60)
            came_back.set()
            return []

    class WaitsForTheLateOne:
        @hookimpl()
        async def rank_answers(self, answers: Any) -> Any:
            release.set()
            await asyncio.to_thread(came_back.wait, 60)
            await asyncio.sleep(0.02)
            return answers

    host = host_of(a=Late(), b=WaitsForTheLateOne(), options=SHORT)
    request = request_of(host)

    assert await host.rank_answers(Query(), (GOOD,), request) == (GOOD,)
    assert [one.outcome for one in request.trace.calls] == ["timeout", "result"]


async def test_a_late_thread_adds_nothing_to_the_trace(host_of: Any, request_of: Any, release: threading.Event) -> None:
    host = host_of(bad=HangsInThread(release), options=SHORT)
    request = request_of(host)
    await host.retrieve_answers(Query(), request)

    release.set()
    await asyncio.sleep(0.05)

    assert [one.outcome for one in request.trace.calls] == ["timeout"]


async def test_redaction_that_hangs_fails_closed(host_of: Any, request_of: Any, release: threading.Event) -> None:
    class Hangs:
        @hookimpl()
        def redact_text(self, text: str) -> str:
            release.wait(60)
            return text

    host = host_of(bad=Hangs(), options=SHORT)

    with at_most(0.5), pytest.raises(RedactionError, match=r"no result within 0\.1 s") as failed:
        await host.redact_text("secret", "store", request_of(host))
    assert isinstance(failed.value.__cause__, HookTimeoutError)


async def test_an_effect_has_its_own_timeout(host_of: Any, request_of: Any) -> None:
    class Hangs:
        @hookimpl()
        async def run_effect(self) -> Any:
            await asyncio.sleep(60)

    host = host_of(desk=Hangs())
    effect = Effect(name="ticket", plugin="desk", timeout_s=0.05)

    with at_most(0.5):
        result = await host.run_effect(effect, request_of(host))

    assert not result.ok
    assert re.fullmatch(r"plugin 'desk', hook run_effect: no result within 0\.0(5|49\d*) s", result.error or "")


async def test_a_cancelled_turn_cancels_its_children(host_of: Any, request_of: Any) -> None:
    ended = []

    class Hangs:
        @hookimpl()
        async def retrieve_answers(self, context: Any) -> Any:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append(context.plugin)
                raise

        @hookimpl()
        async def decide_action(self, context: Any) -> Any:
            await self.retrieve_answers(context)

    host = host_of(a=Hangs(), b=Hangs())
    message: Any = None
    for turn, expected in (
        (host.retrieve_answers(Query(), request_of(host)), ["a", "b"]),
        (host.decide_action(message, Understanding(), STATE, request_of(host)), ["a"]),
    ):
        ended.clear()
        task = asyncio.create_task(turn)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        assert ended == expected


async def test_a_cancelled_turn_is_no_failure_of_the_plugin(host_of: Any, request_of: Any) -> None:
    host = host_of(a=HangsAsync(), options={"breaker_failures": 1})
    request = request_of(host)
    task = asyncio.create_task(host.retrieve_answers(Query(), request))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert request.trace.failures == []
    assert host.calls.breaker.open_circuits() == []


async def test_threads_of_cancelled_turns_count_until_they_come_back(
    host_of: Any, request_of: Any, release: threading.Event
) -> None:
    plugin = HangsInThread(release)
    host = host_of(a=plugin)
    for _ in range(4):
        task = asyncio.create_task(host.retrieve_answers(Query(), request_of(host)))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])

    assert host.calls.threads.exhausted("a")
    release.set()
    await asyncio.sleep(0.05)
    assert not host.calls.threads.exhausted("a")


async def test_one_with_too_many_stuck_threads_is_skipped_until_they_come_back(
    host_of: Any, request_of: Any, release: threading.Event
) -> None:
    plugin = HangsInThread(release)
    host = host_of(a=plugin, options={"deadlines_s": {"retrieve_answers": 0.02}, "breaker_failures": 1000})
    for _ in range(5):
        request = request_of(host)
        await host.retrieve_answers(Query(), request)

    assert plugin.calls == 4
    assert request.trace.calls[0].outcome == "skipped"
    assert "threads are all stuck" in request.trace.calls[0].detail

    release.set()
    await asyncio.sleep(0.05)
    assert len(await host.retrieve_answers(Query(), request_of(host))) == 1


async def test_a_retried_hook_that_is_skipped_raises(host_of: Any, request_of: Any) -> None:
    class Reads:
        @hookimpl()
        def read_events(self) -> Any:
            raise ValueError

    host = host_of(a=Reads(), options={"breaker_failures": 1})
    with pytest.raises(Exception, match="ValueError"):
        await host.read_events([], request_of(host))

    with pytest.raises(HookUnavailableError, match="not called: its circuit breaker is open"):
        await host.read_events([], request_of(host))


async def test_hanging_threads_of_one_plugin_do_not_starve_the_others(
    host_of: Any, request_of: Any, release: threading.Event
) -> None:
    class Quick:
        @hookimpl()
        def decide_action(self, state: ConversationState) -> Action:
            return Action(kind="silent", state=state)

    host = host_of(bad=HangsInThread(release), good=Quick(), options=SHORT)
    await asyncio.gather(*[host.retrieve_answers(Query(), request_of(host)) for _ in range(70)])
    message: Any = None

    with at_most(0.5):
        assert await host.decide_action(message, Understanding(), STATE, request_of(host)) is not None


async def test_a_result_just_before_the_deadline_is_taken_once(host_of: Any, request_of: Any) -> None:
    class JustInTime:
        @hookimpl(deadline_s=0.01)
        def rank_answers(self, answers: Any) -> Any:
            time.sleep(0.0099)
            return answers

    class Last:
        @hookimpl()
        def rank_answers(self, answers: Any) -> Any:
            return answers

    host = host_of(a=JustInTime(), b=Last(), options={"breaker_failures": 1000})
    for _ in range(50):
        request = request_of(host)
        assert await host.rank_answers(Query(), (GOOD,), request) == (GOOD,)
        assert [(one.plugin, one.outcome) for one in request.trace.calls if one.plugin == "b"] == [("b", "result")]


async def test_a_result_that_the_loop_has_not_heard_of_yet_is_not_late(
    host_of: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread has taken its result in time; the news of it reaches the loop after the deadline."""

    class Quick:
        @hookimpl()
        def retrieve_answers(self) -> list[Answer]:
            return [GOOD]

    def deliver_late(loop: asyncio.AbstractEventLoop, future: Any, result: object, error: object) -> None:
        if not loop.is_closed():  # a thread of another test may come back now
            loop.call_soon_threadsafe(loop.call_later, 0.08, future.set_result, result)

    monkeypatch.setattr("rejoinder.host.threads._deliver", deliver_late)
    host = host_of(a=Quick(), options={"deadlines_s": {"retrieve_answers": 0.04}})
    request = request_of(host)

    assert await host.retrieve_answers(Query(), request) == (GOOD,)
    assert request.trace.failures == []


async def test_each_request_has_a_trace_of_its_own(host_of: Any, request_of: Any) -> None:
    host = host_of(a=Good())
    requests = [request_of(host) for _ in range(3)]
    for request in requests:
        await host.retrieve_answers(Query(), request)

    assert [len(request.trace.calls) for request in requests] == [1, 1, 1]
    assert Trace().calls == []
