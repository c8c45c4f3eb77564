"""Threads for `def` plugins: daemons, so that one that hangs never keeps the process from ending."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from queue import SimpleQueue

_Job = tuple[Callable[[], object], asyncio.AbstractEventLoop, "asyncio.Future[object]"]


class DaemonThreads:
    """A pool of daemon threads that grows on demand; a thread that hangs is counted against its plugin.

    `concurrent.futures.ThreadPoolExecutor` is not used because it joins its threads when the process ends.

    Args:
        limit: most threads, >= 1.
        stuck_limit: hanging threads that one plugin may hold before its calls are refused, >= 1.
    """

    def __init__(self, *, limit: int = 64, stuck_limit: int = 4) -> None:
        self._limit = limit
        self._stuck_limit = stuck_limit
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0  # threads minus jobs not yet done; below zero, jobs wait
        self._stuck: Counter[str] = Counter()

    def submit(self, work: Callable[[], object]) -> asyncio.Future[object]:
        """Run `work` in a thread; the future gets its result or exception in the running loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        with self._lock:
            self._idle -= 1
            if self._idle < 0 and self._threads < self._limit:
                self._threads += 1
                self._idle += 1
                threading.Thread(target=self._serve, name="rejoinder-plugin", daemon=True).start()
        self._jobs.put((work, loop, future))
        return future

    def mark_stuck(self, plugin: str) -> None:
        """Count a thread that did not come back in time against its plugin."""
        with self._lock:
            self._stuck[plugin] += 1

    def release_stuck(self, plugin: str) -> None:
        """Take a late thread off its plugin's account."""
        with self._lock:
            self._stuck[plugin] -= 1

    def exhausted(self, plugin: str) -> bool:
        """Return whether the plugin holds as many hanging threads as it may."""
        return bool(self._stuck) and self._stuck[plugin] >= self._stuck_limit

    def close(self) -> None:
        """Let idle threads end; hanging ones are daemons and end with the process."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _serve(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            work, loop, future = job
            try:
                result = work()
            except BaseException as error:
                _deliver(loop, future, None, error)
            else:
                _deliver(loop, future, result, None)
            with self._lock:
                self._idle += 1


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
