"""kill -9 of the embedded graph server and of who uses it: nothing acknowledged is lost, nothing is there by half, and all goes on."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from neo4j import Driver, GraphDatabase
from neo4j.exceptions import DriverError, Neo4jError, ServiceUnavailable, SessionExpired
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.graph.servers.endpoint import Endpoint
from rejoinder.graph.servers.locks import is_held

pytestmark = pytest.mark.slow

ROUNDS = 10
WRITERS = 3
CHAIN = 5
LEAST = 20
SEED = 7
TIMEOUT_S = 60.0
DATABASE = "kept"

WRITE = """
UNWIND $ids AS id CREATE (:Link {id: id, chain: $chain})
WITH count(*) AS made
UNWIND range(1, $length - 1) AS at
MATCH (a:Link {id: $ids[at - 1]}), (b:Link {id: $ids[at]}) CREATE (a)-[:next {chain: $chain}]->(b)
"""
LINKS = "MATCH (l:Link) RETURN l.chain AS chain, collect(l.id) AS ids"
EDGES = "MATCH (:Link)-[r:next]->(:Link) RETURN r.chain AS chain, count(r) AS edges"
BY_ID = "UNWIND $ids AS id MATCH (l:Link {id: id}) RETURN count(l) AS found"

USER = """
import sys
from pathlib import Path
from neo4j import GraphDatabase
from rejoinder.graph.servers.embedded import EmbeddedServer
endpoint = EmbeddedServer.attach(Path(sys.argv[1]), memory_mb=128, idle_s=1.0)
with GraphDatabase.driver(endpoint.bolt_url, auth=(endpoint.user, endpoint.password)) as driver:
    for number in range(10**6):
        driver.execute_query("CREATE (:Written {id: $id})", id=number, database_=sys.argv[2])
        print(number, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server is stopped at the end."""
    yield tmp_path / "server"
    EmbeddedServer.stop(tmp_path / "server")


def attach(folder: Path) -> Endpoint:
    return EmbeddedServer.attach(folder, memory_mb=128, idle_s=1.0)


def create_database(endpoint: Endpoint) -> None:
    connection = HTTPConnection(endpoint.http_url.removeprefix("http://"), timeout=TIMEOUT_S)
    token = b64encode(f"{endpoint.user}:{endpoint.password}".encode()).decode()
    body = json.dumps({"command": f"create database {DATABASE}"})
    connection.request("POST", "/api/v1/server", body, {"Authorization": f"Basic {token}"})
    assert connection.getresponse().status == 200
    connection.close()


def driver_of(endpoint: Endpoint) -> Driver:
    return GraphDatabase.driver(
        endpoint.bolt_url, auth=(endpoint.user, endpoint.password), max_transaction_retry_time=0.0
    )


def write_chains(endpoint: Endpoint, numbers: Iterator[int], acknowledged: list[int]) -> None:
    """Write chains of links, one transaction each, until the server is gone."""
    with driver_of(endpoint) as driver:
        while True:
            chain = next(numbers)
            ids = [f"{chain}-{at}" for at in range(CHAIN)]
            try:
                driver.execute_query(WRITE, chain=chain, ids=ids, length=CHAIN, database_=DATABASE)
            except (ServiceUnavailable, SessionExpired):
                return
            except (Neo4jError, DriverError):
                if not is_held(endpoint.hold.path.with_name("server.lock")):
                    return
            else:
                acknowledged.append(chain)


def check(driver: Driver, acknowledged: list[int]) -> int:
    """Compare what is there with what was acknowledged; return how many chains there are."""
    links = {one["chain"]: one["ids"] for one in driver.execute_query(LINKS, database_=DATABASE).records}
    edges = {one["chain"]: one["edges"] for one in driver.execute_query(EDGES, database_=DATABASE).records}
    assert set(acknowledged) <= links.keys()
    assert all(sorted(ids) == [f"{chain}-{at}" for at in range(CHAIN)] for chain, ids in links.items())
    assert edges == dict.fromkeys(links, CHAIN - 1)
    ids = [f"{chain}-{at}" for chain in acknowledged for at in range(CHAIN)]
    assert driver.execute_query(BY_ID, ids=ids, database_=DATABASE).records[0]["found"] == len(ids)
    return len(links)


def test_ten_times_killed_under_writes_loses_and_halves_nothing(folder: Path) -> None:
    chance = random.Random(SEED)
    numbers = itertools.count()
    acknowledged: list[int] = []
    for round_ in range(ROUNDS):
        endpoint = attach(folder)
        with driver_of(endpoint) as driver:
            if round_ == 0:
                create_database(endpoint)
                driver.execute_query(
                    "CREATE CONSTRAINT link IF NOT EXISTS FOR (l:Link) REQUIRE l.id IS UNIQUE", database_=DATABASE
                )
            check(driver, acknowledged)
        before = len(acknowledged)
        writers = [
            threading.Thread(target=write_chains, args=(endpoint, numbers, acknowledged)) for _ in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        deadline = time.monotonic() + TIMEOUT_S
        while len(acknowledged) < before + LEAST and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.5))
        os.kill(endpoint.pid, signal.SIGKILL)
        for writer in writers:
            writer.join(TIMEOUT_S)
            assert not writer.is_alive()
        assert len(acknowledged) >= before + LEAST
        endpoint.close()
    endpoint = attach(folder)
    with driver_of(endpoint) as driver:
        assert check(driver, acknowledged) >= len(acknowledged) >= ROUNDS * LEAST


def test_a_server_whose_user_is_killed_while_writing_ends_by_itself_and_keeps_what_it_acknowledged(
    folder: Path,
) -> None:
    endpoint = attach(folder)
    create_database(endpoint)
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(folder), DATABASE], stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        first = user.stdout.readline()
        endpoint.close()
        time.sleep(0.5)
        user.kill()
        told = [int(line) for line in (first + user.stdout.read()).split()]
    assert len(told) > 1
    deadline = time.monotonic() + TIMEOUT_S
    while is_held(folder / "server.lock"):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    again = attach(folder)
    with driver_of(again) as driver:
        found = driver.execute_query("MATCH (w:Written) RETURN w.id AS id", database_=DATABASE).records
    assert set(told) <= {one["id"] for one in found} <= set(range(len(told) + 1))


def test_a_server_that_hangs_is_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.graph.servers.embedded._SILENT_S", 1.0)
    endpoint = attach(folder)
    os.kill(endpoint.pid, signal.SIGSTOP)
    assert EmbeddedServer.status(folder).state == "silent"
    again = attach(folder)
    assert again.pid != endpoint.pid
    assert EmbeddedServer.status(folder).state == "running"


def test_a_server_that_hangs_can_be_stopped(folder: Path) -> None:
    endpoint = attach(folder)
    os.kill(endpoint.pid, signal.SIGSTOP)
    assert EmbeddedServer.stop(folder, timeout_s=1.0)
    assert EmbeddedServer.status(folder).state == "stopped"
