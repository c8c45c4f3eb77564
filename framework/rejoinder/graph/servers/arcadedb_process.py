"""The program of the embedded graph server: `python -m rejoinder.graph.servers.arcadedb_process FOLDER`.

It goes to the background at once, holds the folder's server lock while it lives, writes its endpoint when it answers, and ends when nobody
has used it for a while, or on SIGTERM. What it prints goes to the log that it was started with.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shlex
import signal
import socket
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rejoinder.graph.servers.endpoint import Credentials, ServerAddress, read_credentials, write_privately
from rejoinder.graph.servers.folder import HOST, ServerFolder, answers
from rejoinder.graph.servers.locks import FileHold

ALREADY_RUNS: Final = 3
"""Exit status when another server has the folder."""
PORT_TAKEN: Final = "Unable to listen"
"""What ArcadeDB says of a port that another program took after it was found free."""

_WHEEL: Final = "arcadedb-embedded"
_BOLT: Final = "Bolt:com.arcadedb.bolt.BoltProtocolPlugin"
_WATCH_EVERY_S: Final = 0.5
_MOST_LOG_BYTES: Final = 10_000_000
_EVENT_LOGS: Final = 3
"""ArcadeDB's notes of its last starts that are kept."""
_READERS: Final = "rejoinder_readers"
_LOGGING: Final = """\
handlers = java.util.logging.ConsoleHandler
.level = WARNING
com.arcadedb.level = INFO
java.util.logging.ConsoleHandler.level = INFO
java.util.logging.ConsoleHandler.formatter = com.arcadedb.log.LogFormatter
"""


def main() -> None:
    """Start the server in the background; the exit status tells whether this folder was free for it."""
    parser = argparse.ArgumentParser(description="The embedded graph server.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memory-mb", type=int, required=True)
    parser.add_argument("--query-timeout-s", type=float, required=True)
    parser.add_argument("--idle-s", type=float, required=True)
    arguments = parser.parse_args()
    folder = ServerFolder(arguments.folder)
    lock = FileHold.exclusive(folder.server_lock, patience_s=1.0)
    if lock is None:
        sys.exit(ALREADY_RUNS)
    lock.write("")
    folder.endpoint.unlink(missing_ok=True)
    if os.fork():
        os._exit(0)  # the lock goes on with the child
    try:
        lock.write(str(os.getpid()))
        _serve(folder, arguments.memory_mb, arguments.query_timeout_s, arguments.idle_s)
        status = 0
    except BaseException as error:
        print(f"the graph server ends: {type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        status = 1
    folder.endpoint.unlink(missing_ok=True)
    os._exit(status)  # threads of a JVM that failed would keep the process alive


def _serve(folder: ServerFolder, memory_mb: int, query_timeout_s: float, idle_s: float) -> None:
    asked_to_stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.set())
    credentials = _credentials(folder)
    _write_configuration(folder)
    os.environ["ARCADEDB_JVM_ARGS"] = shlex.join(jvm_arguments(folder, memory_mb, query_timeout_s))
    os.environ["ARCADEDB_JVM_ERROR_FILE"] = str(folder.path / "hs_err.log")
    server, bolt_url, http_url = _started(folder, credentials)
    try:
        if not answers(http_url, timeout_s=10.0):
            raise RuntimeError(f"{http_url} does not answer")
        _add_reader(http_url, credentials)
        address = ServerAddress(
            password=credentials.password,
            reader_password=credentials.reader_password,
            user=credentials.user,
            reader_user=credentials.reader_user,
            bolt_url=bolt_url,
            http_url=http_url,
            pid=os.getpid(),
            version=version(_WHEEL),
        )
        write_privately(folder.endpoint, address)
        _wait(folder, asked_to_stop, idle_s)
    finally:
        folder.endpoint.unlink(missing_ok=True)
        server.stop()


def jvm_arguments(folder: ServerFolder, memory_mb: int, query_timeout_s: float) -> list[str]:
    """Return all settings of the engine, which it takes from its process only: what `create_server` is given it ignores."""
    settings = {
        "txWalFlush": "1",
        "command.timeout": str(round(query_timeout_s * 1000)),
        "opencypher.loadCsv.allowFileUrls": "false",
        "opencypher.loadCsv.allowRemoteUrls": "false",
        "queryMaxHeapRAM": str(memory_mb // 4),  # for all running queries; one that needs more is refused
        "server.security.importAllowedLocalPaths": str(folder.path / "import"),
        "polyglotEngineEnabled": "false",
        "server.saltIterations": "1000",  # passwords are 256 random bits: there is nothing to guess
        "server.httpWorkerThreads": "16",
        "serverMetrics": "false",
    }
    return [
        f"-Xmx{memory_mb}m",
        "-Xrs",  # SIGTERM is Python's, which stops the server
        "-XX:-CreateCoredumpOnCrash",
        "-XX:+ExitOnOutOfMemoryError",  # it is started again; one that lost a thread would hang
        "-XX:+UseSerialGC",
        f"-Djava.util.logging.config.file={folder.logging}",
        *(f"-Darcadedb.{name}={value}" for name, value in settings.items()),
    ]


def _credentials(folder: ServerFolder) -> Credentials:
    """The passwords, which stay with the data; where they were lost, the server makes its users anew."""
    kept = read_credentials(folder.credentials)
    if kept is not None:
        return kept
    folder.users.unlink(missing_ok=True)
    made = Credentials.random()
    write_privately(folder.credentials, made)
    return made


def _write_configuration(folder: ServerFolder) -> None:
    folder.configuration.mkdir(exist_ok=True)
    folder.logging.write_text(_LOGGING, encoding="utf-8")
    for old in sorted(folder.path.glob("log/server-event-log-*"))[:-_EVENT_LOGS]:
        old.unlink(missing_ok=True)


def _started(folder: ServerFolder, credentials: Credentials) -> tuple[Any, str, str]:
    """A server that has started, with its Bolt and HTTP addresses."""
    from arcadedb_embedded import create_server

    bolt_port, http_port = _free_ports(2)
    server = create_server(
        root_path=str(folder.path),
        root_password=credentials.password,
        config={
            "mode": "development",  # "production" hides error texts from the client
            "host": HOST,
            "http_port": http_port,
            "server_plugins": _BOLT,
            "bolt_host": HOST,
            "bolt_port": bolt_port,
        },
    )
    server.start()
    return server, f"bolt://{HOST}:{bolt_port}", f"http://{HOST}:{http_port}"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _add_reader(http_url: str, credentials: Credentials) -> None:
    """Let the reading user read in every database, present and future, and do nothing else."""
    group = {
        "database": "*",
        "name": _READERS,
        "resultSetLimit": -1,
        "readTimeout": -1,
        "access": [],
        "types": {"*": {"access": ["readRecord"]}},
    }
    _ask(http_url, credentials, "POST", "/api/v1/server/groups", group)
    name = credentials.reader_user
    users = _ask(http_url, credentials, "GET", "/api/v1/server/users", None)["result"]
    if all(one["name"] != name for one in users):
        reader = {"name": name, "password": credentials.reader_password, "databases": {"*": [_READERS]}}
        _ask(http_url, credentials, "POST", "/api/v1/server/users", reader)


def _ask(http_url: str, credentials: Credentials, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
    connection = http.client.HTTPConnection(http_url.removeprefix("http://"), timeout=30.0)
    token = b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
    try:
        connection.request(
            method,
            path,
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {text}")
    return json.loads(text) if text else None


def _wait(folder: ServerFolder, asked_to_stop: threading.Event, idle_s: float) -> None:
    """Wait until somebody asks to stop, or until nobody has held the lock of users for `idle_s`, which then stays taken."""
    used_at = time.monotonic()
    while not asked_to_stop.wait(_WATCH_EVERY_S):
        if os.fstat(sys.stdout.fileno()).st_size > _MOST_LOG_BYTES:
            with suppress(OSError):
                os.ftruncate(sys.stdout.fileno(), 0)
        alone = FileHold.exclusive(folder.users_lock)
        if alone is None:
            used_at = time.monotonic()
        elif time.monotonic() - used_at < idle_s:
            alone.release()
        else:
            print("nobody uses the graph server any more", flush=True)  # noqa: T201
            folder.endpoint.unlink(missing_ok=True)
            alone.release()  # who comes now sees a server that stops, and starts another after it
            return


if __name__ == "__main__":
    main()
