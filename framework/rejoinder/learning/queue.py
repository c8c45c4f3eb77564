"""The queue between the server and the workers: the one place that knows the broker. It carries ids only; what is to be done stands
in the store, so that an id which the broker loses is put back by a worker's sweep."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rejoinder.errors import SettingsError
from rejoinder.settings import DeploymentSettings

if TYPE_CHECKING:
    from celery import Celery

__all__ = [
    "ADAPT",
    "CPU",
    "GPU",
    "QUEUES",
    "SCHEDULES",
    "TICK",
    "can_queue",
    "make_queue",
    "send_run",
    "worker_arguments",
]

ADAPT = "rejoinder.adapt"
"""Name of the task that carries out an adaptation run; its arguments are the tenant and the run's id."""

TICK = "rejoinder.tick"
"""Name of the task that keeps the schedules that are due."""

CPU = "cpu"
GPU = "gpu"
QUEUES = (CPU, GPU)
"""Queues of runs."""

SCHEDULES = "schedules"
"""The queue of ticks, to which all workers listen."""

_logger = logging.getLogger("rejoinder.learning")


def make_queue(settings: DeploymentSettings, *, tasks: Sequence[str] = ()) -> Celery:
    """Return a Celery application on the deployment's broker.

    Tasks are acknowledged when they are done, so that a lost worker's task is delivered again; each is idempotent.

    Args:
        tasks: modules with tasks, for a worker; who only sends needs none.
    Raises:
        SettingsError: Celery, or what it needs for this broker, is not installed; the text says how to install it.
    """
    try:
        from celery import Celery
    except ImportError as error:
        raise SettingsError("workers need Celery, which is not installed: pip install 'rejoinder[workers]'") from error
    if settings.broker_url.startswith(("redis:", "rediss:")) and importlib.util.find_spec("redis") is None:
        raise SettingsError("workers.broker_url: Redis needs the package redis: pip install 'celery[redis]'")
    app = Celery("rejoinder", include=list(tasks), set_as_current=bool(tasks))
    app.conf.update(
        broker_url=settings.broker_url,
        task_default_queue=CPU,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
    )
    if settings.broker_url.startswith("filesystem:"):
        from rejoinder.learning.folder_transport import URL

        app.conf.broker_url = URL
        folder = settings.data_dir / "broker"
        for name in ("messages", "control"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        app.conf.broker_transport_options = {
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
        }
        app.conf.worker_enable_remote_control = False  # in a folder, the mail of workers that are gone would pile up
    return app


def worker_arguments(queues: Sequence[str], *, log_level: str, name: str, concurrency: int = 1) -> list[str]:
    """Return the arguments of Celery's command line that make a worker.

    Threads share one encoder, where processes would load one each; and no process is forked from one that may have initialised CUDA.

    Args:
        queues: whose runs it takes; ticks it takes besides.
        name: unique on its machine.
        concurrency: runs at the same time, >= 1.
    """
    pool = ["--pool", "solo"] if concurrency == 1 else ["--pool", "threads", "--concurrency", str(concurrency)]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    named = ["-Q", ",".join((*queues, SCHEDULES)), "-n", f"{name}@%h"]
    return ["worker", *pool, *quiet, *named, "--loglevel", log_level]


def can_queue() -> bool:
    """Return whether there can be workers here: Celery is installed."""
    return importlib.util.find_spec("celery") is not None


def send_run(settings: DeploymentSettings, tenant: str, run_id: str, *, queue: str = CPU) -> bool:
    """Tell the workers of an adaptation run in the store; False when the broker cannot be reached (a sweep tells them later).

    Raises:
        SettingsError: Celery, or what it needs for this broker, is not installed.
    """
    with make_queue(settings) as app:
        from kombu.exceptions import KombuError

        try:
            # Not Celery's pool: it keeps connections to a broker that was started anew meanwhile.
            with app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0)
                app.send_task(ADAPT, args=(tenant, run_id), queue=queue, retry=False, connection=connection)
        except (KombuError, OSError) as error:
            _logger.warning("the broker did not take the id of run %s: %s", run_id, error)
            return False
    return True
