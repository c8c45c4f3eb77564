"""Tasks: each takes ids, and does what the store says."""

from __future__ import annotations

from functools import partial

from rejoinder.learning.adaptation import run_adaptation

from rejoinder_workers.app import app
from rejoinder_workers.runtime import runtime


@app.task(name="rejoinder.adapt", bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
def adapt(self: object, tenant: str, run_id: str) -> None:
    """Carry out an adaptation run; a run that is over or another worker's is left alone."""
    owner = getattr(getattr(self, "request", None), "hostname", None) or "worker"
    runtime.run(partial(run_adaptation, tenant=tenant, run_id=run_id, owner=owner))
