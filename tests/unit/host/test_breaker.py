"""A plugin that keeps failing is left alone for a while, for one tenant."""

from __future__ import annotations

from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.errors import InvalidInputError
from rejoinder.host.breaker import CircuitBreaker
from rejoinder.payloads import Answer, Query

GOOD = Answer(id="good", score=0.5, source="s")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures=3, reset_s=10.0, clock=clock)


def fail(breaker: CircuitBreaker, times: int, tenant: str = "t") -> None:
    for _ in range(times):
        breaker.failed("p", tenant, "h")


def test_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    assert breaker.allows("p", "t")

    fail(breaker, 1)
    assert not breaker.allows("p", "t")
    assert breaker.open_circuits() == [("p", "t")]


def test_a_success_in_between_starts_the_count_again(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.succeeded("p", "t", "h")
    fail(breaker, 2)

    assert breaker.allows("p", "t")


def test_other_tenants_and_plugins_are_not_touched(breaker: CircuitBreaker) -> None:
    fail(breaker, 3)

    assert breaker.allows("p", "other")
    assert breaker.allows("other", "t")


def test_one_trial_is_let_through_after_the_pause(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 10.0

    assert [breaker.allows("p", "t") for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("works", [True, False], ids=["works", "fails"])
def test_the_trial_decides(breaker: CircuitBreaker, clock: Clock, works: bool) -> None:
    fail(breaker, 3)
    clock.now += 10.0
    assert breaker.allows("p", "t")

    if works:
        breaker.succeeded("p", "t", "h")
    else:
        fail(breaker, 1)

    assert breaker.allows("p", "t") is works


def test_a_trial_without_an_outcome_is_followed_by_another(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 10.0
    assert breaker.allows("p", "t")
    clock.now += 10.0

    assert breaker.allows("p", "t")


class Flaky:
    def __init__(self) -> None:
        self.calls = 0
        self.works = False

    @hookimpl()
    async def retrieve_answers(self, query: Query) -> list[Answer]:
        self.calls += 1
        if not self.works:
            raise ValueError("broken")
        return [GOOD]


async def test_a_host_skips_a_plugin_whose_circuit_is_open(host_of: Any, request_of: Any) -> None:
    plugin = Flaky()
    host = host_of(a=plugin, options={"breaker_failures": 3})
    for _ in range(5):
        request = request_of(host, tenant="acme")
        await host.retrieve_answers(Query(), request)

    assert plugin.calls == 3
    assert [(one.outcome, one.detail) for one in request.trace.calls] == [
        ("skipped", "its circuit breaker is open after repeated failures")
    ]

    await host.retrieve_answers(Query(), request_of(host, tenant="other"))
    assert plugin.calls == 4


async def test_what_somebody_asks_wrongly_does_not_shut_a_plugin_off(host_of: Any, request_of: Any) -> None:
    class Refusing:
        rejoinder_spec = ">=1.0,<2"

        @hookimpl()
        def retrieve_answers(self, query: Query) -> list[Answer]:
            raise InvalidInputError("there is no such filter")

    host = host_of(a=Refusing(), options={"breaker_failures": 1})
    for _ in range(3):
        request = request_of(host)
        await host.retrieve_answers(Query(), request)
        assert [one.outcome for one in request.trace.calls] == ["error"]
    assert host.calls.breaker.open_circuits() == []


async def test_a_host_takes_a_plugin_back_that_works_again(host_of: Any, request_of: Any) -> None:
    plugin = Flaky()
    host = host_of(a=plugin, options={"breaker_failures": 1, "breaker_reset_s": 1e-9})
    await host.retrieve_answers(Query(), request_of(host))
    plugin.works = True

    assert await host.retrieve_answers(Query(), request_of(host)) == (GOOD,)
    assert host.calls.breaker.open_circuits() == []


def test_a_hook_that_works_does_not_hide_one_that_does_not() -> None:
    breaker = CircuitBreaker(failures=3, reset_s=10.0)
    for _ in range(3):
        assert breaker.allows("p", "t")
        breaker.failed("p", "t", "understand_intent")
        breaker.succeeded("p", "t", "rank_answers")
    breaker.failed("p", "t", "understand_intent")
    assert breaker.open_circuits() == [("p", "t")]


def test_after_the_pause_a_hook_that_failed_before_needs_to_fail_only_once() -> None:
    now = [0.0]
    breaker = CircuitBreaker(failures=3, reset_s=10.0, clock=lambda: now[0])
    for _ in range(3):
        breaker.failed("p", "t", "understand_intent")
    now[0] = 11.0
    assert breaker.allows("p", "t")
    breaker.succeeded("p", "t", "rank_answers")
    assert breaker.allows("p", "t")
    breaker.failed("p", "t", "understand_intent")
    assert not breaker.allows("p", "t")
