"""The embedded graph server: one for all processes, private to the machine and the user, gone when nobody needs it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from neo4j import Driver, GraphDatabase
from neo4j.exceptions import ClientError, Neo4jError
from rejoinder.errors import GraphError, GraphUnavailableError
from rejoinder.graph.servers import embedded
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.graph.servers.endpoint import Endpoint
from rejoinder.graph.servers.locks import is_held

TIMEOUT_S = 60.0
QUERY_TIMEOUT_S = 3.0
DATABASE = "things"

USER = """
import sys
from pathlib import Path
from rejoinder.graph.servers.embedded import EmbeddedServer
endpoint = EmbeddedServer.attach(Path(sys.argv[1]), memory_mb=128, idle_s=1.0)
print(endpoint.pid, endpoint.bolt_url, flush=True)
sys.stdin.read()
"""

CLASHING = """
import socket
import sys
from pathlib import Path
from rejoinder.graph.servers import arcadedb_process
with Path(sys.argv[1], "starts").open("a") as file:
    file.write("x")
    start = file.tell()
if start <= 2:  # Bolt's port is taken at the first start, that of HTTP at the second
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    free = arcadedb_process._free_ports
    ports = [taken.getsockname()[1], *free(1)]
    arcadedb_process._free_ports = lambda count: ports if start == 1 else ports[::-1]
arcadedb_process.main()
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("graph") / "server"
    made = EmbeddedServer.attach(folder, memory_mb=256, query_timeout_s=QUERY_TIMEOUT_S)
    server_command(made, f"create database {DATABASE}")
    yield made
    made.close()
    EmbeddedServer.stop(folder)


@pytest.fixture
def driver(endpoint: Endpoint) -> Iterator[Driver]:
    with GraphDatabase.driver(endpoint.bolt_url, auth=(endpoint.user, endpoint.password)) as opened:
        yield opened


@pytest.fixture
def reader(endpoint: Endpoint) -> Iterator[Driver]:
    with GraphDatabase.driver(endpoint.bolt_url, auth=(endpoint.reader_user, endpoint.reader_password)) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server is stopped at the end."""
    yield tmp_path / "server"
    EmbeddedServer.stop(tmp_path / "server")


def ask(endpoint: Endpoint, method: str, path: str, body: Any = None, *, login: str | None = None) -> tuple[int, str]:
    connection = HTTPConnection(endpoint.http_url.removeprefix("http://"), timeout=TIMEOUT_S)
    token = b64encode((login or f"{endpoint.user}:{endpoint.password}").encode()).decode()
    connection.request(method, path, json.dumps(body), {"Authorization": f"Basic {token}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def server_command(endpoint: Endpoint, command: str) -> None:
    status, text = ask(endpoint, "POST", "/api/v1/server", {"command": command})
    assert status == 200, text


def run(driver: Driver, cypher: str, **parameters: Any) -> list[dict[str, Any]]:
    return [record.data() for record in driver.execute_query(cypher, parameters, database_=DATABASE).records]


def eventually(condition: Any, *, within_s: float = TIMEOUT_S) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def user_of(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def end(user: subprocess.Popen[str]) -> None:
    user.kill()
    user.wait(TIMEOUT_S)
    for stream in (user.stdin, user.stdout):
        if stream is not None:
            stream.close()


def test_a_server_answers_over_bolt_and_http(endpoint: Endpoint, driver: Driver) -> None:
    assert run(driver, "RETURN 1 AS one") == [{"one": 1}]
    assert ask(endpoint, "GET", "/api/v1/ready")[0] == 204
    assert endpoint.version


def test_files_with_passwords_are_the_owners_only(endpoint: Endpoint) -> None:
    folder = endpoint.hold.path.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("endpoint.json", "credentials.json", "server.log"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert endpoint.password not in (folder / "server.log").read_text()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_nothing_listens_but_bolt_and_http_on_this_machine(endpoint: Endpoint) -> None:
    inodes = set()
    for one in Path(f"/proc/{endpoint.pid}/fd").iterdir():
        try:
            target = str(one.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{endpoint.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.append(fields[1])
    ports = sorted(int(one.split(":")[1], 16) for one in listening)
    assert ports == sorted(int(url.rsplit(":", 1)[1]) for url in (endpoint.bolt_url, endpoint.http_url))
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert {one.split(":")[0] for one in listening} <= loopback


def test_wrong_passwords_are_refused_and_mcp_is_shut(endpoint: Endpoint) -> None:
    assert ask(endpoint, "POST", "/api/v1/server", {"command": "list databases"}, login="root:root")[0] in (401, 403)
    status, text = ask(endpoint, "POST", "/api/v1/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert status == 503
    assert "disabled" in text


@pytest.mark.parametrize("where", ["file:///{path}", "{path}", "http://127.0.0.1:1/x.csv", "https://example.org/x.csv"])
def test_load_csv_reads_neither_files_nor_addresses(driver: Driver, reader: Driver, tmp_path: Path, where: str) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    url = where.format(path=tmp_path / "x.csv")
    for one in (driver, reader):
        with pytest.raises(Neo4jError):
            run(one, f"LOAD CSV FROM '{url}' AS line RETURN line")


def test_a_query_that_takes_too_long_is_ended(driver: Driver, reader: Driver) -> None:
    run(driver, "UNWIND range(1, 200) AS number CREATE (:Number {id: number})")
    for one in (driver, reader):
        begun = time.monotonic()
        with pytest.raises(ClientError, match="timeout"):
            run(
                one,
                "MATCH (a:Number), (b:Number), (c:Number), (d:Number) WHERE a.id + b.id + c.id + d.id < 0 RETURN count(*)",
            )
        assert time.monotonic() - begun < QUERY_TIMEOUT_S + TIMEOUT_S / 2


@pytest.mark.parametrize(
    "cypher",
    [
        "CREATE (:Kept {id: 2})",
        "CREATE (:Unknown {id: 2})",
        "MATCH (k:Kept) SET k.id = 3",
        "MATCH (k:Kept) REMOVE k.id",
        "MATCH (k:Kept) DETACH DELETE k",
        "MERGE (:Kept {id: 4})",
        "MATCH (k:Kept) CREATE (k)-[:same]->(k)",
        "CREATE INDEX FOR (k:Kept) ON (k.id)",
    ],
)
def test_the_reader_reads_and_changes_nothing(driver: Driver, reader: Driver, cypher: str) -> None:
    run(driver, "MERGE (:Kept {id: 1})")
    assert run(reader, "MATCH (k:Kept) RETURN k.id AS id") == [{"id": 1}]
    with pytest.raises(Neo4jError):
        run(reader, cypher)
    assert run(driver, "MATCH (k:Kept) OPTIONAL MATCH (k)-[r]->() RETURN k.id AS id, count(r) AS edges") == [
        {"id": 1, "edges": 0}
    ]


def test_the_reader_reads_databases_that_were_made_later(endpoint: Endpoint, reader: Driver) -> None:
    server_command(endpoint, "create database later")
    records = reader.execute_query("RETURN 1 AS one", database_="later").records
    assert [one["one"] for one in records] == [1]
    login = f"{endpoint.reader_user}:{endpoint.reader_password}"
    assert ask(endpoint, "POST", "/api/v1/server", {"command": "drop database later"}, login=login)[0] == 403


def test_one_process_joins_the_server_that_runs(endpoint: Endpoint) -> None:
    folder = endpoint.hold.path.parent
    joined: list[Endpoint] = []
    threads = [threading.Thread(target=lambda: joined.append(EmbeddedServer.attach(folder))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert joined == [endpoint] * 4
    status = EmbeddedServer.status(folder)
    assert status.state == "running"
    assert status.address is not None
    assert status.address.pid == endpoint.pid
    for one in joined:
        one.close()


@pytest.mark.slow
def test_processes_that_come_at_once_share_a_server_that_outlives_each_of_them_and_ends_after_the_last(
    folder: Path,
) -> None:
    users = [user_of(folder) for _ in range(4)]
    try:
        told = {one.stdout.readline() for one in users if one.stdout is not None}
        assert len(told) == 1
        pid = int(told.pop().split()[0])
        for one in users[:3]:
            end(one)
        time.sleep(2.5)  # longer than the server waits for users
        status = EmbeddedServer.status(folder)
        assert status.state == "running"
        assert status.address is not None
        assert status.address.pid == pid
        end(users[3])  # kill -9
        assert eventually(lambda: not is_held(folder / "server.lock"))
        assert EmbeddedServer.status(folder).state == "stopped"
        assert not (folder / "endpoint.json").exists()
    finally:
        for one in users:
            end(one)


@pytest.mark.slow
def test_a_server_that_was_stopped_or_killed_is_started_again_with_its_data(folder: Path) -> None:
    first = EmbeddedServer.attach(folder, memory_mb=128)
    server_command(first, f"create database {DATABASE}")
    with GraphDatabase.driver(first.bolt_url, auth=(first.user, first.password)) as driver:
        run(driver, "CREATE (:Kept {id: 1})")
    assert EmbeddedServer.stop(folder)
    assert not EmbeddedServer.stop(folder)

    second = EmbeddedServer.attach(folder, memory_mb=128)
    assert second.pid != first.pid
    assert (second.password, second.reader_password) == (first.password, first.reader_password)
    with GraphDatabase.driver(second.bolt_url, auth=(second.user, second.password)) as driver:
        run(driver, "CREATE (:Kept {id: 2})")
    os.kill(second.pid, signal.SIGKILL)
    assert eventually(lambda: EmbeddedServer.status(folder).state == "stopped")
    assert (folder / "endpoint.json").exists()  # stale

    third = EmbeddedServer.attach(folder, memory_mb=128)
    with GraphDatabase.driver(third.bolt_url, auth=(third.reader_user, third.reader_password)) as driver:
        assert run(driver, "MATCH (k:Kept) RETURN k.id AS id ORDER BY id") == [{"id": 1}, {"id": 2}]


@pytest.mark.slow
def test_stale_and_damaged_files_do_not_hinder_a_start(folder: Path) -> None:
    folder.mkdir()
    (folder / "server.lock").write_text(str(os.getpid()))  # of a process that is alive and no server
    (folder / "endpoint.json").write_text('{"bolt_url": "bolt://127')
    (folder / "credentials.json").write_text("{")
    assert EmbeddedServer.status(folder).state == "stopped"
    endpoint = EmbeddedServer.attach(folder, memory_mb=128)
    (folder / "credentials.json").write_text("{")  # lost with the users still there: both are made anew
    EmbeddedServer.stop(folder)
    again = EmbeddedServer.attach(folder, memory_mb=128)
    assert again.password != endpoint.password
    for login in ((again.user, again.password), (again.reader_user, again.reader_password)):
        with GraphDatabase.driver(again.bolt_url, auth=login) as driver:
            driver.verify_authentication()


def test_a_server_that_dies_at_its_start_shows_what_it_said_last(folder: Path) -> None:
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "log.properties").mkdir()  # where it must write
    with pytest.raises(GraphUnavailableError, match=r"(?s)ended at its start.*IsADirectoryError") as error:
        EmbeddedServer.attach(folder)
    assert "log.properties" in str(error.value)


@pytest.mark.slow
def test_ports_that_are_taken_meanwhile_are_left_to_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = embedded._command
    monkeypatch.setattr(embedded, "_command", lambda *given: [sys.executable, "-c", CLASHING, *real(*given)[4:]])
    endpoint = EmbeddedServer.attach(folder, memory_mb=128)
    assert (folder / "starts").read_text() == "xxx"
    with GraphDatabase.driver(endpoint.bolt_url, auth=(endpoint.user, endpoint.password)) as driver:
        driver.verify_authentication()


def test_a_start_that_takes_too_long_is_given_up(folder: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(GraphUnavailableError, match="not ready in time"):
        EmbeddedServer.attach(folder, memory_mb=128, idle_s=0.0, start_timeout_s=0.2)
    assert time.monotonic() - begun < 10


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GraphError, match=r"file.* cannot be used for the graph server"):
        EmbeddedServer.attach(tmp_path / "file")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_is_read_only_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(GraphError, match="cannot be used for the graph server"):
        EmbeddedServer.attach(tmp_path)


def test_a_full_disk_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(GraphError, match=r"the disk is full \(1\.0 MB left\)"):
        EmbeddedServer.attach(folder)


@pytest.mark.parametrize(("memory_mb", "query_timeout_s"), [(64, 30.0), (512, 0.0), (512, -1.0)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, memory_mb: int, query_timeout_s: float) -> None:
    with pytest.raises(GraphError, match="at least 128 MB"):
        EmbeddedServer.attach(tmp_path / "server", memory_mb=memory_mb, query_timeout_s=query_timeout_s)
    assert not (tmp_path / "server").exists()


def test_without_the_wheel_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(GraphError, match=r"pip install 'rejoinder\[graph\]'"):
        EmbeddedServer.attach(tmp_path / "server")


def test_a_folder_without_a_server_is_stopped_and_stays_empty(tmp_path: Path) -> None:
    assert EmbeddedServer.status(tmp_path).state == "stopped"
    assert not EmbeddedServer.stop(tmp_path / "server")
    assert list(tmp_path.iterdir()) == []
