"""Many threads and processes that write the same keys: nobody gets an error, nothing is there twice, nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.migrations import MIGRATIONS
from rejoinder.graph.space import Space

from tests.integration.graph.merging_process import merge_in_threads

if TYPE_CHECKING:
    from rejoinder.graph.connection import Run

pytestmark = pytest.mark.slow

THREADS = 8
KEYS = 100
_PROGRAM = Path(__file__).with_name("merging_process.py")


@pytest.fixture
def where(request: pytest.FixtureRequest, graph_space: Space) -> tuple[str, str]:
    """The server's URL, or "-", and the folder of the embedded one, for another process."""
    if graph_space.dialect.name == "neo4j":
        return str(request.getfixturevalue("neo4j_url")), "unused"
    return "-", str(request.getfixturevalue("arcadedb_folder"))


def _child(where: tuple[str, str], tenant: str, threads: int = THREADS, keys: int = KEYS) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(_PROGRAM), *where, tenant, str(threads), str(keys)], stderr=subprocess.PIPE, text=True
    )


def test_eight_threads_and_another_process_merge_the_same_keys(graph_space: Space, where: tuple[str, str]) -> None:
    child = _child(where, graph_space.tenant)
    merge_in_threads(graph_space, "parent", THREADS, KEYS)
    _, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors
    rows = graph_space.read(f"MATCH (e:{graph_space.entity}) RETURN e.id AS id, e.writes AS writes")
    assert {row["id"]: row["writes"] for row in rows} == {f"e{number}": 2 * THREADS for number in range(KEYS)}
    assert len(rows) == KEYS
    rows = graph_space.read(
        f"MATCH (a:{graph_space.entity})-[r:beside]->(b) RETURN a.id AS a, b.id AS b, count(r) AS n"
    )
    assert sorted((row["a"], row["b"], row["n"]) for row in rows) == sorted(
        (f"e{number}", f"e{(number + 1) % KEYS}", 1) for number in range(KEYS)
    )


def test_nobody_else_creates_relations_at_a_locked_node(graph_space: Space) -> None:
    space = graph_space
    space.write(f"CREATE (:{space.entity} {{id: 'a'}}), (:{space.entity} {{id: 'b'}})")
    ends = f"MATCH (a:{space.entity} {{id: 'a'}}) MATCH (b:{space.entity} {{id: 'b'}})"
    lock = space.dialect.lock_relations("a") or space.dialect.lock("a")

    def create(run: Run, between: Callable[[], None]) -> None:
        run(f"{ends} {lock}", {})
        absent = run(f"{ends} WHERE NOT (a)-[:beside]->(b) RETURN true", {})
        between()
        if absent:
            run(f"{ends} CREATE (a)-[:beside]->(b)", {})

    def create_too() -> None:
        space.transact(lambda run: create(run, lambda: None))

    with ThreadPoolExecutor(1) as pool:
        others: list[Future[None]] = []

        def have_another_try() -> None:
            if not others:
                others.append(pool.submit(create_too))
                wait(others, timeout=1)

        space.transact(lambda run: create(run, have_another_try))
        others[0].result(timeout=60)
    assert space.read(f"{ends} MATCH (a)-[r:beside]->(b) RETURN count(r) AS n")[0]["n"] == 1


def test_two_processes_migrate_at_once(graphs: Graphs, tenant: str, request: pytest.FixtureRequest) -> None:
    url = "-"
    folder = str(request.getfixturevalue("arcadedb_folder"))
    if graphs.space(f"{tenant}-probe").shared:
        url = str(request.getfixturevalue("neo4j_url"))
    children = [_child((url, folder), tenant, 1, 1) for _ in range(2)]
    try:
        ends = [(child.communicate(timeout=120)[1], child.returncode) for child in children]
        assert [status for _, status in ends] == [0, 0], "\n".join(errors for errors, _ in ends)
        space = graphs.space(tenant)
        rows = space.read(f"MATCH (m:{space.migration}) RETURN m.version AS version")
        assert sorted(int(row["version"]) for row in rows) == list(range(1, len(MIGRATIONS) + 1))
    finally:
        for child in children:
            child.kill()
            child.wait()
        graphs.drop(tenant)
        graphs.drop(f"{tenant}-probe")
