"""What a text speaks of: the same on both servers."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import InvalidInputError
from rejoinder.graph.graph import Graph
from rejoinder.graph.values import Entity

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("text", "id", "words", "how"),
    [
        ("who directed Jaws?", "movie:Jaws", "Jaws", "name"),
        ("who directed jaws", "movie:Jaws", "jaws", "name"),
        ("who was in der weisse hai?", "movie:Jaws", "der weisse hai", "alias"),
        ("Who directed It?", "movie:It", "It", "name"),
        ("It", "movie:It", "It", "name"),
        ("WHO DIRECTED JAWS AND IT", "movie:Jaws", "JAWS", "name"),
        ("films by steven spielberg", "person:Steven Spielberg", "steven spielberg", "name"),
        ("films by Steven Spielbreg", "person:Steven Spielberg", "Steven Spielbreg", "spelling"),
        ("films by Stevn Spielberg", "person:Steven Spielberg", "Stevn Spielberg", "spelling"),
        ("films by StevenSpielberg", "person:Steven Spielberg", "StevenSpielberg", "spelling"),
        ("films by Steven Spielbrugg", "person:Steven Spielberg", "Steven Spielbrugg", "spelling"),
        ("who directed Jwas", "movie:Jaws", "Jwas", "spelling"),
        ("who acted in the stign", "movie:The Sting", "the stign", "spelling"),
        ("is [Duel] better than Jaws", "movie:Duel", "Duel", "name"),
        ("is “Duel” better than Jaws", "movie:Duel", "Duel", "name"),
        ("黑客帝国的导演是谁", "movie:黑客帝国", "黑客帝国", "name"),
        ("Tell me about Paul Newman's life", "person:Paul Newman", "Paul Newman", "name"),
    ],
)
def test_the_best_link_is_what_is_meant(films: Graph, text: str, id: str, words: str, how: str) -> None:  # noqa: A002
    best = films.link(text)[0]
    assert (best.entity.id, best.text, best.how) == (id, words, how)
    assert text[best.start : best.end] == words
    assert 0 < best.score <= 1


@pytest.mark.parametrize(
    "text", ["", "  ", "?!", "who is it", "what do you want of her", "an unheard-of zebra", "[", "[]"]
)
def test_a_text_that_names_nothing_links_nothing(films: Graph, text: str) -> None:
    assert films.link(text) == ()


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "word " * 100_000, "[" * 50_000, "黑客帝国" * 1000, "Steven Spielbreg " * 500]
)
def test_long_texts_are_read_in_part_and_in_time(films: Graph, text: str) -> None:
    began = monotonic()
    films.link(text)
    assert monotonic() - began < 5.0


def test_longer_names_hide_the_shorter_ones_in_them(own_films: Graph) -> None:
    own_films.upsert([Entity(id="person:Paul", kind="person", name="Paul")], source="s")
    assert [one.entity.id for one in own_films.link("who is Paul Newman")] == ["person:Paul Newman", "tag:paul newman"]
    assert [one.entity.id for one in own_films.link("who is Paul")] == ["person:Paul"]


def test_several_things_are_linked_best_first(films: Graph) -> None:
    found = films.link("Did Robert Shaw play in Jaws or in Duel?")
    assert [one.entity.id for one in found] == ["person:Robert Shaw", "movie:Jaws", "movie:Duel"]
    assert [one.entity.id for one in films.link("Did Robert Shaw play in Jaws?", kinds=["movie"])] == ["movie:Jaws"]
    assert len(films.link("Did Robert Shaw play in Jaws or in Duel?", limit=1)) == 1
    with pytest.raises(InvalidInputError, match="limit"):
        films.link("Jaws", limit=0)


def test_among_entities_of_one_name_the_better_known_comes_first(own_films: Graph) -> None:
    own_films.upsert([Entity(id="person:0", kind="person", name="Robert Shaw")], source="s")
    first, second = own_films.link("who is Robert Shaw")
    assert (first.entity.id, second.entity.id) == ("person:Robert Shaw", "person:0")
    assert first.score > second.score
    assert (first.start, first.end) == (second.start, second.end)


@pytest.mark.parametrize(
    ("text", "context", "id"),
    [
        ("who directed it", ["movie:Duel"], "movie:Duel"),
        ("who directed it", ["person:Robert Shaw", "movie:Duel", "movie:Jaws"], "movie:Duel"),
        ("what else did he direct", ["movie:Duel", "person:Steven Spielberg"], "person:Steven Spielberg"),
        ("who starred in that film", ["person:Steven Spielberg", "movie:Jaws"], "movie:Jaws"),
        ("which movies did they make", ["person:Paul Newman"], "person:Paul Newman"),
        ("is it better than Jaws", ["movie:Duel"], "movie:Jaws"),
        ("who directed it", ["gone", "movie:Duel"], "movie:Duel"),
    ],
)
def test_pronouns_stand_for_what_was_spoken_of(films: Graph, text: str, context: list[str], id: str) -> None:  # noqa: A002
    assert films.link(text, context=context)[0].entity.id == id


def test_a_pronoun_links_as_context(films: Graph) -> None:
    found = films.link("is it better than Jaws", context=["movie:Duel"])
    assert [(one.entity.id, one.text, one.how) for one in found] == [
        ("movie:Jaws", "Jaws", "name"),
        ("movie:Duel", "it", "context"),
    ]
    assert films.link("who directed that film", context=["person:Robert Shaw"]) == ()


def test_meaning_helps_where_no_name_is_found(own_films: Graph) -> None:
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        near = ("shark", "fish")
        return np.array([[1.0, 0.1] if any(one in text for one in near) else [0.0, 1.0] for text in texts], np.float32)

    graph = Graph(own_films.space, own_films.schema, encode=encode, encoder_hash="fish")
    assert graph.link("that big fish thing") == ()
    graph.embed()
    assert graph.link("that big fish thing")[0].how == "meaning"
    assert graph.link("that big fish thing")[0].entity.id == "movie:Jaws"


def test_names_are_data_and_never_cypher(own_films: Graph) -> None:
    name = "Robert'); MATCH (n) DETACH DELETE n; //` {x} $texts"
    own_films.upsert([Entity(id="evil", kind="thing", name=name)], source="s")
    before = own_films.count()
    assert own_films.link(f"who is {name}?")[0].entity.id == "evil"
    assert own_films.count() == before
