"""`rejoinder evaluate graph-qa`: load a graph, learn from questions with answers, answer others, through the code that serves."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar
from uuid import uuid4

import numpy as np

from rejoinder.errors import InvalidInputError
from rejoinder.graph.answering.ask import ask
from rejoinder.graph.answering.ranker import PathRanker
from rejoinder.graph.answering.snapshot import Snapshot
from rejoinder.graph.answering.supervision import Asked, examples_of, explained
from rejoinder.graph.answering.walking import names_of, triples_of
from rejoinder.graph.graph import Graph
from rejoinder.graph.names import normalised
from rejoinder.graph.schema import GraphSchema
from rejoinder.learning.evaluation_report import EvaluationReport, versions
from rejoinder.learning.graph_questions import GraphQuestion, GraphQuestions, read_graph_questions
from rejoinder.learning.labelled_csv import read_data

if TYPE_CHECKING:
    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.models.learner import FloatArray, Prediction

_P = ParamSpec("_P")
_T = TypeVar("_T")

Tell = Callable[[str], None]

_SOURCE: Final = "evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQAReport(EvaluationReport):
    """What an evaluation found.

    Attributes:
        hits_at_1: share of the questions whose first answer is right, in [0, 1], by test file and "overall"; an unanswered one is wrong.
        unanswered: share of the questions to which the graph said nothing, likewise.
        precision: share of those answered whose first answer is right, likewise.
        ece: calibration error of the answers' confidence, over those answered.
        load_seconds: loading the graph into the server.
        train_seconds: all that was done with the training questions: finding paths, encoding, fitting.
        question_ms_p50, question_ms_p95: milliseconds from a question's text to its answer, encoding included.
        training: how many masked questions were taught, how many of the training questions no path explains, and what fitting measured.
        data: SHA-256 of all files, and how much they hold.
    """

    hits_at_1: Mapping[str, float]
    unanswered: Mapping[str, float]
    precision: Mapping[str, float]
    ece: float
    load_seconds: float
    train_seconds: float
    question_ms_p50: float
    question_ms_p95: float
    seed: int
    encoder: str
    topics: str
    server: str
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Said:
    right: bool
    answered: bool
    confidence: float
    seconds: float


def evaluate_graph_qa(
    graph: Path | str,
    train: Sequence[Path | str],
    test: Sequence[Path | str],
    *,
    seed: int = 0,
    encoder: Encoder,
    url: str | None = None,
    marked: bool = True,
    tell: Tell = lambda _: None,
) -> GraphQAReport:
    """Load a graph, teach the path ranker, and score it.

    Args:
        graph: lines `subject|relation|object`, plain or gzipped.
        train: files of questions to learn from; see `read_graph_questions`.
        test: the same; never used for any choice.
        seed: fixes what is chosen by chance.
        encoder: reads questions.
        url: of a Neo4j server, in whose database a tenant is made and dropped again; None: an embedded server in a temporary folder.
        marked: whether the brackets say what the questions are about; else they are taken out, and it is left to entity linking.
        tell: told in words how far it is.

    Raises:
        InvalidInputError: a file cannot be used; the message names it and the place.
        GraphError: the graph server failed.
    """
    taught = [read_graph_questions(path) for path in train]
    asked = [read_graph_questions(path) for path in test]
    if not taught or not asked:
        raise InvalidInputError(
            "evaluate graph-qa needs at least one file to learn from (--train) and one to test on (--test)"
        )
    names = [one.path.name for one in asked]
    if len(set(names)) < len(names):
        raise InvalidInputError(
            f"test files must have different names, since the report goes by them; got {', '.join(names)}"
        )
    with _opened(url, encoder) as loaded:
        tell("loading the graph")
        started = time.perf_counter()
        report = loaded.load(Path(graph), format="triples", source=_SOURCE)
        load_seconds = time.perf_counter() - started
        tell(f"loaded in {load_seconds:.0f} s; learning from {sum(len(one.questions) for one in taught)} questions")
        started = time.perf_counter()
        ranker, training = taught_ranker(loaded, [one for file in taught for one in file.questions], encoder, seed=seed)
        train_seconds = time.perf_counter() - started
        means = _Means(loaded, ranker, encoder)
        said = {}
        for file in asked:
            tell(f"answering {len(file.questions)} questions of {file.path.name}")
            said[file.path.name] = asyncio.run(_answered(file, means, marked=marked))
    every = [one for some in said.values() for one in some]
    by_file = {**said, "overall": every}
    milliseconds = np.array([one.seconds for one in every]) * 1000
    from rejoinder.learning.metrics import ece

    answered = [one for one in every if one.answered]
    return GraphQAReport(
        hits_at_1={name: _share([one.right for one in some]) for name, some in by_file.items()},
        unanswered={name: _share([not one.answered for one in some]) for name, some in by_file.items()},
        precision={name: _share([one.right for one in some if one.answered]) for name, some in by_file.items()},
        ece=ece([one.confidence for one in answered], [one.right for one in answered]) if answered else 0.0,
        load_seconds=load_seconds,
        train_seconds=train_seconds,
        question_ms_p50=float(np.percentile(milliseconds, 50)),
        question_ms_p95=float(np.percentile(milliseconds, 95)),
        seed=seed,
        encoder=f"{encoder.name}@{encoder.hash}",
        topics="marked" if marked else "linked",
        server="neo4j" if url else "embedded",
        training=training,
        data={
            "graph": {
                "file": Path(graph).name,
                "sha256": hashlib.sha256(read_data(Path(graph))).hexdigest(),
                "triples": report.rows - report.bad,
                "bad": report.bad,
            },
            "train": [_fingerprint(one) for one in taught],
            "test": [_fingerprint(one) for one in asked],
        },
        versions=versions(),
    )


def taught_ranker(
    graph: Graph, questions: Sequence[GraphQuestion], encoder: Encoder, *, seed: int
) -> tuple[PathRanker, dict[str, float]]:
    """Return a path ranker that learned from questions with answers, and what was measured.

    Raises:
        InvalidInputError: no path explains any of them.
    """
    snapshot = Snapshot(triples_of(graph.space))
    ids: dict[str, list[str]] = {}
    for id_, name in names_of(graph.space):
        ids.setdefault(name, []).append(id_)
        ids.setdefault(normalised(name), []).append(id_)

    def known(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(ids.get(name) or ids.get(normalised(name)) or ()))

    order = np.random.default_rng(seed).permutation(len(questions))
    asked = [
        Asked(text=one.masked, topics=known(one.topic), answers=tuple(known(answer) for answer in one.answers))
        for one in (questions[row] for row in order)
    ]
    explanations = explained(snapshot, asked)
    examples = examples_of(explanations, encoder.encode, seed=seed)
    ranker = PathRanker()
    metrics = ranker.fit(examples, encoder.encode([one.text for one in examples]), seed=seed)
    phrasings = {one.text for one in asked}
    return ranker, {
        "questions": len(questions),
        "phrasings": len(phrasings),
        "phrasings_unexplained": len(phrasings - explanations.keys()),
        "paths": len(ranker.labels),
        **{f"learner_{name}": value for name, value in metrics.items()},
    }


class _Means:
    """A graph, ranker and encoder in this thread, as `ask` wants them."""

    def __init__(self, graph: Graph, ranker: PathRanker, encoder: Encoder) -> None:
        self._graph, self._ranker, self._encoder = graph, ranker, encoder
        self._phrases: dict[str, FloatArray] = {}
        self.schema = graph.schema

    async def ask(self, function: Callable[Concatenate[Graph, _P], _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return function(self._graph, *args, **kwargs)

    async def rank(self, text: str) -> Prediction:
        return self._ranker.predict_batch([text], self._encoder.encode([text]))[0]

    async def encode(self, text: str) -> FloatArray:
        if text not in self._phrases:
            self._phrases[text] = self._encoder.encode([text])[0]
        return self._phrases[text]


async def _answered(file: GraphQuestions, means: _Means, *, marked: bool) -> list[_Said]:
    said = []
    for one in file.questions:
        text = one.text if marked else one.text.replace("[", "").replace("]", "")
        started = time.perf_counter()
        answer = await ask(text, means)
        seconds = time.perf_counter() - started
        right = answer is not None and bool(answer.entities) and answer.entities[0].name in one.answers
        said.append(_Said(right, answer is not None, answer.confidence if answer else 0.0, seconds))
    return said


@contextmanager
def _opened(url: str | None, encoder: Encoder) -> Iterator[Graph]:
    """Give an empty graph that is gone afterwards."""
    from rejoinder.graph.graphs import Graphs
    from rejoinder.settings import DeploymentSettings, GraphSettings, SecretUrl

    tenant = f"evaluation-{uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(prefix="rejoinder-graph-qa-") as folder:
        settings = DeploymentSettings(data_dir=Path(folder), graph=GraphSettings(url=SecretUrl(url) if url else None))
        graphs = Graphs.from_settings(settings)
        try:
            space = graphs.space(tenant)
            try:
                yield Graph(space, GraphSchema(open=True), encode=encoder.encode, encoder_hash=encoder.hash)
            finally:
                graphs.drop(tenant)
        finally:
            graphs.close()


def _fingerprint(file: GraphQuestions) -> dict[str, Any]:
    return {"file": file.path.name, "sha256": file.sha256, "questions": len(file.questions)}


def _share(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
