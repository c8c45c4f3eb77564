"""The worker beside the server: where no broker is named, learning works without anything else being started."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from rejoinder.learning.queue import can_queue

if TYPE_CHECKING:
    from rejoinder.settings import LoadedSettings

__all__ = ["local_worker"]

_PATIENCE_S = 10.0
_LOOK_S = 5.0

_logger = logging.getLogger("rejoinder.serving")


@asynccontextmanager
async def local_worker(loaded: LoadedSettings) -> AsyncIterator[None]:
    """Keep a worker process running meanwhile, where the settings want one and Celery is installed.

    It ends when its standard input ends, which it does with this process, however that ends.
    """
    workers = loaded.settings.workers
    if not workers.local or workers.broker_url is not None or not can_queue():
        yield
        return
    keeper = _Keeper(loaded)
    watch = asyncio.create_task(keeper.keep(), name="rejoinder-local-worker")
    try:
        yield
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await asyncio.to_thread(keeper.stop)


class _Keeper:
    def __init__(self, loaded: LoadedSettings) -> None:
        file = loaded.file
        self._environment = {**os.environ, **({} if file is None else {"REJOINDER_CONFIG": str(file)})}
        self._process: subprocess.Popen[bytes] | None = None

    async def keep(self) -> None:
        """Start the worker, and again when it ends by itself."""
        while True:
            if self._process is not None and self._process.poll() is not None:
                _logger.warning("the local worker ended with %s; it is started again", self._process.returncode)
                self._process = None
            if self._process is None:
                self._start()
            await asyncio.sleep(_LOOK_S)

    def stop(self) -> None:
        """Let the worker end: what it was doing goes on from its checkpoint later."""
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> None:
        self._process = subprocess.Popen(  # our own words
            [sys.executable, "-m", "rejoinder_workers.local"],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # Celery's banner
            start_new_session=True,  # Ctrl+C is the server's
        )
