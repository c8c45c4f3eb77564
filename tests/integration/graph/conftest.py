"""Tests here run on the embedded server, and on Neo4j; each with a tenant of its own, dropped afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Relation
from rejoinder.settings import DeploymentSettings, GraphSettings, SecretUrl

_ROOT = str(Path(__file__).parents[3])
if _ROOT not in sys.path:  # tests/services is shared by several folders of tests
    sys.path.append(_ROOT)

from tests.services.neo4j import neo4j_url  # noqa: E402

__all__ = ["neo4j_url"]

SERVERS = ["arcadedb", pytest.param("neo4j", marks=pytest.mark.service)]


@pytest.fixture(scope="session")
def arcadedb_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the server that this session starts; another process may attach to it."""
    return tmp_path_factory.mktemp("graph")


@pytest.fixture(scope="session")
def arcadedb(arcadedb_folder: Path) -> Iterator[Graphs]:
    """Graphs on a server that this session starts."""
    graphs = Graphs.from_settings(DeploymentSettings(data_dir=arcadedb_folder))
    yield graphs
    graphs.close()


@pytest.fixture(scope="session")
def neo4j(neo4j_url: str) -> Iterator[Graphs]:
    """Graphs on a Neo4j server that this session starts."""
    graphs = Graphs.from_settings(DeploymentSettings(graph=GraphSettings(url=SecretUrl(neo4j_url))))
    yield graphs
    graphs.close()


@pytest.fixture(params=SERVERS)
def graphs(request: pytest.FixtureRequest) -> Graphs:
    """Graphs on each kind of server."""
    found: Graphs = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def tenant() -> str:
    """A tenant that nobody else uses."""
    return f"test-{uuid4().hex[:8]}"


@pytest.fixture
def graph_space(graphs: Graphs, tenant: str) -> Iterator[Space]:
    """An empty space on each kind of server."""
    yield graphs.space(tenant)
    graphs.drop(tenant)


@pytest.fixture(scope="session", params=SERVERS)
def films(request: pytest.FixtureRequest) -> Iterator[Graph]:
    """A small graph on each kind of server, which its many readers share: they must not change it."""
    graphs: Graphs = request.getfixturevalue(request.param)
    tenant = f"films-{uuid4().hex[:8]}"
    yield with_films(graphs.space(tenant))
    graphs.drop(tenant)


@pytest.fixture
def own_films(graph_space: Space) -> Graph:
    """The same graph for one test alone."""
    return with_films(graph_space)


def with_films(space: Space) -> Graph:
    """Write some films to an empty space: two of one director, names in other scripts, a person and a tag of one name."""
    graph = Graph(space, GraphSchema.parse({"open": True, "kinds": {"movie": {"title": "film"}, "person": {}}}))
    movies = {
        "Jaws": ("Steven Spielberg", ("Roy Scheider", "Robert Shaw"), "A shark off Amity Island"),
        "Duel": ("Steven Spielberg", ("Dennis Weaver",), "A lorry on a lonely road"),
        "The Sting": ("George Roy Hill", ("Robert Shaw", "Paul Newman"), ""),
        "It": ("Andy Muschietti", ("Bill Skarsgård",), ""),
        "黑客帝国": ("Lana Wachowski", ("Keanu Reeves",), ""),
    }
    aliases = {"黑客帝国": ("The Matrix",), "Jaws": ("Der weiße Hai",)}
    entities: dict[str, Entity] = {}
    relations = []
    for name, (director, actors, description) in movies.items():
        movie = Entity(
            id=f"movie:{name}",
            kind="movie",
            name=name,
            aliases=aliases.get(name, ()),
            description=description,
            properties={"rank": len(entities)},
        )
        entities[movie.id] = movie
        for relation, people in (("directed_by", (director,)), ("starring", actors)):
            for person in people:
                entities[f"person:{person}"] = Entity(id=f"person:{person}", kind="person", name=person)
                relations.append(Relation(subject=movie.id, name=relation, object=f"person:{person}"))
    entities["tag:paul newman"] = Entity(id="tag:paul newman", kind="tag", name="paul newman")
    graph.upsert(entities.values(), relations, source="films", time=datetime(2026, 1, 2, tzinfo=UTC))
    return graph
