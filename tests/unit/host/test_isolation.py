"""A plugin that raises, returns the wrong type or edits what it is given harms nobody but itself."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.context import Deployment
from rejoinder.errors import HookError, HookResultError, RedactionError
from rejoinder.payloads import (
    Answer,
    ConversationState,
    Effect,
    EffectResult,
    Event,
    Observation,
    Query,
    Source,
    Understanding,
)
from rejoinder.trace import FAILURES

AT = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Answer(id="good", score=0.5, source="good")


class Good:
    @hookimpl()
    def retrieve_answers(self, query: Query) -> list[Answer]:
        return [GOOD]


class WordlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Cursed:
    """An object that fails whenever it is looked at."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("do not look")

    def __repr__(self) -> str:
        raise RuntimeError("do not look")


def retriever(kind: str, behave: Any) -> object:
    """Return a plugin whose retrieve_answers, `def` or `async def`, does what `behave` does."""
    if kind == "async":

        class Async:
            @hookimpl()
            async def retrieve_answers(self, query: Query) -> Any:
                return behave()

        return Async()

    class Def:
        @hookimpl()
        def retrieve_answers(self, query: Query) -> Any:
            return behave()

    return Def()


def raising(error: BaseException) -> Any:
    def behave() -> None:
        raise error

    return behave


KINDS = pytest.mark.parametrize("kind", ["async", "def"])


@KINDS
@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(ValueError("broken"), "ValueError: broken", id="exception"),
        pytest.param(SystemExit(3), "SystemExit: 3", id="SystemExit"),
        pytest.param(asyncio.CancelledError(), "CancelledError: ", id="CancelledError of its own"),
        pytest.param(TimeoutError("slow"), "TimeoutError: slow", id="TimeoutError of its own"),
        pytest.param(StopIteration(1), "StopIteration|coroutine raised StopIteration", id="StopIteration"),
        pytest.param(BaseExceptionGroup("many", [KeyError(1)]), "many", id="group"),
        pytest.param(WordlessError(), r"WordlessError: \(its message cannot be shown\)", id="exception without words"),
    ],
)
async def test_one_that_raises_is_left_out(
    host_of: Any, request_of: Any, kind: str, error: BaseException, text: str
) -> None:
    host = host_of(bad=retriever(kind, raising(error)), good=Good())
    request = request_of(host)

    assert await host.retrieve_answers(Query(), request) == (GOOD,)

    (call,) = request.trace.failures
    assert (call.hook, call.plugin, call.outcome) == ("retrieve_answers", "bad", "error")
    assert "plugin 'bad', hook retrieve_answers: " in call.detail
    assert any(one.replace("\\", "") in call.detail for one in text.split("|"))


@KINDS
@pytest.mark.parametrize(
    ("result", "text"),
    [
        pytest.param("text", "returned str, expected a list or tuple of Answer", id="a text"),
        pytest.param(GOOD, "returned Answer, expected a list or tuple of Answer", id="one instead of a list"),
        pytest.param([GOOD, "x"], "expected Answer, got str", id="a wrong one in the list"),
        pytest.param([{"id": "a", "score": 0.5, "source": "s"}], "expected Answer, got dict", id="a dict"),
        pytest.param([Answer(id="a", score=1.5, source="s")], "Answer.score", id="score out of range"),
        pytest.param([Answer(id="a", score=float("nan"), source="s")], "Answer.score", id="score is NaN"),
        pytest.param([Answer(id="", score=0.5, source="s")], "Answer.id", id="no id"),
        pytest.param((one for one in [GOOD]), "returned generator", id="a generator"),
        pytest.param(0, "returned int", id="zero is a result"),
        pytest.param(Cursed(), "do not look", id="an object that fails when looked at"),
    ],
)
async def test_one_that_gives_the_wrong_type_is_left_out(
    host_of: Any, request_of: Any, kind: str, result: Any, text: str
) -> None:
    host = host_of(bad=retriever(kind, lambda: result), good=Good())
    request = request_of(host)

    assert await host.retrieve_answers(Query(), request) == (GOOD,)

    (call,) = request.trace.failures
    assert (call.plugin, call.outcome) == ("bad", "wrong_result")
    assert text in call.detail


@KINDS
async def test_an_awaitable_is_refused_with_advice(host_of: Any, request_of: Any, kind: str) -> None:
    async def answers() -> list[Answer]:
        return [GOOD]

    host = host_of(bad=retriever(kind, answers))
    request = request_of(host)

    assert await host.retrieve_answers(Query(), request) == ()
    assert "returned an awaitable: declare the implementation `async def`" in request.trace.failures[0].detail


async def test_a_long_message_is_cut(host_of: Any, request_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    host = host_of(bad=retriever("async", raising(ValueError("x" * 1_000_000))))
    request = request_of(host)

    await host.retrieve_answers(Query(), request)

    assert len(request.trace.failures[0].detail) == 500
    assert "xx" not in caplog.text  # it may repeat what a person typed


async def test_a_failure_is_logged_and_counted(host_of: Any, request_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    host = host_of(bad=retriever("async", raising(ValueError("broken"))))

    with caplog.at_level(logging.WARNING, "rejoinder.host"):
        await host.retrieve_answers(Query(), request_of(host, tenant="acme"))

    (record,) = caplog.records
    assert (record.tenant, record.plugin, record.hook) == ("acme", "bad", "retrieve_answers")  # type: ignore[attr-defined]
    assert host.calls.failures["bad", "retrieve_answers", "error"] == 1


async def test_a_list_that_a_plugin_edits_is_its_own(host_of: Any, request_of: Any) -> None:
    class Edits:
        @hookimpl()
        async def read_events(self, events: Any) -> list[Observation]:
            events.clear()
            return []

    class Reads:
        @hookimpl()
        async def read_events(self, events: Any) -> list[Observation]:
            return [Observation(event_id=event.id, type="seen", at=event.at) for event in events]

    host = host_of(a=Edits(), b=Reads())
    events = [Event(id="e", kind="click", at=AT)]

    with pytest.raises(HookError, match="'tuple' object has no attribute 'clear'"):
        await host.read_events(events, request_of(host))
    assert [event.id for event in events] == ["e"]


async def test_a_ranking_that_fails_leaves_its_input(host_of: Any, request_of: Any) -> None:
    class Fails:
        @hookimpl()
        def rank_answers(self, answers: Any) -> Any:
            raise ValueError

    class Reverses:
        @hookimpl()
        def rank_answers(self, answers: Any) -> Any:
            return answers[::-1]

    other = Answer(id="other", score=0.1, source="s")
    host = host_of(a=Fails(), b=Reverses())

    assert await host.rank_answers(Query(), (GOOD, other), request_of(host)) == (other, GOOD)


async def test_a_ranking_may_drop_everything(host_of: Any, request_of: Any) -> None:
    class Drops:
        @hookimpl()
        def rank_answers(self, answers: Any) -> Any:
            return []

    host = host_of(a=Drops())

    assert await host.rank_answers(Query(), (GOOD,), request_of(host)) == ()


@KINDS
@pytest.mark.parametrize(
    ("behave", "text"),
    [
        pytest.param(raising(ValueError("broken")), "ValueError: broken", id="raises"),
        pytest.param(lambda: b"bytes", "expected str, got bytes", id="wrong type"),
        pytest.param(lambda: None, "returned None", id="forgot to return"),
    ],
)
async def test_redaction_fails_closed(host_of: Any, request_of: Any, kind: str, behave: Any, text: str) -> None:
    if kind == "async":

        class Redacts:
            @hookimpl()
            async def redact_text(self, text: str) -> Any:
                return behave()
    else:

        class Redacts:  # type: ignore[no-redef]
            @hookimpl()
            def redact_text(self, text: str) -> Any:
                return behave()

    class After:
        called = False

        @hookimpl(trylast=True)
        def redact_text(self, text: str) -> str:
            self.called = True
            return text

    after = After()
    host = host_of(bad=Redacts(), after=after)

    with pytest.raises(RedactionError, match="the text was not stored") as failed:
        await host.redact_text("secret", "store", request_of(host, tenant="acme"))

    assert text in str(failed.value)
    assert (failed.value.plugin, failed.value.hook, failed.value.tenant) == ("bad", "redact_text", "acme")
    assert not after.called


@KINDS
async def test_a_retried_hook_raises_and_chains_the_cause(host_of: Any, request_of: Any, kind: str) -> None:
    cause = ConnectionError("feed is down")
    if kind == "async":

        class Polls:
            @hookimpl()
            async def poll_source(self, source: Source) -> None:
                raise cause
    else:

        class Polls:  # type: ignore[no-redef]
            @hookimpl()
            def poll_source(self, source: Source) -> None:
                raise cause

    host = host_of(bad=Polls())

    with pytest.raises(HookError, match="plugin 'bad', hook poll_source: ConnectionError: feed is down") as failed:
        await host.poll_source(Source(name="s", kind="feed", location="l"), None, request_of(host))

    assert failed.value.__cause__ is cause


async def test_a_retried_hook_raises_for_a_wrong_result(host_of: Any, request_of: Any) -> None:
    class Reads:
        @hookimpl()
        def read_events(self) -> Any:
            return [1]

    host = host_of(bad=Reads())

    with pytest.raises(HookResultError, match="expected Observation, got int"):
        await host.read_events([], request_of(host))


async def test_a_failed_effect_says_why(host_of: Any, request_of: Any) -> None:
    class Runs:
        @hookimpl()
        def run_effect(self, effect: Effect) -> Any:
            if effect.name == "fails":
                raise ConnectionError("desk is closed")

    host = host_of(desk=Runs())
    request = request_of(host)

    failed = await host.run_effect(Effect(name="fails", plugin="desk"), request)
    nothing = await host.run_effect(Effect(name="other", plugin="desk"), request)
    nobody = await host.run_effect(Effect(name="any", plugin="nobody"), request)

    assert not failed.ok
    assert "ConnectionError: desk is closed" in (failed.error or "")
    assert nothing == EffectResult(name="other", ok=False, error="the plugin gave no result")
    assert nobody.error == "plugin 'nobody' is not enabled or runs no effects"
    assert [call.outcome for call in request.trace.calls] == ["error", "nothing"]


class FailsToStart:
    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        raise OSError("no disk")

    @hookimpl()
    def retrieve_answers(self, query: Query) -> list[Answer]:
        return [GOOD]

    @hookimpl()
    def redact_text(self, text: str) -> str:
        return text


async def test_one_that_did_not_start_serves_no_turn(host_of: Any, request_of: Any) -> None:
    host = host_of(bad=FailsToStart(), good=Good())
    request = request_of(host)

    await host.start(Deployment(domains=(), data_dir="."))

    assert await host.retrieve_answers(Query(), request) == (GOOD,)
    assert [call.plugin for call in request.trace.calls] == ["good"]
    assert ["OSError: no disk" in str(failure) for failure in host.failures] == [True]


async def test_a_redactor_that_did_not_start_fails_closed(host_of: Any, request_of: Any) -> None:
    host = host_of(bad=FailsToStart())
    await host.start(Deployment(domains=(), data_dir="."))

    with pytest.raises(RedactionError, match="plugin 'bad' did not start"):
        await host.redact_text("secret", "store", request_of(host))


async def test_the_trace_tells_results_from_nothing(host_of: Any, request_of: Any) -> None:
    class Nothing:
        @hookimpl()
        def retrieve_answers(self) -> list[Answer]:
            return []

    host = host_of(a=Good(), b=Nothing())
    request = request_of(host)

    await host.retrieve_answers(Query(), request)

    calls = {call.plugin: call for call in request.trace.calls}
    assert (calls["a"].outcome, calls["a"].detail) == ("result", "1 values")
    assert calls["b"].outcome == "nothing"
    assert [row["plugin"] for row in request.trace.to_json()] == ["a"]
    assert not FAILURES & {call.outcome for call in request.trace.calls}


PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("PLACE", default="nowhere")


@KINDS
async def test_context_variables_of_the_caller_reach_the_plugin(host_of: Any, request_of: Any, kind: str) -> None:
    host = host_of(a=retriever(kind, lambda: [Answer(id=PLACE.get(), score=0.5, source="s")]))
    PLACE.set("here")

    assert [one.id for one in await host.retrieve_answers(Query(), request_of(host))] == ["here"]


async def test_a_result_is_the_hosts_own_copy(host_of: Any, request_of: Any) -> None:
    metadata = {"intent": "v1"}

    class Reads:
        @hookimpl()
        def understand_intent(self) -> Understanding:
            return Understanding(model_versions=metadata)

    host = host_of(a=Reads())
    message: Any = None
    found = await host.understand_intent(message, ConversationState(), request_of(host))
    metadata["intent"] = "v2"

    assert found.model_versions == {"intent": "v1"}
