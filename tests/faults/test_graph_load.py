"""kill -9 of a process that loads a graph, again and again: the load that is let through completes it, and nothing is there twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.loading import load
from rejoinder.graph.names import normalised
from rejoinder.graph.schema import GraphSchema
from rejoinder.settings import DeploymentSettings

pytestmark = pytest.mark.slow

TRIPLES = 12_000
ENTITIES = 3_000
RELATIONS = 4
KILLED_AT = (0.2, 0.5, 0.8)
TIMEOUT_S = 300.0
SEED = 11

LOADER = """
import sys
from pathlib import Path
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.loading import load
from rejoinder.graph.schema import GraphSchema
from rejoinder.settings import DeploymentSettings

space = Graphs.from_settings(DeploymentSettings(data_dir=Path(sys.argv[1]))).space("kept")
load(
    space, GraphSchema(open=True), Path(sys.argv[2]), source="file", batch=200,
    progress=lambda rows, share: print(share, flush=True),
)
"""


def test_a_load_that_is_killed_is_completed_by_the_next(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    triples: set[tuple[str, str, str]] = set()
    while len(triples) < TRIPLES:
        subject, object_ = (f"Thing no. {chance.randrange(ENTITIES)}" for _ in range(2))
        triples.add((subject, f"relation{chance.randrange(RELATIONS)}", object_))
    file = tmp_path / "triples.txt"
    file.write_text("\n".join("|".join(triple) for triple in sorted(triples, key=lambda _: chance.random())))
    graphs = Graphs.from_settings(DeploymentSettings(data_dir=tmp_path / "data"))
    try:
        space = graphs.space("kept")
        there = 0
        for share in KILLED_AT:
            _load_and_kill(tmp_path / "data", file, share)
            rows = space.read(f"MATCH (:{space.entity})-[r]->() RETURN count(r)")
            assert there <= rows[0][0] < TRIPLES
            there = rows[0][0]
        assert there
        report = load(space, GraphSchema(open=True), file, source="file")
        assert (report.rows, report.bad) == (TRIPLES, 0)
        assert report.written.relations.unchanged >= there

        found = space.read(
            f"MATCH (a:{space.entity})-[r]->(b:{space.entity}) RETURN a.name, type(r), b.name, r.sources"
        )
        assert Counter((row[0], row[1], row[2]) for row in found) == Counter(triples)
        assert all(row[3] == ["file"] for row in found)
        names = {one for triple in triples for one in (triple[0], triple[2])}
        entities = space.read(f"MATCH (a:{space.entity}) RETURN a.id, a.name")
        assert Counter(row[0] for row in entities) == Counter(f"thing:{name}" for name in names)
        forms = space.read(f"MATCH (n:{space.name}) RETURN n.entity, n.text")
        assert Counter(map(tuple, forms)) == Counter((f"thing:{name}", normalised(name)) for name in names)
        assert not load(space, GraphSchema(open=True), file, source="file").written.changed
    finally:
        graphs.drop("kept")
        graphs.close()


def _load_and_kill(data: Path, file: Path, share: float) -> None:
    command = [sys.executable, "-c", LOADER, str(data), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if float(line) >= share:
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait(TIMEOUT_S) == -signal.SIGKILL
