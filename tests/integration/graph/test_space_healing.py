"""The server goes away and comes back: calls fail at once meanwhile, and work again by themselves."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rejoinder.errors import GraphError, GraphUnavailableError
from rejoinder.graph.addresses import Address
from rejoinder.graph.connection import Connection
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.graph.space import Space
from rejoinder.settings import DeploymentSettings, GraphSettings, SecretUrl

pytestmark = pytest.mark.slow

AT_ONCE_S = 1.0
HEALED_S = 90.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Graphs]:
    """Graphs on an embedded server of this test's own."""
    graphs = Graphs.from_settings(DeploymentSettings(data_dir=tmp_path))
    yield graphs
    graphs.close()
    EmbeddedServer.stop(tmp_path / "graph")


def _until_healed(space: Space) -> list[str]:
    """Ask until there is an answer; every refusal has to come at once."""
    deadline = time.monotonic() + HEALED_S
    while True:
        start = time.monotonic()
        try:
            return [row["id"] for row in space.read(f"MATCH (e:{space.entity}) RETURN e.id AS id")]
        except GraphUnavailableError:
            assert time.monotonic() - start < AT_ONCE_S
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _kill(data_dir: Path) -> int:
    address = EmbeddedServer.status(data_dir / "graph").address
    assert address is not None
    os.kill(address.pid, signal.SIGKILL)
    return address.pid


def test_a_killed_server_is_started_again(own: Graphs, tmp_path: Path) -> None:
    space = own.space("acme")
    space.write(f"CREATE (e:{space.entity} {{id: 'a'}})")
    pid = _kill(tmp_path)
    start = time.monotonic()
    with pytest.raises(GraphUnavailableError):
        space.read(f"MATCH (e:{space.entity}) RETURN e")
    assert time.monotonic() - start < AT_ONCE_S
    assert _until_healed(space) == ["a"]
    again = EmbeddedServer.status(tmp_path / "graph").address
    assert again is not None
    assert again.pid != pid


def test_many_threads_meet_a_killed_server(own: Graphs, tmp_path: Path) -> None:
    space = own.space("acme")
    space.write(f"CREATE (e:{space.entity} {{id: 'a'}})")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(_until_healed, space) for _ in range(8)]
        _kill(tmp_path)
        asked += [pool.submit(_until_healed, space) for _ in range(8)]
        assert [done.result() for done in asked] == [["a"]] * 16


def test_two_users_of_one_server_find_the_same_again(own: Graphs, tmp_path: Path) -> None:
    other = Graphs.from_settings(DeploymentSettings(data_dir=tmp_path))
    try:
        space, same = own.space("acme"), other.space("acme")
        space.write(f"CREATE (e:{space.entity} {{id: 'a'}})")
        _kill(tmp_path)
        assert _until_healed(space) == _until_healed(same) == ["a"]
        assert own.address == other.address
    finally:
        other.close()


def test_a_server_that_hangs_keeps_no_thread_and_is_replaced(tmp_path: Path) -> None:
    graphs = Graphs.from_settings(DeploymentSettings(data_dir=tmp_path, graph=GraphSettings(query_timeout_s=1.0)))
    try:
        space = graphs.space("acme")
        space.write(f"CREATE (e:{space.entity} {{id: 'a'}})")
        address = EmbeddedServer.status(tmp_path / "graph").address
        assert address is not None
        os.kill(address.pid, signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(GraphUnavailableError):
            space.read(f"MATCH (e:{space.entity}) RETURN e")
        assert time.monotonic() - start < 20
        assert _until_healed(space) == ["a"]
    finally:
        graphs.close()
        EmbeddedServer.stop(tmp_path / "graph")


def test_a_server_that_is_not_there_is_said_at_once_and_found_later(own: Graphs) -> None:
    real = own.address
    found = [Address("bolt://127.0.0.1:1", "neo4j", "", http=real.http)]
    connection = Connection(lambda: found[-1])
    for _ in range(2):
        start = time.monotonic()
        with pytest.raises(GraphUnavailableError):
            connection.read("RETURN 1 AS one", {})
        assert time.monotonic() - start < AT_ONCE_S
    found.append(Address(real.url, real.user, real.password, http=real.http))
    deadline = time.monotonic() + HEALED_S
    while True:
        try:
            assert connection.address.url == real.url
            break
        except GraphUnavailableError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    connection.close()
    with pytest.raises(GraphError, match="was closed"):
        connection.read("RETURN 1 AS one", {})


def test_arcadedb_by_url_is_refused(own: Graphs) -> None:
    real = own.address
    url = real.url.replace("bolt://", f"bolt://{real.user}:{real.password}@")
    graphs = Graphs.from_settings(DeploymentSettings(graph=GraphSettings(url=SecretUrl(url))))
    with pytest.raises(GraphError, match="expected Neo4j 5 or newer") as error:
        graphs.space("acme")
    assert real.password not in str(error.value)
    graphs.close()


@pytest.mark.service
def test_a_wrong_password_is_said(neo4j_url: str, caplog: pytest.LogCaptureFixture) -> None:
    host = neo4j_url.rpartition("@")[2]
    graphs = Graphs.from_settings(
        DeploymentSettings(graph=GraphSettings(url=SecretUrl(f"bolt://neo4j:hidden-word@{host}")))
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(GraphError, match=r"check graph\.url") as error:
        graphs.space("acme")
    assert "hidden-word" not in str(error.value)
    graphs.close()
