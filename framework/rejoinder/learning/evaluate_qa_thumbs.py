"""`rejoinder evaluate qa --stream`: what a thumb on each answer is worth to question answering, round by round.

A model is trained on few questions with their answers. Then simulated users ask questions of another file and give one bit on the answer
that they get, up where its F1 with a right answer is high. After each round the model goes on from where it was: half of what it sees are
the answers of that round, the others are rehearsed from before. Every round is scored on a third file, by questions that nobody gave a
thumb on.

An answer with a thumb up is learned like a right one, one with a thumb down made less likely
(`rejoinder.models.training.objectives.reinforce`); that a passage has no answer is an answer, too.

Source: Gao, Choi & Artzi 2022, Simulating bandit learning from user feedback for extractive question answering (arXiv:2203.10079), for the
protocol; Gao et al. 2023, Continually improving extractive QA via human feedback (arXiv:2305.12473), for rounds that go on with rehearsal.
We differ in that a thumb is one bit of F1 >= `GOOD_F1`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from rejoinder.errors import InvalidInputError
from rejoinder.learning.answer_metrics import answer_report, token_f1
from rejoinder.learning.evaluate_qa import DEFAULT_METHOD, method_settings, round_settings, training_settings
from rejoinder.learning.evaluate_texts import AUTO, HEAD, check_method, need_encoder
from rejoinder.learning.evaluation_report import EvaluationReport, versions
from rejoinder.learning.squad_json import Questions, read_squad_json
from rejoinder.learning.train_task import read_examples_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.models.learner import Prediction
    from rejoinder.models.training.loop import Trained
    from rejoinder.models.training.progress import Progress
    from rejoinder.models.training.settings import Precision, TrainingSettings
    from rejoinder.payloads import Example

QAFeedback = Literal["thumbs", "answers"]

GOOD_F1: Final = 0.5
"""From this F1 with a right answer on, a simulated user gives a thumb up."""

_CALIBRATION_SHARE: Final = 0.125
"""Share of the questions with answers that is not trained on: by these the learner knows how sure to be, before and after each round."""

_CHUNK: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbsRound:
    """One round.

    Attributes:
        thumbs: how many thumbs were given up to its end.
        up: share of the round's answers that got a thumb up.
        answered_f1: F1 of the answers that were given in the round, before anything was learned of it.
        exact_match, f1, has_answer_f1, no_answer_f1: on the test, after it; see `QAReport`.
    """

    thumbs: int
    up: float
    answered_f1: float
    exact_match: float
    f1: float
    has_answer_f1: float | None
    no_answer_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QAThumbsReport(EvaluationReport):
    """What learning from thumbs came to.

    Attributes:
        start: figures on the test before the first thumb, as in a round.
        rounds: in order.
        exact_match, f1, has_answer_f1, no_answer_f1: on the test after the last round.
        f1_gain: by how much the last F1 is above the first.
        seconds: all of it.
        feedback: what users gave.
    """

    start: Mapping[str, float]
    rounds: tuple[ThumbsRound, ...]
    exact_match: float
    f1: float
    has_answer_f1: float | None
    no_answer_f1: float | None
    f1_gain: float
    seconds: float
    seed: int
    feedback: QAFeedback
    method: str
    encoder: str
    data: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def evaluate_qa_thumbs(
    train_json: Path | str,
    stream_json: Path | str,
    test_json: Path | str,
    *,
    thumbs: int = 500,
    rounds: int = 5,
    seed: int = 0,
    encoder: Encoder,
    method: str = DEFAULT_METHOD,
    precision: Precision = "auto",
    settings: TrainingSettings | None = None,
    feedback: QAFeedback = "thumbs",
    progress: Callable[[Progress], None] | None = None,
    told: Callable[[ThumbsRound], None] | None = None,
) -> QAThumbsReport:
    """Learn from thumbs on answers to the questions of `stream_json`, and score each round.

    Args:
        train_json: SQuAD 1.1 or 2.0 JSON that the first model is trained on.
        stream_json: questions that users ask, drawn by `seed`; their answers are known to the simulated users alone.
        test_json: questions that are scored; none of the other files may hold one of them with the same passage.
        thumbs: how many, >= 1; at most as many as the stream has questions.
        rounds: >= 1.
        method: a name in `rejoinder.models.adapters.method.METHODS`; "auto": `DEFAULT_METHOD`.
        precision, progress: see `rejoinder.learning.evaluate_qa.evaluate_qa`.
        settings: of the first training; rounds go on by `rejoinder.learning.evaluate_qa.round_settings`. None: as for `evaluate_qa`.
        feedback: what users give: thumbs; or the right answers instead ("answers"), which is what thumbs could teach at most.
        told: called after each round.

    Raises:
        InvalidInputError: a file cannot be used, a number is out of range, the method trains nothing, or a question of the test is in
            another file.
    """
    started = time.perf_counter()
    check_method(method)
    method = DEFAULT_METHOD if method == AUTO else method
    if method == HEAD:
        raise InvalidInputError(
            "the method 'head' trains nothing that could learn from thumbs: choose an adapter's, such as 'full'"
        )
    if thumbs < 1 or not 1 <= rounds <= thumbs:
        raise InvalidInputError(f"thumbs must be >= 1 and rounds in [1, thumbs], came as {thumbs} and {rounds}")
    train, stream, test = (read_squad_json(path) for path in (train_json, stream_json, test_json))
    _refuse_shared(test, train, stream)
    examples, asked = train.examples(), stream.examples()
    if len(asked) < thumbs:
        raise InvalidInputError(f"{stream.path} has {len(asked)} questions, and {thumbs} thumbs are wanted")
    rng = np.random.default_rng(seed)
    asked = [asked[row] for row in rng.permutation(len(asked))[:thumbs]]
    examples = [examples[row] for row in rng.permutation(len(examples))]
    model = _Model(examples, need_encoder(encoder, method), method, precision, settings, seed, progress)
    right = {one.id[:200]: one.right for one in stream.questions}
    start = _score(model, test)
    found: list[ThumbsRound] = []
    for number in range(rounds):
        part = asked[number * thumbs // rounds : (number + 1) * thumbs // rounds]
        said = model.answer(part)
        goodness = [token_f1(_text(one), right[own.id]) for one, own in zip(said, part, strict=True)]
        ups = [good >= GOOD_F1 for good in goodness]
        thumbs_given = [judged(own, one, up=up) for own, one, up in zip(part, said, ups, strict=True)]
        model.learn(thumbs_given if feedback == "thumbs" else part, number + 1)
        found.append(
            ThumbsRound(
                thumbs=(number + 1) * thumbs // rounds,
                up=sum(ups) / len(ups),
                answered_f1=sum(goodness) / len(goodness),
                **_figures(_score(model, test)),
            )
        )
        if told is not None:
            told(found[-1])
    last = found[-1]
    return QAThumbsReport(
        start=start,
        rounds=tuple(found),
        exact_match=last.exact_match,
        f1=last.f1,
        has_answer_f1=last.has_answer_f1,
        no_answer_f1=last.no_answer_f1,
        f1_gain=last.f1 - start["f1"],
        seconds=time.perf_counter() - started,
        seed=seed,
        feedback=feedback,
        method=method,
        encoder=f"{encoder.name}@{encoder.hash}",
        data={
            name: {"file": one.path.name, "sha256": one.sha256, "questions": len(one.questions)}
            for name, one in (("train", train), ("stream", stream), ("test", test))
        },
        versions=versions(),
    )


def judged(asked: Example, said: Prediction, *, up: bool) -> Example:
    """Return what a thumb on an answer teaches: the span that was given (or that none was), as right or as wrong.

    Args:
        asked: the question with its passage.
    """
    given = said.spans[0] if said.accepted and said.spans else None
    answers = [] if given is None else [{"start": given.start, "end": given.end}]
    return replace(
        asked,
        id=f"thumb:{asked.id}"[:200],
        target={"answers": answers},
        polarity="positive" if up else "negative",
        source="feedback:thumbs",
    )


def write_thumbs_png(report: QAThumbsReport, path: Path) -> None:
    """Draw F1 and exact match on the test, and F1 of the answers given, over the thumbs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    thumbs = [0, *(one.thumbs for one in report.rounds)]
    axes.plot(thumbs, [report.start["f1"], *(one.f1 for one in report.rounds)], marker="o", label="F1, test")
    axes.plot(
        thumbs,
        [report.start["exact_match"], *(one.exact_match for one in report.rounds)],
        marker="o",
        label="exact match, test",
    )
    axes.plot(thumbs[1:], [one.answered_f1 for one in report.rounds], ls="none", marker=".", label="F1, answers given")
    axes.set_xlabel("thumbs")
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


class _Model:
    """A reader that goes on learning; some of the questions that it starts from only calibrate it."""

    def __init__(
        self,
        examples: Sequence[Example],
        encoder: Encoder,
        method: str,
        precision: Precision,
        settings: TrainingSettings | None,
        seed: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        from rejoinder.models.training.base import open_base

        self._encoder, self._method, self._seed, self._progress = encoder, method, seed, progress
        self._base = open_base(encoder.folder)
        apart = max(1, round(_CALIBRATION_SHARE * len(examples)))
        self._calibration, self._known = list(examples[:apart]), list(examples[apart:])
        usual = settings or training_settings(len(examples), precision)
        self._settings = replace(usual, dev_share=0.0, patience=None)
        self._trained = self._train(self._known, self._settings, seed)
        self._learner = self._calibrated()

    def learn(self, thumbs: Sequence[Example], number: int) -> None:
        """Go on with the thumbs of a round, and as many of what was learned before."""
        examples = [*self._known, *thumbs]
        self._trained = self._train(
            examples,
            round_settings(self._settings),
            self._seed + number,
            start=self._trained.warm_start,
            rehearsed=range(len(self._known)),
        )
        self._known = examples
        self._learner = self._calibrated()

    def answer(self, asked: Sequence[Example]) -> list[Prediction]:
        """Answer questions, in order."""
        said: list[Prediction] = []
        for start in range(0, len(asked), _CHUNK):
            part = asked[start : start + _CHUNK]
            inputs = read_examples_with(self._encoder, "qa", part, self._trained.adapter)
            said += self._learner.predict_batch([(one.text, one.other or "") for one in part], inputs)
        return said

    def _train(self, examples: Sequence[Example], settings: TrainingSettings, seed: int, **more: Any) -> Trained:
        from rejoinder.models.training.loop import train
        from rejoinder.models.training.objectives.span import Span

        return train(
            examples,
            Span(),
            base=self._base,
            method=self._method,
            method_settings=method_settings(self._method),
            settings=settings,
            seed=seed,
            report=self._progress,
            **more,
        )

    def _calibrated(self) -> Any:
        from rejoinder.models.tasks.question_answering import QuestionAnswering

        learner = QuestionAnswering(head=self._trained.head)
        inputs = read_examples_with(self._encoder, "qa", self._calibration, self._trained.adapter)
        learner.fit(self._calibration, inputs, seed=self._seed)
        return learner


def _score(model: _Model, test: Questions) -> dict[str, float]:
    said = model.answer(test.examples())
    return answer_report([_text(one) for one in said], [one.right for one in test.questions])


def _figures(found: Mapping[str, float]) -> dict[str, Any]:
    return {name: found.get(name) for name in ("exact_match", "f1", "has_answer_f1", "no_answer_f1")}


def _text(said: Prediction) -> str:
    return said.label if said.accepted else ""


def _refuse_shared(test: Questions, *others: Questions) -> None:
    """Raise InvalidInputError where a question of the test, with its passage, is in another file."""
    scored = {(one.text, one.passage) for one in test.questions}
    for other in others:
        shared = [one.id for one in other.questions if (one.text, one.passage) in scored]
        if shared:
            raise InvalidInputError(
                f"{other.path}: {len(shared)} questions are in {test.path} as well, e.g. {shared[0]!r}: they would be scored on what "
                "they were learned from"
            )
