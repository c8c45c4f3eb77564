"""A real PostgreSQL server for tests: a new cluster in a temporary folder, on a free port of 127.0.0.1.

`postgres_url` is a session-scoped fixture; import it in a conftest.py. Where the programs are missing, tests that use it are
skipped with one reason, or fail when REJOINDER_REQUIRE_SERVICES=1.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.services.common import do_without, free_port, new_folder

START_TIMEOUT_S = 30.0


class PostgresMissingError(Exception):
    """PostgreSQL's programs are not on this machine."""


def postgres_programs() -> Path:
    """Return the folder of initdb and postgres, which Debian keeps off the PATH.

    Raises:
        PostgresMissingError: they are nowhere; the text says how to install them.
    """
    folders = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    config = shutil.which("pg_config")
    if config:
        folders.append(
            Path(subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
        )
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissingError("PostgreSQL is not installed; on Debian: apt-get install postgresql")


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server and give the URL of its database "postgres"; stop it at the end.

    Raises:
        PostgresMissingError: the programs are missing.
        TimeoutError: it did not come up in 30 s; the text holds its log.
    """
    programs = postgres_programs()
    with new_folder("postgres") as folder:
        user = _account(folder)
        initdb = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust"]
        initdb += ["-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **user)
        port = free_port()
        with (folder / "log").open("wb") as log:
            command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
            command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)
        try:
            _wait_until_ready(process, folder / "log")
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # "fast": ends sessions, then stops
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a running server's database "postgres"."""
    try:
        programs = postgres_programs()
    except PostgresMissingError as error:
        do_without(str(error))
    assert programs
    with running_postgres() as url:
        yield url


def _account(folder: Path) -> dict[str, Any]:
    """Return how to run the programs: as the user postgres when we are root, for they refuse root."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(folder, "postgres", "postgres")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while b"ready to accept connections" not in log.read_bytes():
        if time.monotonic() > deadline or process.poll() is not None:
            raise TimeoutError(f"PostgreSQL did not come up:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)
