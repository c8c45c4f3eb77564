"""A real server for tests: `rejoinder serve` in a process of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
PATIENT_HOOKS = """
[hooks]
breaker_failures = 1000

[hooks.deadline_s]
redact_text = 30.0
understand_intent = 30.0
decide_action = 30.0
retrieve_answers = 30.0
rank_answers = 30.0
compose_reply = 30.0
score_feedback = 30.0
make_examples = 30.0
"""
"""Settings for tests of what is said, or of faults: on a busy machine no hook is late."""

PROGRAM = (sys.executable, "-c", "from rejoinder.cli import main; main()")


class ServerError(Exception):
    """The server did not start; the text is what it printed."""


@dataclass
class Server:
    """A server that answers.

    Attributes:
        folder: where it was started, with its `rejoinder.toml`, if any, and its data.
        operator_key: good for the whole deployment.
    """

    url: str
    folder: Path
    operator_key: str
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run another `rejoinder` command over the same data."""
        return rejoinder(self.folder, *arguments, stdin=stdin)

    @property
    def log(self) -> str:
        """What the server printed so far."""
        return "".join(self.output)


def environment(folder: Path) -> Mapping[str, str]:
    """Return an environment without settings of ours, save where the data is, and that servers start no worker."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REJOINDER_")}
    ours = {"REJOINDER_DATA_DIR": str(folder / "data"), "REJOINDER_WORKERS__LOCAL": "false"}
    return {**kept, **ours, "COLUMNS": "200", "NO_COLOR": "1"}


def rejoinder(folder: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a `rejoinder` command in a folder; return what it printed."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(folder),
        input="" if stdin is None else stdin,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )


@contextmanager
def running_server(folder: Path, *arguments: str) -> Iterator[Server]:
    """Start a server in a folder, wait until it answers, and stop it at the end.

    Raises:
        ServerError: it ended, or did not answer in time.
    """
    made = rejoinder(folder, "key", "create", "--operator", "--json")
    if made.returncode:
        raise ServerError(made.stderr)
    operator_key = json.loads(made.stdout)["key"]
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--port", "0", "--json", *arguments],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server("", folder, operator_key, process)
    assert process.stderr is not None
    reader = threading.Thread(target=server.output.extend, args=(process.stderr,), daemon=True)
    reader.start()
    late = threading.Timer(START_TIMEOUT_S, process.kill)
    late.start()
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        late.cancel()
        if not told:
            process.wait(STOP_TIMEOUT_S)
            reader.join(STOP_TIMEOUT_S)
            raise ServerError(server.log)
        server.url = json.loads(told)["url"]
        yield server
    finally:
        late.cancel()
        stop(process)
        reader.join(STOP_TIMEOUT_S)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def stop(process: subprocess.Popen[str]) -> int:
    """Ask a server to end, and wait; return its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
    return process.returncode
