"""What the servers of tests have in common: free ports, folders that go away, and what happens where a program is missing."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest


def do_without(reason: str) -> NoReturn:
    """Skip the test for this reason, or fail it where services are required."""
    if os.environ.get("REJOINDER_REQUIRE_SERVICES") == "1":
        pytest.fail(f"REJOINDER_REQUIRE_SERVICES=1, but {reason}")
    pytest.skip(reason)


def need_program(name: str, package: str | None = None) -> str:
    """Return a program's path; skip the test, or fail it where services are required, when it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/lib/rabbitmq/bin:/usr/sbin:/usr/local/sbin")
    return found or do_without(f"{name} is not installed; on Debian: apt-get install {package or name}")


@contextmanager
def new_folder(service: str) -> Iterator[Path]:
    """Give a folder that is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"rejoinder-{service}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, timeout_s: float, *, listening: bool = True) -> None:
    """Wait until somebody listens, or nobody does any more.

    Raises:
        TimeoutError: it stays as it is.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        with socket.socket() as client:
            if (client.connect_ex(("127.0.0.1", port)) == 0) == listening:
                return
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{'nobody' if listening else 'somebody'} listens on port {port} after {timeout_s:.0f} s"
            )
        time.sleep(0.05)
