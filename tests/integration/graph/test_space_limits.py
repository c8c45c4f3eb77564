"""Cypher that somebody else wrote: it writes nothing, ends in time, and gives no more rows than allowed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from neo4j import GraphDatabase
from neo4j.exceptions import Forbidden
from rejoinder.errors import GraphQueryError
from rejoinder.graph.dialects.arcadedb import ArcadeDialect
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.space import Space

pytestmark = pytest.mark.slow


def _endless(space: Space) -> str:
    return (
        f"MATCH (e:{space.entity}) UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b "
        "WITH e, a, b WHERE a * b = -1 RETURN count(*) AS n"
    )


@pytest.fixture
def filled(graph_space: Space) -> Space:
    """A space with three entities."""
    graph_space.write(f"UNWIND range(1, 3) AS n CREATE (e:{graph_space.entity} {{id: 'e' + n}})")
    return graph_space


def test_reading_works(filled: Space) -> None:
    rows = filled.read_only(
        f"MATCH (e:{filled.entity}) WHERE e.id > $id RETURN e.id AS id ORDER BY id",
        {"id": "e1"},
        timeout_s=20,
        max_rows=9,
    )
    assert [row["id"] for row in rows] == ["e2", "e3"]


@pytest.mark.parametrize(
    "clause",
    [
        "SET e.name = 'x' RETURN 1",
        "DETACH DELETE e",
        "REMOVE e.id RETURN 1",
        "CREATE (f:Strange) RETURN 1",
        "CREATE (e)-[:beside]->(e) RETURN 1",
    ],
)
def test_writing_is_refused(filled: Space, clause: str) -> None:
    with pytest.raises(GraphQueryError):
        filled.read_only(f"MATCH (e:{filled.entity}) {clause}", {}, timeout_s=20, max_rows=9)
    rows = filled.read(f"MATCH (e:{filled.entity}) OPTIONAL MATCH (e)--(other) RETURN e.id AS id, other")
    assert sorted((row["id"], row["other"]) for row in rows) == [("e1", None), ("e2", None), ("e3", None)]


def test_too_many_rows_are_an_error(filled: Space) -> None:
    with pytest.raises(GraphQueryError, match="more than 2 rows"):
        filled.read_only(f"MATCH (e:{filled.entity}) RETURN e.id", {}, timeout_s=20, max_rows=2)


def test_a_query_ends_when_its_time_is_up(filled: Space) -> None:
    start = time.monotonic()
    with pytest.raises(GraphQueryError, match="longer than allowed"):
        filled.read_only(_endless(filled), {}, timeout_s=1.0, max_rows=9)
    assert time.monotonic() - start < 10, "the machine is busy, but not that busy"


def test_only_the_late_query_is_ended(filled: Space) -> None:
    results: list[str] = []

    def run(timeout_s: float) -> None:
        with pytest.raises(GraphQueryError, match="longer than allowed"):
            filled.read_only(_endless(filled), {}, timeout_s=timeout_s, max_rows=9)
        results.append(f"{timeout_s}")

    threads = [threading.Thread(target=run, args=(timeout_s,)) for timeout_s in (4.0, 0.5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["0.5", "4.0"]


def test_the_embedded_server_goes_on_with_nothing_that_was_ended(arcadedb: Graphs, tenant: str) -> None:
    space = arcadedb.space(tenant)
    try:
        space.write(f"CREATE (e:{space.entity} {{id: 'a'}})")
        with ThreadPoolExecutor(3) as pool:
            for done in [
                pool.submit(space.read_only, _endless(space), {}, timeout_s=1.0, max_rows=9) for _ in range(3)
            ]:
                with pytest.raises(GraphQueryError, match="longer than allowed"):
                    done.result()
        address = arcadedb.address
        answer = httpx.post(
            f"{address.http}/api/v1/server",
            json={"command": "list queries"},
            auth=(address.user, address.password),
            timeout=60,
            trust_env=False,
        )
        assert answer.json()["result"] == []
    finally:
        arcadedb.drop(tenant)


def test_a_reader_of_one_tenant_cannot_open_anothers_database(arcadedb: Graphs, tenant: str) -> None:
    space, other = arcadedb.space(tenant), arcadedb.space(f"{tenant}-other")
    try:
        assert space.read_only("RETURN 1 AS one", {}, timeout_s=20, max_rows=1)[0]["one"] == 1
        dialect = space.dialect
        assert isinstance(dialect, ArcadeDialect)
        with (
            GraphDatabase.driver(arcadedb.address.url, auth=dialect.reader(space.key)) as driver,
            pytest.raises(Forbidden),
        ):
            driver.execute_query("MATCH (n) RETURN n", database_=dialect.database_of(other.key))
    finally:
        arcadedb.drop(tenant)
        arcadedb.drop(f"{tenant}-other")
