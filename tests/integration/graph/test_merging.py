"""Entities that are one: proposed, merged on record, and undone, the same on both servers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError
from rejoinder.graph.graph import Graph
from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.space import Space
from rejoinder.graph.values import Entity, Relation

pytestmark = pytest.mark.slow


@pytest.fixture
def twins(graph_space: Space) -> Graph:
    """Two entries of one person, with relations to the same and to other things, and to each other."""
    graph = Graph(graph_space, GraphSchema(open=True))
    graph.upsert(
        [
            Entity(
                id="p1",
                kind="person",
                name="Ada Lovelace",
                aliases=("Countess",),
                properties={"born": date(1815, 12, 10)},
            ),
            Entity(id="x", kind="thing", name="Engine"),
            Entity(id="y", kind="thing", name="Notes"),
        ],
        [Relation(subject="p1", name="wrote_on", object="x", properties={"pages": 3})],
        source="first",
        time=datetime(2026, 1, 1, 12, 30, tzinfo=UTC),
    )
    graph.upsert(
        [
            Entity(
                id="p2",
                kind="person",
                name="Ada King",
                aliases=("ada lovelace",),
                description="Mathematician",
                properties={"born": date(1900, 1, 1), "at": datetime(2020, 5, 5, 5, 5, 5, 5, tzinfo=UTC)},
            )
        ],
        [
            Relation(subject="p2", name="wrote_on", object="x", properties={"year": 1843}),
            Relation(subject="p2", name="wrote", object="y"),
            Relation(subject="y", name="by", object="p2"),
            Relation(subject="p2", name="knows", object="p1"),
            Relation(subject="p2", name="knows", object="p2"),
        ],
        source="second",
    )
    return graph


def all_of(graph: Graph) -> tuple[object, ...]:
    """All entities and relations, and what the names lead to."""
    around = [graph.neighbourhood(one, limit=1000) for one in ("p1", "p2", "x", "y")]
    names = [[one.id for one in graph.named(name)] for name in ("Ada King", "Ada Lovelace", "Countess")]
    return (*around, names)


def test_a_merge_moves_everything_once(twins: Graph) -> None:
    entry = twins.merge("p1", "p2", by="Grace", reason="same person")
    assert twins.entity("p2") is None
    one = twins.entity("p1")
    assert one is not None
    assert one.aliases == ("Countess", "Ada King")
    assert one.description == "Mathematician"
    assert one.properties == {"born": date(1815, 12, 10), "at": datetime(2020, 5, 5, 5, 5, 5, 5, tzinfo=UTC)}
    assert one.sources == ("first", "second")
    near = twins.neighbourhood("p1")
    assert [(one.subject, one.name, one.object) for one in near.relations] == [
        ("y", "by", "p1"),
        ("p1", "wrote", "y"),
        ("p1", "wrote_on", "x"),
    ]
    assert near.relations[2].properties == {"pages": 3, "year": 1843}
    assert near.relations[2].sources == ("first", "second")
    assert [one.id for one in twins.named("ada king")] == ["p1"]
    assert [one.id for one in twins.search("king")[:1] for one in [one.entity]] == ["p1"]
    assert (entry.action, entry.keep, entry.drop, entry.by, entry.reason) == (
        "merge",
        "p1",
        "p2",
        "Grace",
        "same person",
    )
    assert [one.id for one in twins.audit()] == [entry.id]
    assert "Mathematician" in twins.audit()[0].before


def test_a_merge_is_undone_to_what_was(twins: Graph) -> None:
    before = all_of(twins)
    entry = twins.merge("p1", "p2", by="Grace", reason="same person")
    assert all_of(twins) != before
    twins.undo_merge(entry.id, by="Alan")
    assert all_of(twins) == before
    assert [(one.action, one.by, one.undone) for one in twins.audit()] == [
        ("undo", "Alan", False),
        ("merge", "Grace", True),
    ]
    assert twins.propose_merges() == ()
    with pytest.raises(ConflictError, match="undone already"):
        twins.undo_merge(entry.id, by="Alan")


def test_what_was_written_since_is_not_undone(twins: Graph) -> None:
    entry = twins.merge("p1", "p2", by="Grace", reason="same person")
    twins.upsert([Entity(id="p1", kind="person", name="Ada")], source="third")
    with pytest.raises(ConflictError, match="has changed since"):
        twins.undo_merge(entry.id, by="Alan")
    assert twins.entity("p2") is None
    with pytest.raises(NotFoundError):
        twins.undo_merge("nothing", by="Alan")


def test_what_cannot_be_merged_is_refused_and_changes_nothing(twins: Graph) -> None:
    before = all_of(twins)
    with pytest.raises(NotFoundError, match="'nobody'"):
        twins.merge("p1", "nobody", by="Grace", reason="r")
    with pytest.raises(InvalidInputError, match="with itself"):
        twins.merge("p1", "p1", by="Grace", reason="r")
    with pytest.raises(InvalidInputError, match="of one kind"):
        twins.merge("p1", "x", by="Grace", reason="r")
    with pytest.raises(InvalidInputError, match="by: got 1 characters"):
        twins.merge("p1", "p2", by=" ", reason="r")
    assert all_of(twins) == before
    assert twins.audit() == ()


def test_names_and_aliases_propose_within_a_kind(twins: Graph) -> None:
    twins.upsert(
        [
            Entity(id="t1", kind="thing", name="Ada Lovelace"),
            Entity(id="t2", kind="thing", name="engine!"),
            Entity(id="t3", kind="thing", name="Notes"),
        ],
        source="s",
    )
    found = twins.propose_merges()
    assert [(one.keep.id, one.drop.id, one.score, one.how) for one in found] == [
        ("y", "t3", 1.0, "name"),
        ("x", "t2", 0.95, "name"),
        ("p2", "p1", 0.85, "alias"),
    ]
    assert found[0].reason == "both are called 'Notes'"
    assert [one.how for one in twins.propose_merges(kinds=["person"])] == ["alias"]
    assert len(twins.propose_merges(limit=1)) == 1
    assert twins.entity("t3") is not None


def test_a_rejected_pair_is_not_proposed_again(twins: Graph) -> None:
    twins.reject_merge("p2", "p1", by="Grace", reason="mother and daughter")
    assert twins.propose_merges() == ()
    assert twins.audit()[0].reason == "mother and daughter"


def test_close_vectors_propose_but_not_sequels(graph_space: Space) -> None:
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([np.random.default_rng(len(text)).standard_normal(32) for text in texts], np.float32)

    graph = Graph(graph_space, GraphSchema(open=True), encode=encode, encoder_hash="length")
    names = ("IBM Corp", "Big Blue", "Jaws 12", "Jaws 13", "Something else")
    graph.upsert([Entity(id=one, kind="thing", name=one) for one in names], source="s")
    assert graph.propose_merges() == ()
    graph.embed()
    found = graph.propose_merges()
    assert [({one.keep.id, one.drop.id}, one.how) for one in found] == [({"IBM Corp", "Big Blue"}, "meaning")]
    assert found[0].score == pytest.approx(0.7, abs=1e-3)


def test_a_merged_entity_leaves_no_vector(twins: Graph) -> None:
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 4), np.float32)

    graph = Graph(twins.space, twins.schema, encode=encode, encoder_hash="one")
    graph.embed()
    graph.merge("p1", "p2", by="Grace", reason="same person")
    assert {one.entity.id for one in graph.similar("x")} == {"p1", "x", "y"}
    assert graph.embed() == 1
