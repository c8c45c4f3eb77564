"""`rejoinder evaluate intent`: fit on one file, score on another, through the code that serves."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rejoinder.errors import InvalidInputError, did_you_mean
from rejoinder.learning.labelled_csv import LabelledTexts, read_labelled_csv
from rejoinder.learning.metrics import report
from rejoinder.models.tasks.text_classification import TextClassifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rejoinder.models.encoding.service import TextEncoder

_PACKAGES: Final = ("rejoinder", "numpy", "scipy", "scikit-learn", "torch", "transformers")
_TIMED_ROWS: Final = 200
_SEEN_LABELS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentReport:
    """What an evaluation found; see section 8 of docs/architecture.md for the metrics.

    Attributes:
        accuracy, macro_f1, in_scope_accuracy, ece: see `rejoinder.learning.metrics.report`.
        oos_recall, oos_auroc: None without out-of-scope rows in the test file.
        train_seconds: encoding and fitting of the training rows.
        predict_ms_p50: median milliseconds for one text, encoding included.
        labels: names of rows and columns of `confusion`, sorted.
        confusion: counts, true label by said label; what was rejected counts as the out-of-scope label where there is one.
        unseen_labels: labels of the test file without any training row; their rows count as wrong.
        data: SHA-256 of both files, and the rows used of each.
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
    data: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can say, field by field."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the report as JSON; the folder is made if need be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def evaluate_intent(
    train_csv: Path | str,
    test_csv: Path | str,
    *,
    oos_label: str | None = None,
    shots: int | None = None,
    seed: int = 0,
    encoder: TextEncoder,
) -> IntentReport:
    """Fit a text classifier on one file and score it on another.

    Args:
        train_csv: CSV with header `text,label`, plain or gzipped.
        test_csv: the same; never used for any choice.
        oos_label: the label that marks out-of-scope rows, in either file or both.
        shots: rows used of each training label, drawn by `seed`, >= 1; None uses all.
        seed: fixes the draw and the fit.
        encoder: what makes vectors of texts.

    Raises:
        InvalidInputError: a file or argument cannot be used; the message names file and line, or the argument and the choices.
    """
    train, test = read_labelled_csv(train_csv), read_labelled_csv(test_csv)
    if shots is not None:
        train = _draw(train, shots, seed)
    _check_labels(train, test, oos_label)
    started = time.perf_counter()
    classifier = TextClassifier(oos_label=oos_label)
    classifier.fit(train.examples(), encoder.encode(train.texts), seed=seed)
    train_seconds = time.perf_counter() - started
    predictions = classifier.predict_batch(test.texts, encoder.encode(test.texts))
    metrics = report(test.labels, predictions, oos_label=oos_label)
    outside = oos_label if oos_label in test.labels else None
    said = [one.label if one.accepted or outside is None else outside for one in predictions]
    labels = tuple(sorted({*test.labels, *said}))
    return IntentReport(
        accuracy=metrics["accuracy"],
        macro_f1=metrics["macro_f1"],
        in_scope_accuracy=metrics["in_scope_accuracy"],
        oos_recall=metrics.get("oos_recall"),
        oos_auroc=metrics.get("oos_auroc"),
        ece=metrics["ece"],
        train_seconds=train_seconds,
        predict_ms_p50=_median_ms(classifier, encoder, test.texts[:_TIMED_ROWS]),
        labels=labels,
        confusion=_confusion(test.labels, said, labels),
        unseen_labels=tuple(sorted(set(test.labels) - set(train.labels) - {oos_label})),
        seed=seed,
        shots=shots,
        oos_label=oos_label,
        encoder=f"{encoder.name}@{encoder.hash}",
        data={
            "train": {"file": train.path.name, "sha256": train.sha256, "rows": len(train.texts)},
            "test": {"file": test.path.name, "sha256": test.sha256, "rows": len(test.texts)},
        },
        versions=_versions(),
    )


def write_confusion_png(report: IntentReport, path: Path) -> None:
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


def _confusion(truth: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    place = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, ([place[label] for label in truth], [place[label] for label in said]), 1)
    return tuple(tuple(int(count) for count in row) for row in counts)


def _median_ms(classifier: TextClassifier, encoder: TextEncoder, texts: Sequence[str]) -> float:
    times = []
    for text in texts:
        started = time.perf_counter()
        classifier.predict_batch([text], encoder.encode([text]))
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1000)


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed as a package"
    return found
