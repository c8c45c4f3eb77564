"""A real Redis server for tests, on a free port of 127.0.0.1, that keeps nothing over a restart: the worst of brokers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.common import free_port, need_program, new_folder, wait_for_port

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
    with new_folder("redis") as folder:
        server = RedisServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A running server; skipped, or failed where services are required, when Redis is not installed."""
    need_program("redis-server")
    with running_redis() as server:
        yield server
