"""Workers and servers that are killed again and again: real ones, forked from a process that has imported what takes them seconds."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

_IMPORTED = (
    "asyncpg",
    "celery.bin.celery",
    "celery.worker.strategy",
    "kombu.transport.redis",
    "onnxruntime",
    "peft",
    "rejoinder.application",
    "rejoinder.learning.folder_transport",
    "rejoinder.models.training.loop",
    "rejoinder.serving.server",
    "scipy.stats",
    "transformers",
    "uvicorn",
)


def start_worker(folder: Path) -> ForkServerProcess:
    """Start a worker of the deployment in a folder, as `rejoinder worker` does; what it says is in `worker.log` there."""
    return _start("worker", folder, "worker.log")


def start_server(folder: Path, port: int) -> ForkServerProcess:
    """Start `rejoinder serve` for the deployment in a folder; what it says is in `server.log` there."""
    return _start("serve", folder, "server.log", "--port", str(port))


def kill(process: ForkServerProcess) -> None:
    """Kill -9, and wait until it is gone."""
    process.kill()
    process.join()
    process.close()


def _start(command: str, folder: Path, log: str, *arguments: str) -> ForkServerProcess:
    forks: ForkServerContext = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(list(_IMPORTED))
    process = forks.Process(target=_be, args=(command, str(folder), log, arguments), daemon=True)
    process.start()
    return process


def _be(command: str, folder: str, log: str, arguments: tuple[str, ...]) -> None:
    """Become the process."""
    os.setsid()
    with (Path(folder) / log).open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith("REJOINDER_")]:
        del os.environ[name]
    os.environ |= {
        "REJOINDER_DATA_DIR": f"{folder}/data",
        "REJOINDER_WORKERS__LOCAL": "false",
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
    }
    threading.Thread(target=_end_with_the_test, daemon=True).start()
    if command == "worker":
        from rejoinder.learning.queue import QUEUES, worker_arguments
        from rejoinder_workers.app import app

        app.worker_main(worker_arguments(QUEUES, log_level="INFO", name=f"worker-{os.getpid()}"))
        return
    from rejoinder.cli import main

    sys.argv = ["rejoinder", command, *arguments]
    main()


def _end_with_the_test() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
