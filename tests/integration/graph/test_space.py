"""A tenant's space: what it needs is there, and Cypher reaches only it."""

from __future__ import annotations

import pytest
from rejoinder.errors import GraphError, GraphQueryError
from rejoinder.graph.migrations import MIGRATIONS, migrate
from rejoinder.graph.space import Space

pytestmark = pytest.mark.slow


def test_what_is_written_is_read(graph_space: Space) -> None:
    graph_space.write(f"CREATE (e:{graph_space.entity} {{id: $id, name: $name}})", id="a", name="Ada")
    rows = graph_space.read(f"MATCH (e:{graph_space.entity}) RETURN e.id AS id, e.name AS name")
    assert [dict(row) for row in rows] == [{"id": "a", "name": "Ada"}]


def test_migrating_again_does_nothing(graph_space: Space) -> None:
    assert migrate(graph_space) == 0
    rows = graph_space.read(f"MATCH (m:{graph_space.migration}) RETURN m.version AS version")
    assert [int(row["version"]) for row in rows] == list(range(1, len(MIGRATIONS) + 1))


def test_a_graph_of_a_newer_version_is_refused(graph_space: Space) -> None:
    graph_space.write(f"CREATE (m:{graph_space.migration} {{version: '999'}})")
    with pytest.raises(GraphError, match=r"has version 999.*use a newer Rejoinder"):
        migrate(graph_space)


def test_full_text_finds_words_of_several_languages(graph_space: Space) -> None:
    for id_, text in (("a", "Ada Lovelace, Mathematikerin"), ("b", "東京タワー"), ("c", "Grace Hopper")):
        graph_space.write(f"CREATE (e:{graph_space.entity} {{id: $id, search: $text}})", id=id_, text=text)
    found = [
        [row["id"] for row in graph_space.read(graph_space.text_query() + "RETURN node.id AS id", text=text, limit=5)]
        for text in ("lovelace", "東京", "hoper~", "nobody")
    ]
    assert found == [["a"], ["b"], ["c"], []]


def test_vectors_are_found_by_cosine(graph_space: Space) -> None:
    graph_space.index_vectors("encoder", 3)
    label = graph_space.vector("encoder")
    for id_, vector in (("a", [1.0, 0.0, 0.0]), ("b", [0.6, 0.8, 0.0]), ("c", [-1.0, 0.0, 0.0])):
        graph_space.write(f"CREATE (v:{label} {{entity: $id, embedding: $vector}})", id=id_, vector=vector)
    rows = graph_space.read(
        graph_space.vector_query("encoder") + "RETURN node.entity AS id, score", vector=[1.0, 0.0, 0.0], limit=2
    )
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [row["score"] for row in rows] == pytest.approx([1.0, 0.8], abs=1e-5)


def test_cypher_without_a_label_of_the_space_is_not_run(graph_space: Space) -> None:
    with pytest.raises(GraphError, match="names no label of tenant"):
        graph_space.read("MATCH (n) RETURN n")


def test_wrong_cypher_is_a_query_error(graph_space: Space) -> None:
    with pytest.raises(GraphQueryError):
        graph_space.read(f"MTCH (n:{graph_space.entity}) RETURN n")


def test_a_real_duplicate_comes_out(graph_space: Space) -> None:
    graph_space.write(f"CREATE (e:{graph_space.entity} {{id: 'a'}})")
    with pytest.raises(GraphError, match="constraint"):
        graph_space.write(f"CREATE (e:{graph_space.entity} {{id: 'a'}})")
