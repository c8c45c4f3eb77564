"""One application for each worker process, opened at the first task and closed with the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from celery.signals import worker_process_shutdown, worker_shutdown
from rejoinder.application import Application
from rejoinder.settings import load_settings

_T = TypeVar("_T")


class Runtime:
    """An application in an event loop of its own thread, since Celery's tasks are plain functions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._application: Application | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._working: set[asyncio.Task[Any]] = set()
        self._given_up = False

    def run(self, work: Callable[[Application], Awaitable[_T]]) -> _T | None:
        """Do something with the application, and wait for it; None when it was given up."""
        with self._lock:
            if self._given_up:
                return None
            if self._thread is None:
                self._start()
        loop, application = self._loop, self._application
        if loop is None or application is None:
            raise RuntimeError("the worker's application is closed")

        async def done() -> _T:
            task = asyncio.current_task()
            if task is not None:
                self._working.add(task)
                task.add_done_callback(self._working.discard)
            return await work(application)

        future: Future[_T] = asyncio.run_coroutine_threadsafe(done(), loop)
        try:
            return future.result()
        except CancelledError:
            return None

    def give_up(self) -> None:
        """Cancel what is under way, and begin nothing more; what was cancelled puts its things in order first."""
        with self._lock:
            self._given_up = True
            loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._working])

    def close(self) -> None:
        """Close the application, if it was opened."""
        with self._lock:
            if self._loop is not None and self._stop is not None and self._thread is not None:
                self._loop.call_soon_threadsafe(self._stop.set)
                self._thread.join()
            self._thread = self._loop = self._application = self._stop = None

    def _start(self) -> None:
        opened = threading.Event()
        failure: list[BaseException] = []

        async def serve() -> None:
            self._stop = asyncio.Event()
            async with Application.open(load_settings()) as self._application:
                self._loop = asyncio.get_running_loop()
                opened.set()
                await self._stop.wait()

        def main() -> None:
            try:
                asyncio.run(serve())
            except BaseException as error:  # handed to the task that asked for the application
                failure.append(error)
            finally:
                opened.set()

        self._thread = threading.Thread(target=main, name="rejoinder-worker", daemon=True)
        self._thread.start()
        opened.wait()
        if failure:
            self._thread = None
            raise failure[0]


runtime = Runtime()


def _close(**_: object) -> None:
    runtime.close()


worker_shutdown.connect(_close)
worker_process_shutdown.connect(_close)
