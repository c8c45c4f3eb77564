"""A reply in parts: each part has the deadline, and a stream that fails ends there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.payloads import Action, ConversationState, Reply

ACTION = Action(kind="silent", state=ConversationState())
OPTIONS = {"deadlines_s": {"compose_reply": 0.1}}


class Streams:
    def __init__(self, *parts: Any) -> None:
        self.parts = parts
        self.closed = False

    @hookimpl()
    async def compose_reply(self, action: Action) -> AsyncIterator[str]:
        try:
            for part in self.parts:
                if isinstance(part, BaseException):
                    raise part
                if isinstance(part, float):
                    await asyncio.sleep(part)
                else:
                    yield part
        finally:
            self.closed = True


async def parts_of(host: Any, request: Any) -> list[str]:
    reply = await host.compose_reply(ACTION, (), ACTION.state, request)
    assert not isinstance(reply, Reply)
    return [part async for part in reply]


async def test_parts_come_one_by_one(host_of: Any, request_of: Any) -> None:
    host = host_of(a=Streams("Hel", "", "lo"))
    request = request_of(host)

    assert await parts_of(host, request) == ["Hel", "", "lo"]
    assert [call.outcome for call in request.trace.calls] == ["result"]


@pytest.mark.parametrize("kind", ["async def", "def"])
async def test_an_iterator_may_be_returned_too(host_of: Any, request_of: Any, kind: str) -> None:
    async def parts() -> AsyncIterator[str]:
        yield "one"
        yield "two"

    class Def:
        @hookimpl()
        def compose_reply(self) -> AsyncIterator[str]:
            return parts()

    class Async:
        @hookimpl()
        async def compose_reply(self) -> AsyncIterator[str]:
            return parts()

    host = host_of(a=Def() if kind == "def" else Async())

    assert await parts_of(host, request_of(host)) == ["one", "two"]


@pytest.mark.parametrize(
    ("bad", "outcome", "text"),
    [
        pytest.param(ValueError("broken"), "error", "ValueError: broken", id="raises"),
        pytest.param(SystemExit(1), "error", "SystemExit: 1", id="leaves"),
        pytest.param(60.0, "timeout", "no result within 0.1 s", id="hangs"),
        pytest.param(7, "wrong_result", "expected str, got int", id="wrong type"),
        pytest.param(None, "error", "a part of the reply is None", id="None"),
    ],
)
async def test_a_stream_that_fails_ends_there(host_of: Any, request_of: Any, bad: Any, outcome: str, text: str) -> None:
    plugin = Streams("Hello", bad, "never")
    host = host_of(a=plugin, options=OPTIONS)
    request = request_of(host)
    started = time.perf_counter()

    assert await parts_of(host, request) == ["Hello"]

    assert time.perf_counter() - started < 0.6
    (call,) = request.trace.failures
    assert (call.hook, call.plugin, call.outcome) == ("compose_reply", "a", outcome)
    assert text in call.detail
    assert plugin.closed


async def test_a_reader_that_leaves_closes_the_stream(host_of: Any, request_of: Any) -> None:
    plugin = Streams("one", "two")
    host = host_of(a=plugin)
    reply = await host.compose_reply(ACTION, (), ACTION.state, request_of(host))

    async for _ in reply:
        break
    await reply.aclose()

    assert plugin.closed


async def test_an_iterator_that_cannot_be_started_is_an_empty_stream(host_of: Any, request_of: Any) -> None:
    class Broken:
        def __aiter__(self) -> Any:
            raise RuntimeError("not today")

    class Plugin:
        @hookimpl()
        def compose_reply(self) -> Any:
            return Broken()

    host = host_of(a=Plugin())
    request = request_of(host)

    assert await parts_of(host, request) == []
    assert "RuntimeError: not today" in request.trace.failures[0].detail


@pytest.mark.parametrize("result", ["text", ["a", "list"], 0], ids=["text", "list", "number"])
async def test_what_is_no_reply_is_refused(host_of: Any, request_of: Any, result: Any) -> None:
    class Bad:
        @hookimpl()
        def compose_reply(self) -> Any:
            return result

    class Shipped:
        @hookimpl(trylast=True)
        def compose_reply(self) -> Reply:
            return Reply(parts=("shipped",))

    host = host_of(bad=Bad(), shipped=Shipped())
    request = request_of(host)

    assert await host.compose_reply(ACTION, (), ACTION.state, request) == Reply(parts=("shipped",))
    assert "expected Reply" in request.trace.failures[0].detail
