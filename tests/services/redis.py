"""A real Redis server for tests, on a free port of 127.0.0.1, that keeps nothing over a restart: the worst of brokers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_TIMEOUT_S = 20.0


class RedisServer:
    """A server that can be killed and started again on its port.

    Attributes:
        url: of its first database.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises:
            TimeoutError: it did not.
        """
        command = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self._port, START_TIMEOUT_S)

    def kill(self) -> None:
        """End it at once, with all that it holds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Start a server; stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rejoinder-redis-"))
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A running server; skipped, or failed where services are required, when Redis is not installed."""
    need_program("redis-server")
    with running_redis() as server:
        yield server


def need_program(name: str, package: str | None = None) -> str:
    """Return where a program is; skip the test, or fail it where services are required, when it is not there."""
    found = shutil.which(name) or shutil.which(name, path="/usr/lib/rabbitmq/bin:/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = f"{name} is not installed; on Debian: apt-get install {package or name}"
        if os.environ.get("REJOINDER_REQUIRE_SERVICES") == "1":
            pytest.fail(f"REJOINDER_REQUIRE_SERVICES=1, but {reason}")
        pytest.skip(reason)
    return found


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
