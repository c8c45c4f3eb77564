"""The knowledge graph beside the raw driver: look-ups, neighbourhoods, loading, search, linking, memory of the server.

    REJOINDER_DATA=<folder of data sets> python benchmarks/graph.py [--quick] [--only SECTION ...] [--neo4j | --url URL] [--json OUT]

The embedded server is started in a temporary folder and stopped at the end. `--neo4j` measures a Neo4j that the tests' script starts too,
`--url bolt://user:password@host:7687` one that runs; tenants named `benchmark-*` are made there and dropped.
Sections: `overhead` (a look-up, 1 hop and 2 hops by `Graph`, and the same Cypher with the same parameters by `session.execute_read` of the
driver as it comes, call by call in turn), `hops` (2-hop neighbourhoods, limit 50, on made-up nodes and relations; then around a hub),
`load` (metaqa's triples, and again), `search` (full text and linking on these, by names alone; vectors of chance), `memory`.
Without REJOINDER_DATA the triples are made up.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from neo4j import GraphDatabase, ManagedTransaction, NotificationMinimumSeverity, Record
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.servers.embedded import EmbeddedServer
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Relation
from rejoinder.settings import DeploymentSettings, GraphSettings, SecretUrl

OVERHEAD = 1.25
HOPS_P95_MS = 8.0
LOAD_S = 60.0

DIMENSIONS = 384
KINDS = ("movie", "person", "genre", "tag", "year")
NAMES = ("directed_by", "starred_actors", "has_genre", "has_tags")
RANGES = {
    "directed_by": "person",
    "written_by": "person",
    "starred_actors": "person",
    "release_year": "year",
    "in_language": "language",
    "has_genre": "genre",
    "has_tags": "tag",
    "has_imdb_rating": "rating",
    "has_imdb_votes": "votes",
}
FILMS = GraphSchema.parse(
    {
        "kinds": {"movie": {"title": "film"}, **{kind: {} for kind in sorted(set(RANGES.values()))}},
        "relations": {name: {"from": "movie", "to": kind} for name, kind in RANGES.items()},
    }
)
QUESTIONS = ("who directed {}?", "which films are like {}?", "I liked {} a lot", "when did {} come out?")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    nodes: int = 50_000
    relations: int = 200_000
    hub: int = 5000
    calls: int = 1000
    triples: int = 1_000_000
    vectors: int = 5000


QUICK = Size(nodes=300, relations=1200, hub=100, calls=20, triples=500, vectors=100)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        server, section, name: what was measured, and where.
        figures: by name; the unit is in the name.
        wanted: what `got` should be, such as "<= 1.25"; "" where nothing is asked.
    """

    server: str
    section: str
    name: str
    figures: dict[str, float]
    got: float | None = None
    wanted: str = ""

    @property
    def good(self) -> bool | None:
        """Whether it is as wanted; None where nothing is asked."""
        if self.got is None or not self.wanted:
            return None
        sign, _, limit = self.wanted.partition(" ")
        return self.got <= float(limit) if sign == "<=" else self.got >= float(limit)


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        memory_mb: what its process takes; None: not known.
    """

    name: str
    graphs: Graphs
    memory_mb: Callable[[], float | None]

    def graph(self, purpose: str, schema: GraphSchema, **encoder: Any) -> Graph:
        """Return an empty graph."""
        tenant = f"benchmark-{purpose}-{os.getpid()}"
        self.graphs.drop(tenant)
        return Graph(self.graphs.space(tenant), schema, **encoder)

    def close(self) -> None:
        """Drop what was made, and let go of the server."""
        for purpose in ("random", "films", "vectors"):
            self.graphs.drop(f"benchmark-{purpose}-{os.getpid()}")
        self.graphs.close()


@contextmanager
def embedded_server() -> Iterator[Server]:
    """Start the embedded server in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="rejoinder-graph-") as folder:
        settings = DeploymentSettings(data_dir=Path(folder))
        server = Server(
            "arcadedb",
            Graphs.from_settings(settings),
            lambda: EmbeddedServer.status(settings.graph_folder).memory_mb,
        )
        try:
            yield server
            server.close()
        finally:
            EmbeddedServer.stop(settings.graph_folder)


@contextmanager
def neo4j_server(url: str | None) -> Iterator[Server]:
    """Give the Neo4j of a URL, or start the one of the tests."""
    if url is None:
        sys.path.append(str(Path(__file__).parents[1]))
        from tests.services.neo4j import running_neo4j

        with running_neo4j() as found, neo4j_server(found) as server:
            yield server
        return
    server = Server(
        "neo4j", Graphs.from_settings(DeploymentSettings(graph=GraphSettings(url=SecretUrl(url)))), lambda: None
    )
    yield server
    server.close()


def timed(call: Callable[[], object]) -> float:
    """Return the milliseconds of a call."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3


def spread(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return median and 95th percentile."""
    return {"p50_ms": statistics.median(milliseconds), "p95_ms": float(np.percentile(milliseconds, 95))}


class Recorded:
    """Keeps what a space is asked while this is open."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._read = space.read
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> list[tuple[str, dict[str, Any]]]:
        """Begin."""

        def read(cypher: str, /, **parameters: Any) -> list[Record]:
            self.asked.append((cypher, parameters))
            return self._read(cypher, **parameters)

        self._space.read = read  # type: ignore[method-assign]
        return self.asked

    def __exit__(self, *error: object) -> None:
        """End."""
        del self._space.read


def random_graph(size: Size) -> tuple[list[Entity], list[Relation]]:
    """Return entities, and relations between any two of them."""
    rng = random.Random(0)
    entities = [
        Entity(id=f"node:{number}", kind=KINDS[number % len(KINDS)], name=f"Name {number}", properties={"rank": number})
        for number in range(size.nodes)
    ]
    pairs: dict[tuple[int, str, int], None] = {}
    while len(pairs) < size.relations:
        pairs[rng.randrange(size.nodes), rng.choice(NAMES), rng.randrange(size.nodes)] = None
    return entities, [Relation(subject=f"node:{a}", name=name, object=f"node:{b}") for a, name, b in pairs]


def measure_overhead(server: Server, graph: Graph, ids: Sequence[str]) -> Iterator[Row]:
    """Our call, and the raw driver with the same Cypher and parameters, in turn."""
    address = server.graphs.address
    database = address.database or graph.space.dialect.database_of(graph.space.key)
    ways: Mapping[str, Callable[[str], object]] = {
        "look-up": graph.entity,
        "1 hop, limit 50": lambda id_: graph.neighbourhood(id_, limit=50),
        "2 hops, limit 50": lambda id_: graph.neighbourhood(id_, hops=2, limit=50),
    }
    silent = NotificationMinimumSeverity.OFF  # notes on our Cypher would slow the raw driver down
    with GraphDatabase.driver(
        address.url, auth=(address.user, address.password), notifications_min_severity=silent
    ) as driver:

        def raw(asked: Sequence[tuple[str, dict[str, Any]]]) -> None:
            for cypher, parameters in asked:

                def work(transaction: ManagedTransaction, text: str = cypher, given: Any = parameters) -> list[Record]:
                    return list(transaction.run(text, given))

                with driver.session(database=database) as session:
                    session.execute_read(work)

        for name, ours in ways.items():
            ours_ms, raw_ms = [], []
            for number, id_ in enumerate(ids):
                with Recorded(graph.space) as asked:
                    ours(id_)
                raw(asked)  # once each before the clock: the first to ask finds caches cold
                for way in ("ours", "raw") if number % 2 else ("raw", "ours"):
                    if way == "ours":
                        ours_ms.append(timed(partial(ours, id_)))
                    else:
                        raw_ms.append(timed(partial(raw, asked)))
            figures = {"ours_p50_ms": statistics.median(ours_ms), "raw_p50_ms": statistics.median(raw_ms)}
            ratio = figures["ours_p50_ms"] / figures["raw_p50_ms"]
            yield Row(server.name, "overhead", name, figures, ratio, f"<= {OVERHEAD}")


def measure_random(server: Server, size: Size, only: Sequence[str]) -> Iterator[Row]:
    """Overhead and neighbourhoods on a made-up graph."""
    graph = server.graph("random", GraphSchema.parse({}))
    entities, relations = random_graph(size)
    graph.upsert(entities, relations, source="benchmark")
    rng = random.Random(1)
    ids = [f"node:{rng.randrange(size.nodes)}" for _ in range(size.calls)]
    for id_ in ids[: size.calls // 5]:
        graph.neighbourhood(id_, hops=2, limit=50)
    if "overhead" in only:
        yield from measure_overhead(server, graph, ids[: max(size.calls // 4, 1)])
    if "hops" not in only:
        return
    found = spread([timed(partial(graph.neighbourhood, id_, hops=2, limit=50)) for id_ in ids])
    name = f"2 hops, {size.nodes:,} nodes, {size.relations:,} relations"
    wanted = f"<= {HOPS_P95_MS}" if server.name == "arcadedb" else ""
    yield Row(server.name, "hops", name, found, found["p95_ms"], wanted)
    hub = Entity(id="node:hub", kind="tag", name="Hub")
    spokes = [Relation(subject=one.id, name="has_tags", object=hub.id) for one in entities[: size.hub]]
    graph.upsert([hub], spokes, source="benchmark")
    for hops in (1, 2):
        times = [
            timed(partial(graph.neighbourhood, hub.id, hops=hops, limit=50)) for _ in range(max(size.calls // 20, 5))
        ]
        yield Row(server.name, "hops", f"{hops} of a hub with {size.hub:,}", spread(times))


def triples_file(folder: Path, most: int) -> Path:
    """Write metaqa's triples to a file, or made-up ones."""
    path = folder / "films.txt"
    data = os.environ.get("REJOINDER_DATA")
    if data:
        with gzip.open(Path(data) / "metaqa" / "kb.txt.gz", "rt", encoding="utf-8") as source:
            path.write_text("".join(itertools.islice(source, most)), encoding="utf-8")
        return path
    rng = random.Random(0)
    lines = [
        f"Film {rng.randrange(20_000)}|{name}|{RANGES[name].title()} {rng.randrange(5000)}\n"
        for name in rng.choices(list(RANGES), k=min(most, 130_000))
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def measure_films(server: Server, size: Size, only: Sequence[str]) -> Iterator[Row]:
    """Loading, and searching what was loaded."""
    graph = server.graph("films", FILMS)
    with tempfile.TemporaryDirectory() as folder:
        path = triples_file(Path(folder), size.triples)
        for turn in ("first", "again"):
            started = time.perf_counter()
            report = graph.load(path, source="metaqa")
            seconds = time.perf_counter() - started
            if "load" not in only:
                break
            figures = {"seconds": seconds, "per_s": report.rows / seconds, "bad": float(report.bad)}
            changed = float(report.written.changed)
            got, wanted = (seconds, f"<= {LOAD_S:.0f}") if turn == "first" else (changed, "<= 0")
            name = f"{report.rows:,} triples" if turn == "first" else "again: what was changed"
            yield Row(server.name, "load", name, figures, got, wanted)
    if "search" not in only:
        return
    rows = graph.query("MATCH (m {kind: 'movie'}) RETURN m.name ORDER BY m.id", timeout_s=60, max_rows=100_000).rows
    names = [row[0] for row in random.Random(2).choices(rows, k=size.calls)]
    graph.search(names[0])
    graph.link(names[0])
    texts = spread([timed(partial(graph.search, name, limit=10)) for name in names])
    yield Row(server.name, "search", "full text, 10 best", texts)
    asked = [random.Random(number).choice(QUESTIONS).format(name) for number, name in enumerate(names)]
    links = spread([timed(partial(graph.link, text)) for text in asked])
    yield Row(server.name, "search", "linking a question", links)


def measure_vectors(server: Server, size: Size) -> Iterator[Row]:
    """Search by vectors of chance; encoding takes no time here."""

    def encode(texts: Sequence[str]) -> Any:
        seeds = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") for text in texts]
        return np.stack([np.random.default_rng(seed).standard_normal(DIMENSIONS, dtype=np.float32) for seed in seeds])

    graph = server.graph("vectors", GraphSchema.parse({}), encode=encode, encoder_hash="benchmark")
    graph.upsert(
        [Entity(id=str(one), kind="tag", name=f"Name {one}") for one in range(size.vectors)], source="benchmark"
    )
    started = time.perf_counter()
    graph.embed()
    seconds = time.perf_counter() - started
    vectors = encode([f"question {number}" for number in range(size.calls)])
    times = [timed(partial(graph.similar, vector, limit=10)) for vector in vectors]
    name = f"{size.vectors:,} vectors of {DIMENSIONS}, 10 best"
    yield Row(server.name, "search", name, {**spread(times), "write_and_index_s": seconds})


def measure(server: Server, size: Size, only: Sequence[str]) -> Iterator[Row]:
    """Measure section by section."""
    _ = server.graphs.address  # starts the embedded one
    idle_mb = server.memory_mb()
    if {"overhead", "hops"} & set(only):
        yield from measure_random(server, size, only)
    if {"load", "search"} & set(only):
        yield from measure_films(server, size, only)
    if "search" in only:
        yield from measure_vectors(server, size)
    after_mb = server.memory_mb()
    if "memory" in only and idle_mb is not None and after_mb is not None:
        yield Row(server.name, "memory", "the server's process", {"idle_mb": idle_mb, "after_all_mb": after_mb})


def print_row(row: Row) -> None:
    """Print one line of the table."""
    figures = "  ".join(f"{name} {value:.4g}" for name, value in row.figures.items())
    got = "" if row.got is None else f"{row.got:.3f}"
    verdict = {True: "yes", False: "NO", None: ""}[row.good]
    print(f"{row.server:<10}{row.section:<10}{row.name:<46}{got:>9}  {row.wanted:<9}{verdict:<5}{figures}", flush=True)


SECTIONS = ("overhead", "hops", "load", "search", "memory")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs; the figures mean nothing")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="sections to measure")
    parser.add_argument("--neo4j", action="store_true", help="start a Neo4j as the tests do, and measure it too")
    parser.add_argument("--url", help="measure the Neo4j that runs there too")
    parser.add_argument("--no-embedded", action="store_true", help="leave the embedded server out")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    servers: list[Callable[[], Any]] = [] if options.no_embedded else [embedded_server]
    if options.neo4j or options.url:
        servers.append(lambda: neo4j_server(options.url))
    rows: list[Row] = []
    print(f"{'server':<10}{'section':<10}{'what':<46}{'got':>9}  {'wanted':<9}{'':<5}figures")
    for start in servers:
        with start() as server:
            for row in measure(server, QUICK if options.quick else Size(), options.only):
                rows.append(row)
                print_row(row)
    if options.json:
        found = [{**asdict(row), "good": row.good} for row in rows]
        options.json.write_text(json.dumps({"quick": options.quick, "rows": found}, indent=2))


if __name__ == "__main__":
    main()
