"""Celery beat in a thread of each worker: it sends ticks, and whoever takes one keeps the schedules that the store says are due.

Any number of workers may send ticks: see `rejoinder.learning.schedules`. A tick that nobody took in time is worth nothing, and expires.
"""

from __future__ import annotations

import threading
from typing import Any

from celery.beat import Scheduler, Service
from rejoinder.learning.queue import SCHEDULES, TICK
from rejoinder.settings import DeploymentSettings

_LONGEST_S = 30.0
_SHORTEST_S = 0.5
_LOOK_S = 1.0
_PATIENCE_S = 3.0


class Beat:
    """Sends a tick every so often, as long as it runs."""

    def __init__(self, app: Any, settings: DeploymentSettings) -> None:
        every_s = min(_LONGEST_S, max(_SHORTEST_S, settings.workers.lease_s / 4))
        app.conf.beat_schedule = {
            "tick": {"task": TICK, "schedule": every_s, "options": {"queue": SCHEDULES, "expires": every_s}}
        }
        app.conf.beat_enable_remote_control = False
        self._app = app
        self._service = Service(app, max_interval=_LOOK_S, scheduler_cls=_InMemory)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._run, name="rejoinder-beat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more; a send that waits for a broker that is away is left behind."""
        if self._thread is not None:
            self._service.stop(wait=False)
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        self._app.set_current()
        self._service.start()


class _InMemory(Scheduler):  # type: ignore[misc]  # Celery has no types
    """A scheduler without a file: when what was last done is in the store."""

    def setup_schedule(self) -> None:
        self.update_from_dict(self.app.conf.beat_schedule)
