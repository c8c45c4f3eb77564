"""How two entities are connected: the same on both servers."""

from __future__ import annotations

from time import monotonic

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.graph.graph import Graph
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Path, Relation

pytestmark = pytest.mark.slow


def ids(path: Path) -> list[str]:
    return [one.id for one in path.entities]


def test_paths_come_shortest_first_with_their_relations(films: Graph) -> None:
    found = films.paths("movie:Duel", "movie:The Sting", max_hops=4)
    assert [ids(one) for one in found] == [
        ["movie:Duel", "person:Steven Spielberg", "movie:Jaws", "person:Robert Shaw", "movie:The Sting"]
    ]
    assert not found.truncated
    assert [(one.subject, one.name, one.object) for one in found[0].relations] == [
        ("movie:Duel", "directed_by", "person:Steven Spielberg"),
        ("movie:Jaws", "directed_by", "person:Steven Spielberg"),
        ("movie:Jaws", "starring", "person:Robert Shaw"),
        ("movie:The Sting", "starring", "person:Robert Shaw"),
    ]
    assert len(films.paths("movie:Duel", "movie:The Sting", max_hops=3)) == 0
    for start, end in (("movie:Duel", "movie:It"), ("movie:Duel", "nobody"), ("nobody", "movie:It")):
        assert len(films.paths(start, end, max_hops=4)) == 0
    assert len(films.paths("movie:Duel", "movie:Duel")) == 0


def test_all_ways_are_found_and_none_meets_an_entity_twice(graph_space: Space) -> None:
    graph = Graph(graph_space, GraphSchema(open=True))
    edges = [
        ("a", "likes", "b"),
        ("b", "knows", "a"),
        ("a", "likes", "a"),
        ("a", "likes", "c"),
        ("c", "likes", "b"),
        ("c", "likes", "d"),
        ("d", "likes", "b"),
        ("d", "likes", "e"),
        ("e", "likes", "b"),
    ]
    graph.upsert(
        [Entity(id=one, kind="thing", name=one) for one in "abcde"],
        [Relation(subject=subject, name=name, object=object_) for subject, name, object_ in edges],
        source="s",
    )
    found = graph.paths("a", "b", max_hops=4)
    assert [ids(one) for one in found] == [["a", "b"], ["a", "b"], list("acb"), list("acdb"), list("acdeb")]
    assert [one.relations[0].name for one in found[:2]] == ["knows", "likes"]
    assert [ids(one) for one in graph.paths("b", "a", max_hops=4)] == [ids(one)[::-1] for one in found]
    for limit in range(1, 5):
        some = graph.paths("a", "b", max_hops=4, limit=limit)
        assert some.found == found.found[:limit]
        assert some.truncated


def test_entities_with_very_many_relations_do_not_hold_it_up(graph_space: Space) -> None:
    graph = Graph(graph_space, GraphSchema(open=True))
    leaves = [Entity(id=f"leaf{place}", kind="thing", name=f"Leaf {place}") for place in range(3000)]
    hubs = [Entity(id=one, kind="thing", name=one) for one in ("hub1", "hub2")]
    relations = [Relation(subject=one.id, name="in", object=hub.id) for one in leaves for hub in hubs]
    graph.upsert([*hubs, *leaves], relations, source="s", batch=2000)
    began = monotonic()
    assert [ids(one) for one in graph.paths("leaf1", "leaf2999", max_hops=2)] == [
        ["leaf1", "hub1", "leaf2999"],
        ["leaf1", "hub2", "leaf2999"],
    ]
    found = graph.paths("leaf1", "hub1", max_hops=4, limit=5)
    assert ids(found[0]) == ["leaf1", "hub1"]
    assert len(graph.paths("hub1", "hub2", max_hops=3, limit=5)) == 5
    assert monotonic() - began < 6.0


@pytest.mark.parametrize("arguments", [{"max_hops": 0}, {"max_hops": 5}, {"limit": 0}, {"limit": 101}])
def test_what_is_out_of_range_is_refused(films: Graph, arguments: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError):
        films.paths("movie:Duel", "movie:It", **arguments)
