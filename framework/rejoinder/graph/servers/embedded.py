"""The embedded graph server of a folder: one for all processes of the machine, started by the first and gone soon after the last."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout

from rejoinder.errors import GraphError, GraphUnavailableError
from rejoinder.graph.servers.arcadedb_process import ALREADY_RUNS, PORT_TAKEN
from rejoinder.graph.servers.endpoint import Endpoint, ServerAddress, read_address
from rejoinder.graph.servers.folder import ServerFolder, answers
from rejoinder.graph.servers.locks import FileHold, is_held

__all__ = ["EmbeddedServer", "ServerStatus"]

_PROGRAM: Final = "rejoinder.graph.servers.arcadedb_process"
_WHEEL: Final = "arcadedb_embedded"
_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 30.0
_LAUNCHES: Final = 3
"""Starts that are tried when a port is taken by another program at each."""
_POLL_S: Final = 0.02
_ANSWER_TIMEOUT_S: Final = 2.0
_SILENT_S: Final = 20.0
"""A server that has not answered for so long hangs: it is killed. What it acknowledged is on the disk."""
_LEAST_FREE_BYTES: Final = 20_000_000
_TAIL_LINES: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """How an embedded server is.

    Attributes:
        state: "stopped"; "starting", which is also what one shows that stops; "running"; or "silent": it runs and does not answer.
        address: where it listens, when it is running or silent.
        memory_mb: what its process takes of the machine's memory, where the system tells.
    """

    state: Literal["stopped", "starting", "running", "silent"]
    address: ServerAddress | None = None
    memory_mb: float | None = None


class EmbeddedServer:
    """ArcadeDB as a local Bolt server, one for each folder. All methods block, and work from any thread and process."""

    @staticmethod
    def attach(
        folder: Path,
        *,
        memory_mb: int = 512,
        query_timeout_s: float = 30.0,
        idle_s: float = 10.0,
        start_timeout_s: float = _START_TIMEOUT_S,
    ) -> Endpoint:
        """Join the server of a folder, and start it first where none runs (about 2 s); keep what is returned while you use it.

        The server outlives the process that started it, and stops when nobody has held an endpoint for `idle_s`. After it died, attach
        again: addresses change, passwords and data stay. The numbers count only for a server that this call starts.

        Args:
            folder: all that belongs to the server; made when missing.
            memory_mb: most Java heap in MiB, at least 128; the process takes some 100 MB more.
            query_timeout_s: longest time that a query may take, in seconds, > 0.
            idle_s: seconds without users after which the server stops.
            start_timeout_s: most seconds to wait for it.
        Raises:
            GraphUnavailableError: it did not start, or not in time; the message has the last lines of its log.
            GraphError: the wheel is missing, the folder cannot be written, or a number is out of range.
        """
        if memory_mb < 128 or query_timeout_s <= 0:
            raise GraphError(
                f"the graph server needs at least 128 MB and a positive time limit, found {memory_mb} MB and {query_timeout_s} s"
            )
        if importlib.util.find_spec(_WHEEL) is None:
            raise GraphError(
                "the embedded graph server is not installed: pip install 'rejoinder[graph]', or set [graph] url to a Neo4j server"
            )
        place = ServerFolder(folder.absolute())
        deadline = time.monotonic() + start_timeout_s
        try:
            place.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(place.attach_lock, timeout=start_timeout_s):
                return _attached(place, _command(place, memory_mb, query_timeout_s, idle_s), deadline)
        except Timeout as error:
            raise GraphUnavailableError(
                f"{place.path}: other processes have been starting the graph server for {start_timeout_s:.0f} s; see {place.log}"
            ) from error
        except OSError as error:
            raise GraphError(f"{place.path} cannot be used for the graph server: {error.strerror or error}") from error

    @staticmethod
    def stop(folder: Path, *, timeout_s: float = _STOP_TIMEOUT_S) -> bool:
        """Stop the server of a folder, whoever uses it; return whether one ran.

        It is asked first, and killed after `timeout_s`. What it acknowledged is kept in either case.

        Raises:
            GraphError: it belongs to another user of the machine.
        """
        place = ServerFolder(folder.absolute())
        if not is_held(place.server_lock):
            return False
        lock = FileLock(place.attach_lock, timeout=timeout_s)
        with suppress(Timeout):  # nobody shall start another meanwhile; a start that hangs is no reason to wait longer
            lock.acquire()
        try:
            _signal(place, signal.SIGTERM)
            if not _ended(place, timeout_s):
                _signal(place, signal.SIGKILL)
                if not _ended(place, timeout_s):
                    raise GraphUnavailableError(f"{place.path}: the graph server does not end; see {place.log}")
        finally:
            lock.release()
        return True

    @staticmethod
    def status(folder: Path) -> ServerStatus:
        """Return how the server of a folder is; starts nothing."""
        place = ServerFolder(folder.absolute())
        if not is_held(place.server_lock):
            return ServerStatus(state="stopped")
        address = read_address(place.endpoint)
        if address is None:
            return ServerStatus(state="starting")
        state: Literal["running", "silent"] = (
            "running" if answers(address.http_url, timeout_s=_ANSWER_TIMEOUT_S) else "silent"
        )
        return ServerStatus(state=state, address=address, memory_mb=_memory_mb(address.pid))


def _command(place: ServerFolder, memory_mb: int, query_timeout_s: float, idle_s: float) -> list[str]:
    return [
        sys.executable,
        "-P",  # nothing in the folder is taken for a module
        "-m",
        _PROGRAM,
        str(place.path),
        f"--memory-mb={memory_mb}",
        f"--query-timeout-s={query_timeout_s}",
        f"--idle-s={idle_s}",
    ]


def _attached(place: ServerFolder, command: list[str], deadline: float) -> Endpoint:
    launches = 0
    answered_at = time.monotonic()
    hold: FileHold | None = None
    while time.monotonic() < deadline:
        hold = hold or FileHold.shared(place.users_lock)
        if not is_held(place.server_lock):
            if launches and (launches == _LAUNCHES or PORT_TAKEN not in _tail(place.log)):
                raise GraphUnavailableError(f"{place.path}: the graph server ended at its start: {_tail(place.log)}")
            launches += _launch(place, command)
            answered_at = time.monotonic()
        elif (address := read_address(place.endpoint)) is not None:
            if hold is not None and answers(address.http_url, timeout_s=_ANSWER_TIMEOUT_S):
                return Endpoint.of(address, hold)
            if time.monotonic() - answered_at > _SILENT_S:
                _signal(place, signal.SIGKILL)
                _ended(place, _STOP_TIMEOUT_S)
        time.sleep(_POLL_S)
    raise GraphUnavailableError(f"{place.path}: the graph server is not ready in time: {_tail(place.log)}")


def _launch(place: ServerFolder, command: list[str]) -> bool:
    """Start a server in the background; return whether the folder was free for it."""
    free = shutil.disk_usage(place.path).free
    if free < _LEAST_FREE_BYTES:
        raise GraphError(f"{place.path}: the disk is full ({free / 1e6:.1f} MB left): free some for the graph server")
    if place.log.exists():
        place.log.replace(place.log.with_name(f"{place.log.name}.1"))
    with os.fdopen(os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab") as log:
        status = subprocess.run(  # noqa: S603
            command,
            cwd=place.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=False,
        ).returncode
    if status not in (0, ALREADY_RUNS):
        raise GraphUnavailableError(f"{place.path}: the graph server does not start: {_tail(place.log)}")
    return status == 0


def _signal(place: ServerFolder, number: signal.Signals) -> None:
    """Send a signal to the process that holds the server's lock."""
    try:
        pid = int(place.server_lock.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return  # it has only just begun
    if is_held(place.server_lock):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise GraphError(f"{place.path}: the graph server (process {pid}) belongs to another user") from error


def _ended(place: ServerFolder, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while is_held(place.server_lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _tail(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        if lines:
            return "\n".join(["the last lines of its log are", *lines])
    return f"it left no log ({log})"


def _memory_mb(pid: int) -> float | None:
    """Resident memory of a process in MB, on Linux."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return None
