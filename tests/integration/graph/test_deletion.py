"""Deletion on both servers: by source, by ids, and of all."""

from __future__ import annotations

import pytest
from rejoinder.errors import GraphSchemaError
from rejoinder.graph.deletion import Deleted, clear, delete_entities, delete_source
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.reading import count, entity, named, stats
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Relation
from rejoinder.graph.writing import upsert

OPEN = GraphSchema(open=True)
A, B, C = (Entity(id=one, kind="a", name=f"the {one}", aliases=(f"{one}!",)) for one in "xyz")


def joined(subject: str, object: str) -> Relation:  # noqa: A002
    return Relation(subject=subject, name="knows", object=object)


def left(space: Space) -> dict[str, int]:
    labels = {label: space.read(f"MATCH (n:{label}) RETURN count(n)")[0][0] for label in space.owned_labels()}
    return {label: n for label, n in labels.items() if n and label != space.migration}


def test_by_source(graph_space: Space) -> None:
    upsert(graph_space, OPEN, [A, B], [joined("x", "y")], source="first")
    upsert(graph_space, OPEN, [B, C], [joined("y", "z")], source="second")
    assert delete_source(graph_space, "first") == Deleted(entities=1, relations=1, kept=1)
    assert entity(graph_space, "x") is None
    assert named(graph_space, "the x") == ()
    kept = entity(graph_space, "y")
    assert kept is not None
    assert kept.sources == ("second",)
    assert stats(graph_space).relations == 1
    assert delete_source(graph_space, "first") == Deleted()
    assert delete_source(graph_space, "second") == Deleted(entities=2, relations=1)
    assert left(graph_space) == {}


def test_relations_of_an_entity_that_is_gone_go_with_it(graph_space: Space) -> None:
    upsert(graph_space, OPEN, [A, B], source="first")
    upsert(graph_space, OPEN, (), [joined("x", "y")], source="second")
    assert delete_source(graph_space, "first") == Deleted(entities=2, relations=1)
    assert left(graph_space) == {}


def test_bare_ends_outlive_the_source_that_said_more(graph_space: Space) -> None:
    upsert(graph_space, OPEN, [A, B], source="first")
    upsert(graph_space, OPEN, (), [joined("x", "y")], source="second", bare=True)
    assert delete_source(graph_space, "first") == Deleted(kept=2)
    assert stats(graph_space).relations == 1


def test_by_ids(graph_space: Space) -> None:
    upsert(graph_space, OPEN, [A, B, C], [joined("x", "y"), joined("y", "z"), joined("y", "y")], source="s")
    hashed = "0" * 64
    graph_space.index_vectors(hashed, 2)
    graph_space.write(
        f"UNWIND ['x', 'y'] AS id CREATE (:{graph_space.vector(hashed)} {{entity: id, embedding: [1.0, 0.0]}})"
    )
    assert delete_entities(graph_space, ["y", "y", "nobody"]) == Deleted(entities=1, relations=3)
    assert left(graph_space) == {graph_space.entity: 2, graph_space.name: 4, graph_space.vector(hashed): 1}
    assert delete_entities(graph_space, []) == Deleted()


def test_many(graph_space: Space) -> None:
    upsert(graph_space, OPEN, [Entity(id=str(n), kind="a", name=str(n)) for n in range(2500)], source="s")
    assert delete_source(graph_space, "s") == Deleted(entities=2500)
    assert left(graph_space) == {}


def test_all_of_one_tenant(graphs: Graphs, graph_space: Space) -> None:
    other = graphs.space(f"{graph_space.tenant}-other")
    try:
        for space in (graph_space, other):
            upsert(space, OPEN, [A, B], [joined("x", "y")], source="s")
        assert clear(graph_space) == Deleted(entities=2, relations=1)
        assert left(graph_space) == {}
        assert (count(other), stats(other).relations) == (2, 1)
        assert delete_source(graph_space, "s") == Deleted()
        assert count(other) == 2
        upsert(graph_space, OPEN, [A], source="s")
        assert count(graph_space) == 1
    finally:
        graphs.drop(other.tenant)


@pytest.mark.parametrize("source", ["", "x" * 2000, "a\x00"])
def test_names_of_sources_are_checked(graph_space: Space, source: str) -> None:
    with pytest.raises(GraphSchemaError, match="source"):
        delete_source(graph_space, source)


def test_injection_through_sources_and_ids(graph_space: Space) -> None:
    upsert(graph_space, OPEN, [A], source="s")
    for text in ("s' OR true //", "$source", "x'}) DETACH DELETE n //", "*"):
        assert delete_source(graph_space, text) == Deleted()
        assert delete_entities(graph_space, [text]) == Deleted()
    assert count(graph_space) == 1
