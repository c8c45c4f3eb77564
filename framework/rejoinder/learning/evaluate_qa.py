"""`rejoinder evaluate qa`: train on one SQuAD file, answer another, through the code that serves."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rejoinder.learning.answer_metrics import answer_report
from rejoinder.learning.evaluate_texts import AUTO, HEAD, check_method, need_encoder
from rejoinder.learning.evaluation_report import EvaluationReport, versions
from rejoinder.learning.squad_json import read_squad_json
from rejoinder.learning.train_task import train_task
from rejoinder.models.tasks.question_answering import MAX_FITTED
from rejoinder.models.tasks.windows import encode_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.models.encoding.tokens import TokenStates
    from rejoinder.models.learner import Learner, Prediction
    from rejoinder.models.training.progress import Progress
    from rejoinder.models.training.settings import Precision, TrainingSettings

DEFAULT_METHOD: Final = "full"
"""A frozen sentence encoder hardly answers at all; full fine-tuning learns the most."""

ROUND_RATE: Final = 1.5e-4
"""Peak rate of the encoder's (or the adapter's) weights in a round that goes on from an earlier training."""

_CHUNK: Final = 128
_TIMED_ROWS: Final = 50
_MOST_HELD_OUT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class QAReport(EvaluationReport):
    """What an evaluation found.

    Attributes:
        exact_match, f1: over all questions, by SQuAD's definition, in [0, 1] (its script prints percentages).
        has_answer_f1, no_answer_f1: over the questions with an answer in their passage, and without; None where there are none.
        ece: calibration error of the answers' confidence to be an exact match, over the questions with an answer.
        train_seconds: all that was done with the training file: training, encoding, fitting.
        predict_ms_p50: median milliseconds for one question, encoding included.
        method: "head", or the method of the adapter that was trained; `training` has what training and fitting measured.
        data: SHA-256 of both files, and how many questions they have.
    """

    exact_match: float
    f1: float
    has_answer_f1: float | None
    no_answer_f1: float | None
    ece: float
    train_seconds: float
    predict_ms_p50: float
    seed: int
    method: str
    encoder: str
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def evaluate_qa(
    train_json: Path | str,
    test_json: Path | str,
    *,
    seed: int = 0,
    encoder: Encoder,
    method: str = DEFAULT_METHOD,
    precision: Precision = "auto",
    settings: TrainingSettings | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> QAReport:
    """Train and fit question answering on one file and score it on another.

    Args:
        train_json: SQuAD 1.1 or 2.0 JSON, plain or gzipped.
        test_json: the same; never used for any choice.
        seed: fixes training and fit.
        encoder: reads questions and passages.
        method: "head": a head on the frozen base; a name in `rejoinder.models.adapters.method.METHODS`; "auto": `DEFAULT_METHOD`.
        precision: of training, where `settings` do not say it.
        settings: how to train an adapter; None: `training_settings`, for as many questions.
        progress: called after each training step.

    Raises:
        InvalidInputError: a file cannot be used; or there is no such method; the message names the file and the place, or the choices.
    """
    check_method(method)
    method = DEFAULT_METHOD if method == AUTO else method
    train, test = read_squad_json(train_json), read_squad_json(test_json)
    encoder = need_encoder(encoder, method)
    started = time.perf_counter()
    examples = train.examples()
    if (
        method == HEAD and len(examples) > MAX_FITTED
    ):  # the learner would draw as many itself, of states that fill gigabytes
        drawn = np.sort(np.random.default_rng(seed).permutation(len(examples))[:MAX_FITTED])
        examples = [examples[row] for row in drawn]
    settings = settings or training_settings(len(examples), precision)
    model = train_task("qa", examples, encoder=encoder, method=method, settings=settings, seed=seed, report=progress)
    learner, adapter = model.learner, model.adapter
    train_seconds = time.perf_counter() - started
    pairs = [(one.text, one.passage) for one in test.questions]
    said: list[Prediction] = []
    for start in range(0, len(pairs), _CHUNK):
        part = pairs[start : start + _CHUNK]
        said += learner.predict_batch(part, _encoded(encoder, part, adapter))
    right = [one.right for one in test.questions]
    metrics = answer_report([one.label if one.accepted else "" for one in said], right)
    return QAReport(
        exact_match=metrics["exact_match"],
        f1=metrics["f1"],
        has_answer_f1=metrics.get("has_answer_f1"),
        no_answer_f1=metrics.get("no_answer_f1"),
        ece=_ece(said, right),
        train_seconds=train_seconds,
        predict_ms_p50=_median_ms(learner, encoder, pairs[:_TIMED_ROWS], adapter),
        seed=seed,
        method=method,
        encoder=f"{encoder.name}@{encoder.hash}",
        training={
            "adapter": None if adapter is None else adapter.id,
            "adapter_bytes": 0 if adapter is None else adapter.nbytes,
            **model.metrics,
        },
        data={
            "train": {"file": train.path.name, "sha256": train.sha256, "questions": len(train.questions)},
            "test": {"file": test.path.name, "sha256": test.sha256, "questions": len(test.questions)},
        },
        versions=versions(),
    )


def training_settings(questions: int, precision: Precision = "auto") -> TrainingSettings:
    """Return how an adapter is trained for question answering.

    Small batches, since few questions make few steps. What is held out (a twentieth, at most 300) is what the learner calibrates itself on.
    """
    from rejoinder.models.training.settings import TrainingSettings

    return TrainingSettings(
        epochs=3,
        batch_size=8,
        learning_rate=2e-4,
        head_learning_rate=1e-3,
        dev_share=min(0.05, _MOST_HELD_OUT / max(1, questions)),
        patience=None,
        precision=precision,
    )


def round_settings(first: TrainingSettings) -> TrainingSettings:
    """Return how a round is trained that goes on from an earlier training, which was trained with `first` settings.

    At a lower rate of the encoder's weights, or the adapter's: they are to be bent by few examples, not learned anew.
    """
    return replace(first, learning_rate=min(ROUND_RATE, first.learning_rate or ROUND_RATE))


def method_settings(method: str) -> Any:
    """Return a method's settings for question answering: full fine-tuning without dropout, as nothing is seen often; None: its defaults."""
    from rejoinder.models.adapters.full.settings import FullSettings

    return FullSettings(dropout=0.0) if method == "full" else None


def _encoded(encoder: Encoder, pairs: Sequence[tuple[str, str]], adapter: Adapter | None) -> list[TokenStates]:
    adapters = None if adapter is None else [adapter] * len(pairs)
    return encode_windows(encoder, pairs, adapters=adapters)


def _ece(said: Sequence[Prediction], right: Sequence[Sequence[str]]) -> float:
    from rejoinder.learning.answer_metrics import exact_match
    from rejoinder.learning.metrics import ece

    rows = [row for row, answers in enumerate(right) if answers]
    return ece(
        [said[row].confidence for row in rows], [exact_match(said[row].label, right[row]) == 1.0 for row in rows]
    )


def _median_ms(learner: Learner, encoder: Encoder, pairs: Sequence[tuple[str, str]], adapter: Adapter | None) -> float:
    times = []
    for pair in pairs:
        started = time.perf_counter()
        learner.predict_batch([pair], _encoded(encoder, [pair], adapter))
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1000)
