"""Threads for `def` plugins: daemons, so that one that hangs never keeps the process from ending."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import Counter
from collections.abc import Callable
from queue import SimpleQueue

_Job = tuple[Callable[[], object], contextvars.Context, asyncio.AbstractEventLoop, "asyncio.Future[object]"]


class DaemonThreads:
    """A pool of daemon threads that grows on demand; a thread that hangs is counted against its plugin and replaced.

    `concurrent.futures.ThreadPoolExecutor` is not used because it joins its threads when the process ends.

    Args:
        limit: most threads that do not hang, >= 1.
        stuck_limit: hanging threads that one plugin may hold before its calls are refused, >= 1.
    """

    def __init__(self, *, limit: int = 64, stuck_limit: int = 4) -> None:
        self._limit = limit
        self._stuck_limit = stuck_limit
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0  # threads minus jobs not yet done, hanging ones left out of both; below zero, jobs wait
        self._undone: set[asyncio.Future[object]] = set()
        self._stuck: dict[asyncio.Future[object], str] = {}
        self._stuck_of: Counter[str] = Counter()
        self._closed = False

    def submit(self, work: Callable[[], object]) -> asyncio.Future[object]:
        """Run `work` in a thread, with the caller's context variables; the future gets its end in the running loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        with self._lock:
            self._undone.add(future)
            self._idle -= 1
            self._grow()
        self._jobs.put((work, contextvars.copy_context(), loop, future))
        return future

    def mark_stuck(self, future: asyncio.Future[object], plugin: str) -> None:
        """Count a thread that did not come back in time against its plugin, until it does, and let another take its place."""
        with self._lock:
            if future in self._undone and future not in self._stuck:
                self._stuck[future] = plugin
                self._stuck_of[plugin] += 1
                self._threads -= 1
                self._grow()

    def exhausted(self, plugin: str) -> bool:
        """Return whether the plugin holds as many hanging threads as it may."""
        return bool(self._stuck) and self._stuck_of[plugin] >= self._stuck_limit

    def close(self) -> None:
        """Let idle threads end; hanging ones are daemons and end with the process."""
        with self._lock:
            self._closed = True
            threads = self._threads
        for _ in range(threads):
            self._jobs.put(None)

    def _grow(self) -> None:
        """Start the threads that waiting jobs need; the lock is held."""
        while self._idle < 0 and self._threads < self._limit:
            self._threads += 1
            self._idle += 1
            threading.Thread(target=self._serve, name="rejoinder-plugin", daemon=True).start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, context, loop, future = job
            result: object = None
            failure: BaseException | None = None
            try:
                result = context.run(work)
            except BaseException as error:
                failure = error
            surplus = self._done(future)
            _deliver(loop, future, result, failure)
            del job, work, context, loop, future, result, failure
            if surplus:
                return

    def _done(self, future: asyncio.Future[object]) -> bool:
        """Book a job as done; return whether its thread is no longer needed."""
        with self._lock:
            self._undone.discard(future)
            plugin = self._stuck.pop(future, None)
            self._idle += 1
            if plugin is not None:
                self._stuck_of[plugin] -= 1
                self._threads += 1
            if self._threads > self._limit or (self._closed and plugin is not None):
                self._threads -= 1
                self._idle -= 1
                return True
            return False


def _deliver(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[object],
    result: object,
    error: BaseException | None,
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    if not loop.is_closed():
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:
            if not loop.is_closed():
                raise
