"""A real RabbitMQ server for tests, on free ports of 127.0.0.1, in a new folder, with an epmd of its own, so that nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.services.common import free_port, need_program, new_folder, wait_for_port

START_TIMEOUT_S = 90.0
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Debian's program on the PATH changes to another user first; this one is what it starts."""


class RabbitServer:
    """A server that can be killed and started again on its port.

    Attributes:
        url: of its virtual host `/`, with the user guest.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._epmd_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"test{self._port}@localhost",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 1:1",
        }
        epmd = [need_program("epmd", "erlang-base"), "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        self._epmd = subprocess.Popen(epmd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises:
            TimeoutError: it did not; the text holds its output.
        """
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [PROGRAM], env=self._environment, stdout=output, stderr=output, start_new_session=True, cwd=self._folder
            )
        try:
            wait_for_port(self._port, START_TIMEOUT_S)
        except TimeoutError as error:
            raise TimeoutError((self._folder / "output").read_text(errors="replace")) from error

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            wait_for_port(self._port, START_TIMEOUT_S, listening=False)

    def close(self) -> None:
        """End it, and its epmd."""
        self.kill()
        self._epmd.kill()
        self._epmd.wait()


@contextmanager
def running_rabbitmq() -> Iterator[RabbitServer]:
    """Start a server; stop it at the end."""
    with new_folder("rabbitmq") as folder:
        server = RabbitServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.close()


@pytest.fixture
def rabbitmq_server() -> Iterator[RabbitServer]:
    """A running server; skipped, or failed where services are required, when RabbitMQ is not installed."""
    need_program("rabbitmq-server")
    with running_rabbitmq() as server:
        yield server
