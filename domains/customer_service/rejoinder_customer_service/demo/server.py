"""A server of its own for the demo: a process, a folder and a port that are gone afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rejoinder.errors import RejoinderError

_START_S = 120
_STOP_S = 20

CONFIG = """\
data_dir = "data"

[server]
user_requests_per_minute = 0
max_body_bytes = 16777216

[learning]
feedback_per_minute = 0
feedback_per_hour = 0
feedback_per_day = 0
"""
"""The scripted customer stands for many: no limit for one person holds."""


class DemoError(RejoinderError):
    """The demo cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where the server answers, an operator's key for it, and the file with its log."""

    url: str
    operator_key: str
    log: Path


@contextmanager
def running_server(settings: Mapping[str, str] | None = None) -> Iterator[RunningServer]:
    """Start `rejoinder serve` in an empty folder, and stop it at the end.

    Args:
        settings: further settings, as environment variables.
    Raises:
        DemoError: it did not start; the text has its last lines.
    """
    with tempfile.TemporaryDirectory(prefix="rejoinder-demo-") as folder:
        config = Path(folder) / "rejoinder.toml"
        config.write_text(CONFIG, encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REJOINDER_")}
        alone = {
            "REJOINDER_CONFIG": str(config),
            "REJOINDER_WORKERS__LOCAL": "false",
        }  # what it learns, it learns at once
        environment = {**kept, **alone, **(settings or {})}
        key = _run(environment, "key", "create", "--operator", "--name", "demo", "--json")["key"]
        log_path = Path(folder) / "server.log"
        with log_path.open("wb") as log:
            command = [sys.executable, "-m", "rejoinder", "serve", "--port", "0", "--json"]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log)  # noqa: S603
            try:
                yield RunningServer(_url(process, log_path), key, log_path)
            finally:
                _stop(process)


def _run(environment: dict[str, str], *arguments: str) -> dict[str, str]:
    command = [sys.executable, "-m", "rejoinder", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise DemoError(f"`rejoinder {' '.join(arguments)}` failed: {done.stderr.strip()}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for the line in which the server says where it answers."""
    signal_before = signal.getsignal(signal.SIGALRM)

    def too_late(*_: object) -> None:
        process.kill()

    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(_START_S)
    try:
        line = process.stdout.readline() if process.stdout else b""
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal_before)
    if not line:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise DemoError(f"the server did not start within {_START_S} s:\n{tail}")
    url: str = json.loads(line)["url"]
    return url


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
