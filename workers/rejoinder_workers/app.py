"""The Celery application. The broker carries ids only; what is to be done stands in the store."""

from __future__ import annotations

from celery import Celery
from rejoinder.settings import DeploymentSettings, load_settings

QUEUE = "cpu"


def make_app(settings: DeploymentSettings) -> Celery:
    """Return a Celery application on the deployment's broker.

    Tasks are acknowledged when they are done, so that a lost worker's task is delivered again; each is idempotent.
    """
    app = Celery("rejoinder", include=["rejoinder_workers.tasks"])
    app.conf.update(
        broker_url=settings.broker_url,
        task_default_queue=QUEUE,
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
        folder = settings.data_dir / "broker"
        for name in ("messages", "control"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        app.conf.broker_transport_options = {
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
        }
    return app


app = make_app(load_settings().settings)
