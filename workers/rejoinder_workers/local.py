"""A worker that ends with whoever started it: `python -m rejoinder_workers.local`, for `rejoinder serve`; with Celery's arguments
behind it, for each GPU of `rejoinder worker --queue gpu`.

It ends when its standard input ends, which it does with the process that started it, also when that is killed: then the run under way
is given back, and goes on from its checkpoint when there is a worker again.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import suppress

from rejoinder.learning.queue import QUEUES, worker_arguments
from rejoinder.settings import load_settings

_NICE = 10
_PATIENCE_S = 8.0

_logger = logging.getLogger("rejoinder.workers")


def main() -> None:
    """Work until the standard input ends."""
    words = sys.argv[1:] or _beside_a_server()
    from rejoinder_workers.app import app

    threading.Thread(target=_watch, name="rejoinder-starter-watch", daemon=True).start()
    app.worker_main(words)


def _beside_a_server() -> list[str]:
    """Leave the server its share of the machine, before anything that computes is imported; return the worker's arguments."""
    with suppress(AttributeError, OSError):  # there are no such priorities on Windows
        os.nice(_NICE)
    settings = load_settings().settings
    threads = settings.workers.local_threads or max(1, (os.cpu_count() or 1) // 2)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # torch's and the linear algebra's
    return worker_arguments(QUEUES, log_level=settings.log_level, name=f"local-{os.getpid()}")


def _watch() -> None:
    from rejoinder_workers.runtime import runtime

    sys.stdin.buffer.read()
    _logger.info("the process that started this worker has ended: so does the worker")
    late = threading.Timer(_PATIENCE_S, os._exit, args=(1,))
    late.daemon = True
    late.start()
    os.kill(os.getpid(), signal.SIGTERM)
    runtime.give_up()


if __name__ == "__main__":
    main()
