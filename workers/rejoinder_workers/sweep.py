"""The sweep: ids that the broker lost, or whose worker was lost, go back into the queue."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from rejoinder.errors import RejoinderError
from rejoinder.learning.queue import send_run
from rejoinder.settings import DeploymentSettings
from rejoinder.store.database import Database
from rejoinder.store.runs import WaitingRun, waiting_runs

_LONGEST_PAUSE_S = 60.0
_SHORTEST_PAUSE_S = 0.5

_logger = logging.getLogger("rejoinder.workers")


class Sweep:
    """Looks again and again, in a thread of its own, for runs that nobody has.

    A run is put back when it was found waiting twice in a row (the first time its id may be on its way), and again only after
    a lease: that its id comes twice does no harm, but costs a look into the store.
    """

    def __init__(self, settings: DeploymentSettings) -> None:
        self._settings = settings
        self._pause_s = min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, settings.workers.lease_s / 4))
        self._seen: set[WaitingRun] = set()
        self._sent: dict[WaitingRun, float] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="rejoinder-sweep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def look(self) -> list[str]:
        """Look once; return the ids that were put back."""
        waiting = asyncio.run(self._waiting())
        again_from = time.monotonic() - self._settings.workers.lease_s
        self._sent = {run: at for run, at in self._sent.items() if run in waiting and at > again_from}
        due = [run for run in waiting if run in self._seen and run not in self._sent]
        self._seen = set(waiting)
        put_back = []
        for run in due:
            if send_run(self._settings, run.tenant_id, run.run_id, queue=run.queue):
                self._sent[run] = time.monotonic()
                put_back.append(run.run_id)
                _logger.info(
                    "run %s of tenant %s was waiting and is put back into the queue", run.run_id, run.tenant_id
                )
        return put_back

    async def _waiting(self) -> list[WaitingRun]:
        database = await Database.open(self._settings.store_url, synchronous=self._settings.store.synchronous)
        try:
            await database.migrate()
            return await waiting_runs(database)
        finally:
            await database.close()

    def _run(self) -> None:
        while not self._stop.wait(self._pause_s):
            try:
                self.look()
            except RejoinderError as error:
                _logger.warning("the sweep failed and is tried again in %.3g s: %s", self._pause_s, error)
