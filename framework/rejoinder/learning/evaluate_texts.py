"""Fit on labelled texts of one file, score on another, through the code that serves; what `evaluate intent` and `sentiment` share."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from rejoinder.errors import InvalidInputError, ModelError, did_you_mean
from rejoinder.learning.evaluation_report import EvaluationReport, versions
from rejoinder.learning.few_shot import METHOD as FEW_SHOT_METHOD
from rejoinder.learning.few_shot import is_few, tune
from rejoinder.learning.label_names import with_label_names
from rejoinder.learning.metrics import report
from rejoinder.models.learner import fit_apart
from rejoinder.models.tasks.text_classification import TextClassifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rejoinder.learning.labelled_csv import LabelledTexts
    from rejoinder.models.encoding.encoder import Encoder
    from rejoinder.models.encoding.service import TextEncoder
    from rejoinder.models.learner import Prediction
    from rejoinder.models.training.progress import Progress
    from rejoinder.models.training.settings import TrainingSettings
    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

HEAD: Final = "head"
"""The method that trains no adapter: a head on the frozen base."""

AUTO: Final = "auto"
"""The method that tunes the encoder where labels have few examples, and trains a head alone where they have many."""

_TIMED_ROWS: Final = 200
_SEEN_LABELS: Final = 100
_EPOCHS_BEFORE: Final = 2
"""Most passes over other sets that are trained on first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReport(EvaluationReport):
    """What an evaluation found; see section 8 of docs/architecture.md for the metrics.

    Attributes:
        accuracy, macro_f1, in_scope_accuracy, ece: see `rejoinder.learning.metrics.report`.
        oos_recall, oos_auroc: None without out-of-scope rows in the test file.
        train_seconds: all that was done with the training rows: training, encoding, fitting.
        predict_ms_p50: median milliseconds for one text, encoding included.
        labels: names of rows and columns of `confusion`, sorted.
        confusion: counts, true label by said label; what was rejected counts as the out-of-scope label where there is one.
        unseen_labels: labels of the test file without any training row; their rows count as wrong.
        parts: of parts of the test rows, by name, their number as `rows` and their `accuracy`.
        method: "head", or the method of the adapter that was trained; `training` says how.
        data: SHA-256 of the files, and the rows used of each.
    """

    accuracy: float
    macro_f1: float
    in_scope_accuracy: float
    oos_recall: float | None
    oos_auroc: float | None
    ece: float
    train_seconds: float
    predict_ms_p50: float
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    unseen_labels: tuple[str, ...]
    seed: int
    shots: int | None
    oos_label: str | None
    encoder: str
    method: str = HEAD
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


class Encode(Protocol):
    """Gives the vectors that a head reads."""

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Return (n_texts, dim) float32."""


def evaluate_texts(
    train: LabelledTexts,
    test: LabelledTexts,
    *,
    oos_label: str | None,
    shots: int | None,
    seed: int,
    encoder: TextEncoder,
    method: str = HEAD,
    settings: TrainingSettings | None = None,
    progress: Callable[[Progress], None] | None = None,
    before: Sequence[LabelledTexts] = (),
    parts: Mapping[str, Sequence[int]] | None = None,
    mends_slips: bool = True,
) -> TextReport:
    """Fit a text classifier on one set of texts and score it on another.

    Args:
        train: what to learn from.
        test: never used for any choice.
        oos_label: the label that marks out-of-scope rows, in either set or both.
        shots: rows used of each training label, drawn by `seed`, >= 1; None uses all.
        seed: fixes the draw, training and fit.
        encoder: what makes vectors of texts; for a method that trains an adapter an `Encoder`.
        method: "head": on the frozen base; a name in `rejoinder.models.adapters.method.METHODS`: an adapter is trained first; "auto": as
            `rejoinder.learning.few_shot` does where labels have at most 20 rows on average and the encoder can be tuned, else "head".
        settings: how to train an adapter; None: `training_settings`.
        progress: called after each training step.
        before: other sets that the adapter is trained on first, all at once; texts that are in `test` are left out.
        parts: rows of `test` that are scored by themselves too, by name.
        mends_slips: see `TextClassifier`.

    Raises:
        InvalidInputError: an argument cannot be used; the message names it and the choices.

    Source: training on other sets first is Phang, Févry & Bowman 2018, Sentence Encoders on STILTs (arXiv:1811.01088).
    """
    check_method(method)
    if before and method in (HEAD, AUTO):
        raise InvalidInputError(
            f"method {method!r} trains no adapter, so that there is nothing to train on other sets first"
        )
    before = [without_texts(one, test) for one in before]
    if shots is not None:
        train = _draw(train, shots, seed)
    _check_labels(train, test, oos_label)
    started = time.perf_counter()
    classifier = TextClassifier(oos_label=oos_label, mends_slips=mends_slips)
    examples = with_label_names(classifier, train.examples())
    if method == AUTO:
        method = FEW_SHOT_METHOD if is_few(examples) and _can_be_tuned(encoder) else HEAD
    earlier = [example for one in before for example in one.examples()]
    encode, apart, training = _encode_with(method, examples, encoder, oos_label, settings, seed, progress, earlier)
    fit_apart(classifier, examples, encode([one.text for one in examples]), seed=seed, apart=apart)
    train_seconds = time.perf_counter() - started
    predictions = _predict(classifier, encode, test.texts)
    metrics = report(test.labels, predictions, oos_label=oos_label)
    outside = oos_label if oos_label in test.labels else None
    said = [one.label if one.accepted or outside is None else outside for one in predictions]
    labels = tuple(sorted({*test.labels, *said}))
    return TextReport(
        accuracy=metrics["accuracy"],
        macro_f1=metrics["macro_f1"],
        in_scope_accuracy=metrics["in_scope_accuracy"],
        oos_recall=metrics.get("oos_recall"),
        oos_auroc=metrics.get("oos_auroc"),
        ece=metrics["ece"],
        train_seconds=train_seconds,
        predict_ms_p50=_median_ms(classifier, encode, test.texts[:_TIMED_ROWS]),
        labels=labels,
        confusion=_confusion(test.labels, said, labels),
        unseen_labels=tuple(sorted(set(test.labels) - set(train.labels) - {oos_label})),
        seed=seed,
        shots=shots,
        oos_label=oos_label,
        encoder=f"{encoder.name}@{encoder.hash}",
        method=method,
        parts={name: _part(test.labels, said, rows) for name, rows in (parts or {}).items()},
        training=training,
        data={
            "train": _described(train),
            "test": _described(test),
            **({"before": [_described(one) for one in before]} if before else {}),
        },
        versions=versions(),
    )


def without_texts(rows: LabelledTexts, test: LabelledTexts) -> LabelledTexts:
    """Return rows without those whose text stands in a test set, whatever its case, spaces and punctuation, and of whichever entity.

    Raises:
        InvalidInputError: nothing is left.
    """
    tested = {_key(text) for text in test.plain_texts}
    kept = [row for row, text in enumerate(rows.plain_texts) if _key(text) not in tested]
    if not kept:
        raise InvalidInputError(
            f"all texts of {rows.path} stand in {test.path}, so that nothing of it can be learned from"
        )
    return rows.take(kept)


def write_confusion_png(report: TextReport, path: Path) -> None:
    """Draw the confusion matrix, rows normalised, labels named where there are at most 100."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = np.array(report.confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(24.0, max(5.0, 0.22 * len(report.labels) + 2))
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    axes.set_title(f"accuracy {report.accuracy:.3f}, macro F1 {report.macro_f1:.3f}")
    if len(report.labels) <= _SEEN_LABELS:
        # Dollar signs would be read as mathematics.
        names = [name.replace("$", r"\$") for name in report.labels]
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the true label's rows")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def check_method(method: str) -> None:
    """Refuse a method that there is not.

    Raises:
        InvalidInputError: it is neither "auto" nor "head" nor a method of adaptation; the message lists the choices.
    """
    from rejoinder.models.adapters.method import METHODS

    choices = (AUTO, HEAD, *METHODS)
    if method not in choices:
        raise InvalidInputError(
            f"no method {method!r}: choose one of {', '.join(choices)}.{did_you_mean(method, choices)}"
        )


def need_encoder(encoder: object, method: str) -> Encoder:
    """Return the encoder, if adapters can be trained on it.

    Raises:
        ModelError: they cannot.
    """
    from rejoinder.models.encoding.encoder import Encoder

    if not isinstance(encoder, Encoder):
        raise ModelError(f"method {method!r} trains an adapter, which needs a model; {type(encoder).__name__} has none")
    return encoder


def _can_be_tuned(encoder: object) -> bool:
    from rejoinder.models.encoding.encoder import Encoder

    return isinstance(encoder, Encoder)


def _encode_with(
    method: str,
    examples: Sequence[Example],
    encoder: TextEncoder,
    oos_label: str | None,
    settings: TrainingSettings | None,
    seed: int,
    progress: Callable[[Progress], None] | None,
    before: Sequence[Example] = (),
) -> tuple[Encode, list[int], dict[str, Any]]:
    """Return what encodes texts, with the adapter trained for them where the method trains one; the places of examples that it was not
    trained on although they are in scope; and what to report of that.

    Out-of-scope rows are no class of their own: an adapter that pulled them together would teach the encoder what strangers look like in
    this file, and no other ones.
    """
    if method == HEAD:
        return encoder.encode, [], {}
    from rejoinder.models.training.base import open_base
    from rejoinder.models.training.loop import train as train_adapter
    from rejoinder.models.training.objectives.classification import Classification

    model = need_encoder(encoder, method)
    places = [place for place, one in enumerate(examples) if one.label != oos_label]
    inside = [examples[place] for place in places]
    if method == FEW_SHOT_METHOD and is_few(inside) and not before:
        vectors = model.encode([one.text for one in inside])
        trained = tune(inside, vectors, encoder=model, settings=settings, seed=seed, report=progress)
    else:
        base, start = open_base(model.folder), None
        how = settings or training_settings()
        if before:
            first = train_adapter(
                before,
                Classification.of(before),
                base=base,
                method=method,
                settings=replace(how, epochs=min(how.epochs, _EPOCHS_BEFORE), dev_share=0.0),
                seed=seed,
                report=progress,
            )
            start = first.warm_start
        trained = train_adapter(
            inside,
            Classification.of(inside),
            base=base,
            method=method,
            settings=how,
            seed=seed,
            start=start,
            report=progress,
        )

    def encode(texts: Sequence[str]) -> Floats:
        return model.encode(texts, adapters=[trained.adapter] * len(texts))

    return (
        encode,
        [places[place] for place in trained.held_out],
        {
            "adapter": trained.adapter.id,
            "adapter_bytes": trained.adapter.nbytes,
            "steps": trained.steps,
            "seconds": trained.seconds,
            **trained.metrics,
        },
    )


def training_settings() -> TrainingSettings:
    """Return how an adapter is trained for texts: three epochs (chosen on splits of Financial PhraseBank's training part).

    What is held out, a twentieth, is what the head learns from how sure to be.
    """
    from rejoinder.models.training.settings import TrainingSettings

    return TrainingSettings(epochs=3, dev_share=0.05, patience=None)


def _draw(train: LabelledTexts, shots: int, seed: int) -> LabelledTexts:
    if shots < 1:
        raise InvalidInputError(f"shots must be >= 1, came as {shots}")
    rng = np.random.default_rng(seed)
    labels = np.array(train.labels)
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(labels == label))[:shots] for label in sorted(set(train.labels))]
    )
    return train.take([int(row) for row in np.sort(rows)])


def _check_labels(train: LabelledTexts, test: LabelledTexts, oos_label: str | None) -> None:
    known = set(train.labels)
    if oos_label is not None and oos_label not in known | set(test.labels):
        raise InvalidInputError(
            f"no row of {train.path} or {test.path} has the out-of-scope label {oos_label!r}.{did_you_mean(oos_label, known)}"
        )
    if not known - {oos_label}:
        raise InvalidInputError(f"{train.path} has no row in scope: all are labelled {oos_label!r}")


def _key(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _described(rows: LabelledTexts) -> dict[str, Any]:
    return {"file": rows.path.name, "sha256": rows.sha256, "rows": len(rows.texts)}


def _part(truth: Sequence[str], said: Sequence[str], rows: Sequence[int]) -> dict[str, float]:
    right = sum(truth[row] == said[row] for row in rows)
    return {"rows": len(rows), "accuracy": right / max(1, len(rows))}


def _confusion(truth: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    place = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, ([place[label] for label in truth], [place[label] for label in said]), 1)
    return tuple(tuple(int(count) for count in row) for row in counts)


def _predict(classifier: TextClassifier, encode: Encode, texts: Sequence[str]) -> list[Prediction]:
    asked = [classifier.spelled(text) for text in texts]
    return classifier.predict_batch(asked, encode(asked))


def _median_ms(classifier: TextClassifier, encode: Encode, texts: Sequence[str]) -> float:
    times = []
    for text in texts:
        started = time.perf_counter()
        _predict(classifier, encode, [text])
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1000)
