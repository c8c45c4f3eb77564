"""Search by words and by meaning: the same on both servers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.errors import InvalidInputError
from rejoinder.graph.graph import Graph
from rejoinder.graph.values import Entity

pytestmark = pytest.mark.slow

TOPICS = ("shark", "lorry", "spielberg")
"""What the vectors of these tests know about: one number for each."""


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[1.0 * (one in text.casefold()) for one in TOPICS] + [0.1] for text in texts], dtype=np.float32)


@pytest.fixture
def meant(own_films: Graph) -> Graph:
    """The same graph with vectors."""
    graph = Graph(own_films.space, own_films.schema, encode=encode, encoder_hash="topics")
    assert graph.embed() == own_films.count()
    return graph


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("spielberg", ["person:Steven Spielberg"]),
        ("SHARK", ["movie:Jaws"]),
        ("weiße", ["movie:Jaws"]),
        ("帝国", ["movie:黑客帝国"]),
        ("黑客帝国的导演", ["movie:黑客帝国"]),
        ("matrix~ AND (title:*)", ["movie:黑客帝国"]),
        ("", []),
        (" ?!.,  ", []),
        ("*:*", []),
        ("AND OR NOT", []),
        ('"', []),
        ("zebra", []),
        ("\\", []),
    ],
)
def test_words_are_found_and_no_text_is_syntax(films: Graph, text: str, ids: list[str]) -> None:
    found = films.search(text)
    assert [one.entity.id for one in found] == ids
    assert all(0 < one.score <= 1 for one in found)


@pytest.mark.parametrize(
    "text", ["a:b", "[x TO y]", "{", "spielberg^", "/x/", "~", "name:x OR", "&&", "x" * 5000, "é" * 3]
)
def test_nothing_in_a_text_breaks_a_search(films: Graph, text: str) -> None:
    films.search(text)


def test_search_by_words_is_ordered_bounded_and_of_kinds(films: Graph) -> None:
    assert films.search("roy robert shaw")[0].entity.id == "person:Robert Shaw"
    assert len(films.search("roy robert shaw", limit=2)) == 2
    assert {one.entity.id for one in films.search("paul newman", kinds=["tag", "movie"])} == {"tag:paul newman"}
    with pytest.raises(InvalidInputError, match="limit"):
        films.search("shaw", limit=0)


def test_search_by_meaning_finds_texts_and_vectors(meant: Graph) -> None:
    assert [one.entity.id for one in meant.similar("a shark story", limit=1)] == ["movie:Jaws"]
    by_vector = meant.similar([1.0, 0.0, 0.0, 0.1], limit=1)
    assert [one.entity.id for one in by_vector] == ["movie:Jaws"]
    assert by_vector[0].score == pytest.approx(1.0, abs=1e-4)
    people = meant.similar("spielberg", limit=3, kinds=["person"])
    assert people[0].entity.id == "person:Steven Spielberg"
    assert {one.entity.kind for one in people} == {"person"}
    assert [one.score for one in people] == sorted((one.score for one in people), reverse=True)
    with pytest.raises(InvalidInputError, match=r"expected \(4,\)"):
        meant.similar([1.0, 0.0])
    with pytest.raises(InvalidInputError, match="zero"):
        meant.similar([0.0] * 4)


def test_without_vectors_the_error_says_what_to_do(films: Graph) -> None:
    with pytest.raises(InvalidInputError, match="no encoder"):
        films.similar("shark")
    with pytest.raises(InvalidInputError, match="no encoder"):
        films.embed()
    with pytest.raises(InvalidInputError, match="run `embed` first"):
        Graph(films.space, films.schema, encode=encode, encoder_hash="other").similar("shark")


def test_only_what_changed_gets_a_new_vector(meant: Graph) -> None:
    assert meant.embed() == 0
    meant.upsert([Entity(id="movie:It", kind="movie", name="It", description="A shark after all")], source="s")
    told: list[int] = []
    assert meant.embed(progress=told.append) == 1
    assert told == [1]
    assert {one.entity.id for one in meant.similar("shark", limit=2)} == {"movie:Jaws", "movie:It"}
