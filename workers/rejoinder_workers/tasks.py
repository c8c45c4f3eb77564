"""Tasks: each says that there may be work, and does what the store says. Doing one twice changes nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

from rejoinder.learning.adaptation import run_next
from rejoinder.learning.queue import ADAPT, CPU, TICK
from rejoinder.learning.schedules import keep_schedules
from rejoinder.store.ids import new_id

from rejoinder_workers.app import app
from rejoinder_workers.runtime import runtime


@app.task(name=ADAPT, bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
def adapt(self: Any, tenant: str, run_id: str) -> None:
    """Carry out the run that is next in the message's queue; mostly, but not always, the one that it names."""
    owner = f"{self.request.hostname or 'worker'}/{new_id('try')}"  # a worker that was lost may have had the same name
    queue = (self.request.delivery_info or {}).get("routing_key") or CPU
    runtime.run(partial(run_next, owner=owner, queues=(queue,)))


@app.task(name=TICK)  # type: ignore[untyped-decorator]
def tick() -> None:
    """Keep the schedules that are due."""
    runtime.run(keep_schedules)
