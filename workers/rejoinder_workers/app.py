"""The Celery application of a worker: `celery -A rejoinder_workers.app worker`, or `rejoinder worker`, which does the same.

Beside its tasks a worker runs, in threads, the sweep (`rejoinder_workers.sweep`) and Celery beat (`rejoinder_workers.schedule`).
"""

from __future__ import annotations

import logging

from celery.signals import worker_init, worker_ready, worker_shutdown
from rejoinder.learning.queue import make_queue
from rejoinder.settings import load_settings

from rejoinder_workers.schedule import Beat
from rejoinder_workers.sweep import Sweep

settings = load_settings().settings
app = make_queue(settings, tasks=["rejoinder_workers.tasks"])
sweep = Sweep(settings)
beat = Beat(app, settings)


@worker_init.connect  # type: ignore[untyped-decorator]  # Celery has no types
def _log(**_: object) -> None:
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("celery.beat").setLevel(logging.WARNING)  # it would tell of every tick
    logging.getLogger("alembic").setLevel(logging.WARNING)  # the sweep opens the store again and again


@worker_ready.connect  # type: ignore[untyped-decorator]
def _start(**_: object) -> None:
    sweep.start()
    beat.start()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _stop(**_: object) -> None:
    beat.stop()
    sweep.stop()
