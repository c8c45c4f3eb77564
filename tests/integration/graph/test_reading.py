"""Entities, what is around them, and where relation paths lead: the same on both servers."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.graph.graph import Graph
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Relation, Step

pytestmark = pytest.mark.slow


def back(name: str) -> Step:
    return Step(relation=name, inverse=True)


def on(name: str) -> Step:
    return Step(relation=name)


def test_an_entity_comes_back_as_it_was_written(films: Graph) -> None:
    assert films.entity("movie:Jaws") == Entity(
        id="movie:Jaws",
        kind="movie",
        name="Jaws",
        aliases=("Der weiße Hai",),
        description="A shark off Amity Island",
        properties={"rank": 0},
        sources=("films",),
        time=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert films.entity("movie:jaws") is None
    assert list(films.entities(["movie:It", "nobody", "movie:Duel", "movie:It"])) == ["movie:It", "movie:Duel"]


def test_names_are_found_however_they_are_written(films: Graph) -> None:
    assert [one.id for one in films.named("  JAWS! ")] == ["movie:Jaws"]
    assert [one.id for one in films.named("der weisse hai")] == ["movie:Jaws"]
    assert [one.id for one in films.named("Paul Newman")] == ["person:Paul Newman", "tag:paul newman"]
    assert [one.id for one in films.named("Paul Newman", kinds=["tag"])] == ["tag:paul newman"]
    assert films.named("") == films.named("nobody") == ()


def test_a_neighbourhood_has_the_nearest_relations_first_and_each_once(films: Graph) -> None:
    near = films.neighbourhood("movie:Jaws")
    assert [(one.subject, one.name, one.object) for one in near.relations] == [
        ("movie:Jaws", "directed_by", "person:Steven Spielberg"),
        ("movie:Jaws", "starring", "person:Robert Shaw"),
        ("movie:Jaws", "starring", "person:Roy Scheider"),
    ]
    assert near.entities[0] == films.entity("movie:Jaws")
    assert near.relations[0].sources == ("films",)
    assert not near.truncated
    far = films.neighbourhood("movie:Jaws", hops=2)
    assert far.relations[:3] == near.relations
    assert {(one.subject, one.object) for one in far.relations[3:]} == {
        ("movie:Duel", "person:Steven Spielberg"),
        ("movie:The Sting", "person:Robert Shaw"),
    }
    farther = films.neighbourhood("movie:Jaws", hops=3)
    assert farther.relations[:5] == far.relations
    assert len(farther.relations) == 8
    assert {one.id for one in farther.entities} == {
        end for one in farther.relations for end in (one.subject, one.object)
    }


def test_a_neighbourhood_is_bounded_and_says_so(films: Graph) -> None:
    whole = films.neighbourhood("movie:Jaws", hops=3)
    for limit in range(1, 9):
        some = films.neighbourhood("movie:Jaws", hops=3, limit=limit)
        assert some.relations == whole.relations[:limit]
        assert some.truncated == (limit < 8)
    only = films.neighbourhood("movie:Jaws", hops=3, relations=["directed_by"])
    assert {one.name for one in only.relations} == {"directed_by"}
    assert len(only.relations) == 2
    assert films.neighbourhood("nobody").entities == ()
    alone = films.neighbourhood("tag:paul newman", hops=2)
    assert ([one.id for one in alone.entities], alone.relations) == (["tag:paul newman"], ())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"hops": 0}, "hops: got 0, expected 1 to 3"),
        ({"hops": 4}, "hops: got 4"),
        ({"limit": 0}, "limit: got 0, expected 1 to 1000"),
        ({"limit": 1001}, "limit: got 1001"),
        ({"relations": ["x`]-() DETACH DELETE a //"]}, "no name of a relation"),
    ],
)
def test_what_is_out_of_range_is_refused(films: Graph, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        films.neighbourhood("movie:Jaws", **arguments)  # type: ignore[arg-type]


def test_a_path_leaves_out_its_start_and_counts_walks(films: Graph) -> None:
    assert [one.name for one in films.follow("person:Steven Spielberg", (back("directed_by"),))] == ["Duel", "Jaws"]
    same_director = (on("directed_by"), back("directed_by"))
    assert [one.name for one in films.follow("movie:Jaws", same_director)] == ["Duel"]
    assert [one.name for one in films.follow("movie:Jaws", (*same_director, on("starring")))] == ["Dennis Weaver"]
    assert films.follow("nobody", same_director) == ()
    assert films.follow("movie:Jaws", (on("no_such_relation"),)) == ()


def test_what_more_walks_lead_to_comes_first(graph_space: Space) -> None:
    graph = Graph(graph_space, GraphSchema(open=True))
    entities = [Entity(id=one, kind="thing", name=one) for one in ("a", "b1", "b2", "b3", "rare", "usual")]
    relations = [Relation(subject="a", name="to", object=one) for one in ("b1", "b2", "b3")]
    relations += [Relation(subject=one, name="to", object="usual") for one in ("b1", "b2")]
    relations += [Relation(subject="b3", name="to", object="rare")]
    graph.upsert(entities, relations, source="s")
    assert [one.id for one in graph.follow("a", (on("to"), on("to")))] == ["usual", "rare"]
    assert [one.id for one in graph.follow("a", (on("to"), on("to")), limit=1)] == ["usual"]


@pytest.mark.parametrize("path", [(), (Step(relation="directed_by"),) * 5, (Step(relation="a|b"),)])
def test_paths_that_cannot_be_followed_are_refused(films: Graph, path: tuple[Step, ...]) -> None:
    with pytest.raises(InvalidInputError):
        films.follow("movie:Jaws", path)


def test_counts(films: Graph) -> None:
    stats = films.stats()
    assert (stats.entities, stats.relations) == (films.count(), 12) == (16, 12)
    assert stats.kinds == {"person": 10, "movie": 5, "tag": 1}
    assert list(stats.kinds) == ["person", "movie", "tag"]
    assert stats.relation_names == {"starring": 7, "directed_by": 5}
    assert films.count(kind="movie") == 5
    assert films.count(kind="planet") == 0


def test_an_entity_with_very_many_relations_is_read_in_part(graph_space: Space) -> None:
    graph = Graph(graph_space, GraphSchema(open=True))
    leaves = [Entity(id=f"leaf{place:05}", kind="thing", name=f"Leaf {place}") for place in range(6000)]
    hub = Entity(id="hub", kind="thing", name="Hub")
    relations = [Relation(subject=one.id, name="part_of", object="hub") for one in leaves]
    graph.upsert([hub, *leaves], relations, source="s", batch=2000)
    began = monotonic()
    near = graph.neighbourhood("leaf00000", hops=3, limit=100)
    again = graph.neighbourhood("leaf00000", hops=3, limit=100)
    assert monotonic() - began < 4.0
    assert near == again
    assert (len(near.relations), near.truncated) == (100, True)
    assert len(graph.neighbourhood("hub", limit=1000).relations) == 1000
    assert len(graph.follow("hub", (back("part_of"),), limit=10_000)) == 6000
