"""The worker that `rejoinder serve` starts beside itself: `python -m rejoinder_workers.local`.

It ends when its standard input ends, which it does with the server, also when that is killed: then the run under way is given back,
and goes on from its checkpoint when there is a worker again.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import suppress

from rejoinder.learning.queue import QUEUES, SCHEDULES

_NICE = 10
_PATIENCE_S = 8.0

_logger = logging.getLogger("rejoinder.workers")


def main() -> None:
    """Work until the standard input ends."""
    with suppress(AttributeError, OSError):  # there are no such priorities on Windows
        os.nice(_NICE)
    from rejoinder_workers.app import app, settings

    threading.Thread(target=_watch, name="rejoinder-server-watch", daemon=True).start()
    queues = ",".join((*QUEUES, SCHEDULES))
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    name = f"local-{os.getpid()}@%h"
    words = ["worker", "--pool", "solo", *quiet, "-Q", queues, "-n", name, "--loglevel", settings.log_level]
    app.worker_main(words)


def _watch() -> None:
    from rejoinder_workers.runtime import runtime

    sys.stdin.buffer.read()
    _logger.info("the server has ended: so does its worker")
    late = threading.Timer(_PATIENCE_S, os._exit, args=(1,))
    late.daemon = True
    late.start()
    os.kill(os.getpid(), signal.SIGTERM)
    runtime.give_up()


if __name__ == "__main__":
    main()
