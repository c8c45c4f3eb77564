"""Tasks: each takes ids, and does what the store says."""

from __future__ import annotations

from functools import partial

from rejoinder.learning.adaptation import run_adaptation
from rejoinder.learning.queue import ADAPT
from rejoinder.store.ids import new_id

from rejoinder_workers.app import app
from rejoinder_workers.runtime import runtime


@app.task(name=ADAPT, bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
def adapt(self: object, tenant: str, run_id: str) -> None:
    """Carry out an adaptation run; a run that is over or another worker's is left alone."""
    worker = getattr(getattr(self, "request", None), "hostname", None) or "worker"
    owner = f"{worker}/{new_id('try')}"  # a worker that was lost may have had the same name
    runtime.run(partial(run_adaptation, tenant=tenant, run_id=run_id, owner=owner))
