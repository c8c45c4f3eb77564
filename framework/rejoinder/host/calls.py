"""Call implementations within their deadlines, each isolated from the others and from the turn.

`async def` implementations run as tasks of the loop, begun at once, `def` ones in daemon threads. Implementations that follow one another
(`first`, `chain`) share one task or thread as long as none is late, so that a no-op costs microseconds; one that is late is
cancelled, or its thread abandoned, and the walk goes on behind it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

from rejoinder.context import Request
from rejoinder.eager import start_at_once
from rejoinder.errors import (
    HookError,
    HookResultError,
    HookTimeoutError,
    HookUnavailableError,
    InvalidInputError,
    PayloadError,
)
from rejoinder.hooks import HookSpec
from rejoinder.host.breaker import CircuitBreaker
from rejoinder.host.implementations import Implementation
from rejoinder.host.threads import DaemonThreads
from rejoinder.trace import Outcome, Trace
from rejoinder.wire import check

GRACE_S = 0.05
"""Seconds that a cancelled call gets to end before it is left behind."""

_MAX_DETAIL_CHARS = 500
"""Characters of an error that go into the trace and the log."""

_now = time.perf_counter
_logger = logging.getLogger("rejoinder.host")


class HookCalls:
    """Calls implementations on behalf of the host.

    Args:
        deadlines_s: seconds a call of a hook may take, by hook name; others have their specification's default.
        breaker: decides whether a plugin may be called for a tenant.
        threads: where `def` implementations run.
    """

    def __init__(self, deadlines_s: Mapping[str, float], breaker: CircuitBreaker, threads: DaemonThreads) -> None:
        self._deadlines_s = dict(deadlines_s)
        self.breaker = breaker
        self.threads = threads
        self.failures: Counter[tuple[str, str, str]] = Counter()
        """Failed calls so far by plugin, hook and outcome."""

    async def collect(
        self, implementations: Sequence[Implementation], arguments: Mapping[str, Any], request: Request
    ) -> list[tuple[str, Any]]:
        """Call all at the same time; return plugin and value of each that gave something, in declared order.

        Raises:
            HookError: one failed and the hook's failures are "retried".
        """
        walks = [_Walk(self, (one,), arguments, request) for one in implementations]
        await _together(walks)
        results = []
        for walk in walks:
            if walk.error is not None and walk.spec.failure == "retried":
                raise walk.error
            if walk.found is not None:
                results.append(walk.found)
        return results

    async def each(
        self, implementations: Sequence[Implementation], arguments: Mapping[str, Any], request: Request
    ) -> list[tuple[str, Any]]:
        """Call one after another to the end; return plugin and value of each that gave something.

        Raises:
            HookError: one failed and the hook's failures are "retried".
        """
        results = []
        for one in implementations:
            found = await self.first((one,), arguments, request)
            if found is not None:
                results.append(found)
        return results

    async def first(
        self, implementations: Sequence[Implementation], arguments: Mapping[str, Any], request: Request
    ) -> tuple[str, Any] | None:
        """Call one after another until one gives something; return its plugin and value.

        Raises:
            HookError: one failed and the hook's failures are "retried".
        """
        if not implementations:
            return None
        walk = _Walk(self, implementations, arguments, request)
        await walk.run()
        if walk.error is not None and walk.spec.failure == "retried":
            raise walk.error
        return walk.found

    async def chain(
        self, implementations: Sequence[Implementation], arguments: Mapping[str, Any], request: Request, *, key: str
    ) -> Any:
        """Hand `arguments[key]` from one to the next; return the last value.

        Raises:
            HookError: one failed and the hook's failures are "closed".
        """
        if not implementations:
            return arguments[key]
        walk = _Walk(self, implementations, arguments, request, key=key)
        await walk.run()
        if walk.error is not None and walk.spec.failure == "closed":
            raise walk.error
        return walk.arguments[key]

    def deadline_s(self, implementation: Implementation) -> float:
        """Return the seconds that a call of this implementation may take."""
        spec = implementation.spec
        allowed = self._deadlines_s.get(spec.name, spec.deadline_s)
        own = implementation.order.deadline_s
        return allowed if own is None else min(own, allowed)


async def _together(walks: list[_Walk]) -> None:
    """Walk over one implementation each, all at the same time."""
    in_loop: list[_Walk] = []

    def works() -> Iterator[Coroutine[Any, Any, None]]:
        for walk in walks:
            if (work := walk.begin()) is not None:
                in_loop.append(walk)
                yield work

    try:
        for number, task in enumerate(start_at_once(works())):
            in_loop[number].future = task
        while any(walk.future is not None for walk in walks):
            await _until_ended(walks)
            late = [future for walk in walks if (future := walk.give_up_if_late()) is not None]
            if late:
                await asyncio.wait(late, timeout=GRACE_S)
            for walk in walks:
                walk.take_end()
    finally:
        for walk in walks:
            walk.abandon()


async def _until_ended(walks: Sequence[_Walk]) -> None:
    """Wait until the stretches of all these walks have ended, or the first of them is late.

    One in the loop says that it ends: to be told by its task takes another turn of the loop.
    """
    waited = [walk for walk in walks if walk.future is not None and not walk.future.done()]
    if not waited:
        return
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    left = len(waited)

    def one_ended(_: object = None) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            release()

    def release() -> None:
        if not ended.done():
            ended.set_result(None)

    for walk in waited:
        walk.tell_end(one_ended)
    timer = loop.call_later(max(0.0, min(walk.due for walk in waited) - _now()), release)
    try:
        await ended
    finally:
        timer.cancel()
        for walk in waited:
            walk.tell_end(None)


class _Walk:
    """One walk over implementations that follow one another; `lock` decides between a result and its deadline."""

    def __init__(
        self,
        calls: HookCalls,
        implementations: Sequence[Implementation],
        arguments: Mapping[str, Any],
        request: Request,
        *,
        key: str | None = None,
    ) -> None:
        self.calls = calls
        self.implementations = implementations
        self.spec: HookSpec = implementations[0].spec
        self.arguments = dict(arguments)
        self.request = request
        self.trace: Trace = request.trace
        self.key = key
        self.lock = threading.Lock()
        self.index = 0
        self.epoch = 0
        self.started = _now()
        self.due = self.started
        self.found: tuple[str, Any] | None = None
        self.error: HookError | None = None
        self.finished = False
        self.future: asyncio.Future[Any] | None = None
        self.given_up = False
        self.in_thread = False
        self.on_end: Callable[..., None] | None = None

    async def run(self) -> None:
        """Walk to the end, or to the first result."""
        try:
            while self.start() is not None:
                while self.future is not None:
                    await _until_ended((self,))
                    if (late := self.give_up_if_late()) is not None:
                        await asyncio.wait((late,), timeout=GRACE_S)
                    self.take_end()
        finally:
            self.abandon()

    def start(self) -> asyncio.Future[Any] | None:
        """Start the next stretch that does not end at once; None when the walk is over."""
        while not self._over():
            work = self.begin()
            if work is not None:
                (self.future,) = start_at_once((work,))
            if self.future is not None:
                return self.future
        return None

    def begin(self) -> Coroutine[Any, Any, None] | None:
        """Go to the next stretch of implementations of one kind: run it in a thread, or return what is to run in the loop."""
        one = self._admit()
        self.in_thread = one is not None and one.kind == "def"
        if one is None:
            return None
        if self.in_thread:
            self.future = self.calls.threads.submit(functools.partial(self._walk_in_thread, self.epoch, one))
            return None
        return self._walk_in_loop(self.epoch, one)

    def tell_end(self, whom: Callable[..., None] | None) -> None:
        """Call this when the stretch that runs ends; None: nobody waits any more."""
        if self.in_thread and self.future is not None:
            if self.on_end is not None:
                self.future.remove_done_callback(self.on_end)
            if whom is not None:
                self.future.add_done_callback(whom)
        self.on_end = whom

    def give_up_if_late(self) -> asyncio.Future[Any] | None:
        """Give up the call that is late; return the task to wait a moment for, which was told to end."""
        future = self.future
        if future is None or future.done():
            return None
        with self.lock:
            if self._over() or _now() < self.due:
                return None
            plugin = self.implementations[self.index].plugin
            self._late()
        self.given_up = True
        if self.in_thread:
            self.calls.threads.mark_stuck(future, plugin)
            return None
        future.cancel()
        return future

    def take_end(self) -> None:
        """Let go of a stretch that has ended or was given up, so that the walk can go on behind it."""
        future = self.future
        if future is None or not (self.given_up or future.done()):
            return
        self.future = None
        self.given_up = False
        if future.done() and not future.cancelled():
            future.result()

    def abandon(self) -> None:
        """Leave what still runs behind; called when the walk is over or the turn was cancelled."""
        future, self.future = self.future, None
        with self.lock:
            self.epoch += 1
            plugin = None if self._over() else self.implementations[self.index].plugin
        if future is None or future.done():
            return
        if not self.in_thread:
            future.cancel()
        elif plugin is not None:
            self.calls.threads.mark_stuck(future, plugin)

    def _over(self) -> bool:
        return self.finished or self.index >= len(self.implementations)

    def _late(self) -> None:
        """Record the call at `index` as timed out; the lock is held."""
        one = self.implementations[self.index]
        waited = self.due - self.started
        error = HookTimeoutError(
            f"plugin {one.plugin!r}, hook {self.spec.name}: no result within {waited:.3g} s",
            plugin=one.plugin,
            hook=self.spec.name,
            tenant=self.request.tenant,
        )
        self._failed(one, "timeout", error, counts=_now() - self.started >= self.calls.deadline_s(one))
        self.epoch += 1

    def _admit(self) -> Implementation | None:
        """Go to the next implementation that may be called, and set its clock; None when the walk is over."""
        while not self._over():
            one = self.implementations[self.index]
            self.started = _now()
            reason = self._refusal(one)
            if reason is None:
                self.due = self.started + min(self.calls.deadline_s(one), self._remaining_s())
                return one
            self.trace.add(self.spec.name, one.plugin, self.started, "skipped", reason)
            self.error = HookUnavailableError(
                f"plugin {one.plugin!r}, hook {self.spec.name}: not called: {reason}",
                plugin=one.plugin,
                hook=self.spec.name,
                tenant=self.request.tenant,
            )
            self._advance()
        return None

    def _refusal(self, one: Implementation) -> str | None:
        if not self.calls.breaker.allows(one.plugin, self.request.tenant):
            return "its circuit breaker is open after repeated failures"
        if one.kind == "def" and self.calls.threads.exhausted(one.plugin):
            return "its threads are all stuck in earlier calls"
        if self._remaining_s() <= 0.0:
            return "the time for this request is used up"
        return None

    def _remaining_s(self) -> float:
        return self.request.deadline - time.monotonic()

    def _advance(self) -> None:
        self.index += 1
        if self.error is not None and self.spec.failure in ("retried", "closed"):
            self.finished = True

    async def _walk_in_loop(self, epoch: int, one: Implementation | None) -> None:
        try:
            while one is not None and one.kind != "def":
                try:
                    if one.kind == "stream":
                        result = one.function(**self._keywords(one))
                    else:
                        result = await one.function(**self._keywords(one))
                except (KeyboardInterrupt, GeneratorExit):
                    raise
                except BaseException as error:
                    if isinstance(error, asyncio.CancelledError) and epoch != self.epoch:
                        raise
                    one = self._raised(one, epoch, error)
                else:
                    one = self._returned(one, epoch, result)
        finally:
            if self.on_end is not None and epoch == self.epoch:
                self.on_end()

    def _walk_in_thread(self, epoch: int, one: Implementation | None) -> None:
        while one is not None and one.kind == "def" and epoch == self.epoch:
            try:
                result = one.function(**self._keywords(one))
            except BaseException as error:
                one = self._raised(one, epoch, error)
            else:
                one = self._returned(one, epoch, result)

    def _keywords(self, one: Implementation) -> dict[str, Any]:
        arguments = self.arguments
        return {
            name: self.request.context(one.plugin) if name == "context" else arguments[name] for name in one.arguments
        }

    def _returned(self, one: Implementation, epoch: int, result: Any) -> Implementation | None:
        """Take a result; return the next to call. A result that comes too late is dropped."""
        problem: str | None = None
        try:
            result = _checked(self.spec, result)
        except Exception as error:  # what a plugin returns may be an object that fails when it is looked at
            problem = _words(error) if isinstance(error, PayloadError) else f"{type(error).__name__}: {_words(error)}"
        with self.lock:
            if epoch != self.epoch:
                return None
            if problem is not None:
                text = _capped(f"plugin {one.plugin!r}, hook {self.spec.name}: {problem}")
                failure = HookResultError(text, plugin=one.plugin, hook=self.spec.name, tenant=self.request.tenant)
                self._failed(one, "wrong_result", failure)
            else:
                self._succeeded(one, result)
            return self._admit()

    def _raised(self, one: Implementation, epoch: int, error: BaseException) -> Implementation | None:
        text = _capped(f"plugin {one.plugin!r}, hook {self.spec.name}: {type(error).__name__}: {_words(error)}")
        with self.lock:
            if epoch != self.epoch:
                return None
            failure = HookError(text, plugin=one.plugin, hook=self.spec.name, tenant=self.request.tenant)
            failure.__cause__ = error
            # What somebody asked wrongly is not the plugin's fault; the kinds under InvalidInputError are about what the plugin made.
            self._failed(one, "error", failure, counts=type(error) is not InvalidInputError)
            return self._admit()

    def _failed(self, one: Implementation, outcome: Outcome, error: HookError, *, counts: bool = True) -> None:
        """Record a failure; `counts` says whether it is the plugin's own fault and not that of a turn that ran out of time."""
        self.error = error
        if counts:
            self.calls.breaker.failed(one.plugin, self.request.tenant, self.spec.name)
        self.calls.failures[one.plugin, self.spec.name, outcome] += 1
        self.trace.add(self.spec.name, one.plugin, self.started, outcome, str(error))
        extra = {"tenant": self.request.tenant, "plugin": one.plugin, "hook": self.spec.name}
        # The error's own text may repeat what a person typed: it goes to the trace, which is redacted, and not to the log.
        kind = type(error.__cause__ or error).__name__
        _logger.warning("plugin %r, hook %s: %s (%s)", one.plugin, self.spec.name, outcome, kind, extra=extra)
        self._advance()

    def _succeeded(self, one: Implementation, result: Any) -> None:
        self.calls.breaker.succeeded(one.plugin, self.request.tenant, self.spec.name)
        empty = result is None or (self.key is None and isinstance(result, tuple) and not result)
        outcome: Outcome = "nothing" if empty else "result"
        self.trace.add(self.spec.name, one.plugin, self.started, outcome, _summary(result))
        if result is not None:
            if self.key is not None:
                self.arguments[self.key] = result
            else:
                self.found = (one.plugin, result)
                self.finished = True
        self._advance()


def _checked(spec: HookSpec, result: Any) -> Any:
    """Return a result that fits its specification, field by field.

    Raises:
        PayloadError: it does not; the text says what came and what was expected.
    """
    if result is None:
        if spec.failure == "closed":
            raise PayloadError("returned None: return the text, changed or not")
        return None
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise PayloadError("returned an awaitable: declare the implementation `async def`")
    if spec.gives is None:
        return _checked_reply(result) if spec.name == "compose_reply" else result
    if not spec.many:
        return check(spec.gives, result)
    if not isinstance(result, (list, tuple)):
        name = spec.gives.__name__
        raise PayloadError(f"returned {type(result).__name__}, expected a list or tuple of {name}")
    return tuple([check(spec.gives, value) for value in result])


def _checked_reply(result: Any) -> Any:
    from rejoinder.payloads import Reply

    return result if hasattr(result, "__aiter__") else check(Reply, result)


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception of a plugin may fail to say what it is
        return "(its message cannot be shown)"


def _capped(text: str) -> str:
    return text if len(text) <= _MAX_DETAIL_CHARS else text[: _MAX_DETAIL_CHARS - 3] + "..."


def _summary(result: Any) -> str:
    return f"{len(result)} values" if isinstance(result, tuple) and result else ""
