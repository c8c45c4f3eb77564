"""One tenant tries to reach another's graph by every public call; a call that is missing from the tables here fails a test."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from rejoinder.errors import RejoinderError
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Relation, Step

pytestmark = pytest.mark.slow

SECRET = "zanzibar"
"""A word that only the other tenant's graph holds: in names, ids, properties, sources, relations."""
THEIRS = f"person:{SECRET}"
OURS = "person:ours"
ENCODER = "test-encoder"


def _encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors that are all alike, so that any search by meaning finds all that it can reach."""
    return np.ones((len(texts), 4), dtype=np.float32) + np.arange(4, dtype=np.float32) / 10


@dataclass(frozen=True)
class Neighbours:
    """Two tenants of one server, both with a graph."""

    ours: Graph
    theirs: Graph
    folder: Path

    @property
    def space(self) -> Space:
        return self.ours.space

    @property
    def other(self) -> Space:
        return self.theirs.space


@pytest.fixture
def neighbours(graphs: Graphs, tmp_path: Path) -> Iterator[Neighbours]:
    """Two tenants whose ids differ in case and punctuation only."""
    name = uuid4().hex[:8]
    tenants = [f"test-{name}", f"Test_{name}"]
    schema = GraphSchema.parse({"open": True})
    ours, theirs = (Graph(graphs.space(tenant), schema, encode=_encode, encoder_hash=ENCODER) for tenant in tenants)
    ours.upsert(
        [Entity(id=OURS, kind="person", name="ours"), Entity(id="person:friend", kind="person", name="friend")],
        [Relation(subject=OURS, name="knows", object="person:friend")],
        source="us",
    )
    theirs.upsert(
        [
            Entity(
                id=THEIRS,
                kind="person",
                name=SECRET,
                aliases=(f"{SECRET} the great",),
                description=f"all about {SECRET}",
                properties={"pin": SECRET},
            ),
            Entity(id=f"person:{SECRET}2", kind="person", name=f"{SECRET} 2"),
            Entity(id=OURS, kind="person", name=f"{SECRET} ours"),
        ],
        [Relation(subject=THEIRS, name="knows", object=OURS, properties={"since": SECRET})],
        source=SECRET,
    )
    theirs.merge(THEIRS, f"person:{SECRET}2", by=SECRET, reason=SECRET)
    ours.embed()
    theirs.embed()
    yield Neighbours(ours, theirs, tmp_path)
    for tenant in tenants:
        graphs.drop(tenant)


Call = Callable[[Neighbours], Any]

GRAPH: dict[str, list[Call]] = {
    "upsert": [
        lambda n: n.ours.upsert([], [Relation(subject=OURS, name="knows", object=THEIRS)], source=SECRET[:4]),
        lambda n: n.ours.upsert([Entity(id="x", kind=f"person:{n.other.entity}", name="x")], source="us"),
        lambda n: n.ours.upsert([Entity(id="y", kind=n.other.entity, name="y")], source="us"),
    ],
    "load": [lambda n: n.ours.load(_triples(n.folder, f"ours|knows|{SECRET[::-1]}\n"), format="triples", source="us")],
    "load_frame": [
        lambda n: n.ours.load_frame(pd.DataFrame([{"id": "z", "kind": "person", "name": "z"}]), source="us"),
    ],
    "delete_source": [lambda n: n.ours.delete_source(SECRET)],
    "forget_entities": [lambda n: n.ours.forget_entities([THEIRS], source=SECRET)],
    "forget_relations": [lambda n: n.ours.forget_relations([THEIRS], source=SECRET)],
    "delete_entities": [lambda n: n.ours.delete_entities([THEIRS, OURS])],
    "clear": [lambda n: n.ours.clear()],
    "export": [lambda n: _exported(n)],
    "embed": [lambda n: n.ours.embed()],
    "entity": [lambda n: n.ours.entity(THEIRS), lambda n: n.ours.entity(OURS)],
    "entities": [lambda n: n.ours.entities([THEIRS, OURS])],
    "named": [lambda n: n.ours.named(SECRET), lambda n: n.ours.named("ours", kinds=[n.other.entity])],
    "search": [lambda n: n.ours.search(SECRET, limit=100), lambda n: n.ours.search("ours OR *", limit=100)],
    "similar": [lambda n: n.ours.similar(SECRET, limit=100)],
    "link": [lambda n: n.ours.link(f"who is {SECRET} and who is she", context=[THEIRS, OURS])],
    "neighbourhood": [
        lambda n: n.ours.neighbourhood(THEIRS, hops=3),
        lambda n: n.ours.neighbourhood(OURS, hops=3, limit=1000),
    ],
    "relations_from": [lambda n: n.ours.relations_from([THEIRS, OURS])],
    "paths": [lambda n: n.ours.paths(OURS, THEIRS), lambda n: n.ours.paths(THEIRS, OURS)],
    "follow": [
        lambda n: n.ours.follow(THEIRS, (Step(relation="knows"),)),
        lambda n: n.ours.follow(OURS, (Step(relation="knows", inverse=True),)),
    ],
    "count": [lambda n: n.ours.count(), lambda n: n.ours.count(kind=n.other.entity)],
    "stats": [lambda n: n.ours.stats()],
    "query": [
        lambda n: n.ours.query("MATCH (n) RETURN n"),
        lambda n: n.ours.query(f"MATCH (n:{n.other.entity}) RETURN n"),
        lambda n: n.ours.query(f"MATCH (n:`{n.other.entity}`) RETURN n.name"),
        lambda n: n.ours.query(f"MATCH (n)-[*1..3]-(m:{n.other.name}) RETURN m"),
        lambda n: n.ours.query(f"MATCH (n) WHERE n.pin = '{SECRET[:-1]}' + 'r' RETURN n"),
        lambda n: n.ours.query("MATCH (n) WHERE n.id = $id RETURN n", {"id": THEIRS}),
        lambda n: n.ours.query("CALL db.labels() YIELD label MATCH (n) RETURN label, n"),
        lambda n: n.ours.query(f"CALL {{ MATCH (n:{n.other.entity}) RETURN n }} RETURN n"),
        lambda n: n.ours.query(f"RETURN [(a)--(b) | b.name] AS x, COUNT {{ MATCH (n:{n.other.entity}) }} AS c"),
    ],
    "propose_merges": [lambda n: n.ours.propose_merges()],
    "merge": [lambda n: n.ours.merge(OURS, THEIRS, by="us", reason="us")],
    "reject_merge": [lambda n: repr(n.ours.reject_merge(OURS, THEIRS, by="us", reason="us")).replace(THEIRS, "asked")],
    "undo_merge": [lambda n: n.ours.undo_merge(n.theirs.audit()[0].id, by="us")],
    "audit": [lambda n: n.ours.audit()],
}
"""For each public method of `Graph`, calls that try to reach the other tenant."""

SPACE: dict[str, list[Call]] = {
    "read": [
        lambda n: n.space.read(f"MATCH (e:{n.space.entity}) RETURN e"),
        lambda n: n.space.read("MATCH (e) RETURN e"),
        lambda n: n.space.read(f"MATCH (e:{n.space.entity}) MATCH (o:{_hostile(n)}) RETURN o"),
        lambda n: n.space.read(f"MATCH (e:{n.space.entity}|{_hostile(n)}) RETURN e"),
        lambda n: n.space.read(f"MATCH (e:`{_hostile(n)}`) RETURN e"),
    ],
    "write": [
        lambda n: n.space.write("MATCH (e) DETACH DELETE e"),
        lambda n: n.space.write(f"MATCH (e:{n.space.migration}) MATCH (o:{_hostile(n)}) DETACH DELETE o"),
        lambda n: n.space.write(f"MATCH (e:{n.space.entity}) SET e.pin = 'us' RETURN e"),
    ],
    "write_all": [
        lambda n: n.space.write_all([("MATCH (e) DETACH DELETE e", {})]),
        lambda n: n.space.write_all([(f"MATCH (e:{_hostile(n)}) SET e:{n.space.entity}", {})]),
    ],
    "transact": [
        lambda n: n.space.transact(lambda run: run("MATCH (e) DETACH DELETE e", {})),
        lambda n: n.space.transact(lambda run: run(f"MATCH (e:{_hostile(n)}) RETURN e", {})),
    ],
    "read_only": [
        lambda n: n.space.read_only(f"MATCH (e:{_hostile(n)}) RETURN e", {}, timeout_s=20, max_rows=100),
        lambda n: n.space.read_only(f"MATCH (e:{n.space.entity}) RETURN e", {}, timeout_s=20, max_rows=100),
    ],
    "unique": [lambda n: n.space.unique(f"{_hostile(n)}", "pin")],
    "index": [lambda n: n.space.index(f"{_hostile(n)}", "pin")],
    "index_text": [lambda n: n.space.index_text(f"{_hostile(n)}", "pin")],
    "index_vectors": [lambda n: n.space.index_vectors(ENCODER, 4)],
    "text_query": [
        lambda n: n.space.read(n.space.text_query() + "RETURN node", text=SECRET, limit=100),
        lambda n: n.space.read(n.other.text_query() + f"RETURN node, '{n.space.entity}'", text="ours", limit=100),
    ],
    "vector_query": [
        lambda n: n.space.read(n.space.vector_query(ENCODER) + "RETURN node", vector=[1.0] * 4, limit=100),
        lambda n: n.space.read(n.other.vector_query(ENCODER) + "RETURN node", vector=[1.0] * 4, limit=100),
    ],
    "vector": [lambda n: n.space.read(f"MATCH (v:{n.other.vector(ENCODER)}) RETURN v")],
    "encoders": [lambda n: n.space.encoders()],
    "owned_labels": [lambda n: n.space.owned_labels()],
}
"""The same for `Space`."""


def _hostile(neighbours: Neighbours) -> str:
    """The other tenant's label of entities."""
    return neighbours.other.entity


def _triples(folder: Path, text: str) -> Path:
    path = folder / "triples.txt"
    path.write_text(text)
    return path


def _exported(neighbours: Neighbours) -> str:
    path = neighbours.folder / "export.jsonl"
    neighbours.ours.export(path, format="jsonl")
    return path.read_text()


def _public(kind: type) -> set[str]:
    """Names of all public methods."""
    return {name for name, one in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def _everything(space: Space) -> list[Any]:
    """All that a tenant has: nodes with their labels and properties, relations with theirs."""
    nodes = [
        sorted(map(repr, space.read(f"MATCH (n:{label}) RETURN labels(n) AS labels, properties(n) AS properties")))
        for label in (space.entity, space.name, space.vector(ENCODER), space.audit, space.migration)
    ]
    relations = space.read(
        f"MATCH (a:{space.entity})-[r]->(b:{space.entity}) RETURN a.id AS a, type(r) AS type, b.id AS b, properties(r) AS p"
    )
    return [*nodes, sorted(map(repr, relations))]


def test_every_public_call_of_graph_is_tried() -> None:
    assert set(GRAPH) == _public(Graph)


def test_every_public_call_of_space_is_tried() -> None:
    assert set(SPACE) == _public(Space)


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("space", sorted(SPACE)),
        ("graph", sorted(set(GRAPH) - {"clear", "delete_entities", "delete_source", "merge", "undo_merge"})),
        ("graph", ["merge", "undo_merge", "delete_source", "delete_entities", "clear"]),
    ],
    ids=["space", "asking", "deleting"],
)
def test_no_call_reaches_the_other_tenant(neighbours: Neighbours, table: str, names: list[str]) -> None:
    before = _everything(neighbours.other)
    for name in names:
        for number, call in enumerate((SPACE if table == "space" else GRAPH)[name]):
            found: Any = None
            with contextlib.suppress(RejoinderError):  # refused is as good as nothing found
                found = call(neighbours)
            assert SECRET not in repr(found).casefold(), f"{name}, call {number}, found what is another tenant's"
    assert _everything(neighbours.other) == before


def test_dropping_a_tenant_leaves_the_other_and_nothing_behind(neighbours: Neighbours, graphs: Graphs) -> None:
    before = _everything(neighbours.other)
    graphs.drop(neighbours.space.tenant)
    assert _everything(neighbours.other) == before
    again = graphs.space(neighbours.space.tenant)
    assert again.read(f"MATCH (e:{again.entity}) RETURN e") == []
    assert again.encoders() == 0
