"""Several labels for one text: ridge regression on vectors, with a calibrated probability and a threshold of its own for each label."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from scipy import linalg

from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.heads.logistic import Platt
from rejoinder.models.learner import Prediction, Reads
from rejoinder.models.tasks.digests import digests_of
from rejoinder.models.tasks.targets import labelled_rows, labels_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

KIND: Final = "multi_label/1"

MAX_ROWS: Final = 16_000
"""Most examples that are kept; of more, the last ones."""

_RIDGES: Final = (0.01, 0.1, 1.0, 10.0)
_SHARPNESS: Final = Platt(8.0, -4.0)
"""From a ridge score (about 0 without the label, towards 1 with it) to a probability, where nothing better is known."""

_FEWEST_FOR_THRESHOLD: Final = 5
_MOST_WEIGHT: Final = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All that predictions and updates need; replaced as a whole. Rows of `x` end in a 1, for the offset."""

    labels: tuple[str, ...]
    x: Floats
    holds: Floats
    weights: Floats
    texts: NDArray[np.int64]
    ridge: float
    coefficients: Floats
    curves: tuple[Platt, ...]
    thresholds: Floats


class MultiLabelClassifier:
    """Say which of several labels hold for a text; any number may, or none.

    An example's `target` is the list of its labels, [] for a text that none fits; without `target` its one `label` counts. Of an example
    with polarity "negative" it is known only that these labels do not hold: it lowers them and leaves all others as they are.

    `Prediction.labels` are those that hold, `ranking` has each label's probability on its own (they do not add up to 1), `label` is the
    likeliest and `accepted` says whether any holds.

    Args:
        labels: labels known in advance; others are learned from examples. One without any example is never said to hold.
        top_k: how many labels `Prediction.ranking` holds, >= 1.

    Source: ridge regression with closed-form leave-one-out scores (Allen 1974's PRESS), to which Platt's curve and the threshold of the
    best F1 are fitted label by label (Lipton, Elkan & Naryanaswamy 2014, arXiv:1402.1892). Labels with few examples borrow the threshold
    of all.
    """

    reads: ClassVar[Reads] = "vectors"
    several_labels: ClassVar[bool] = True

    def __init__(self, *, labels: Sequence[str] = (), top_k: int = 10) -> None:
        """Nothing is known before `fit`, `update` or `load`; see the class for arguments."""
        self._known_labels = tuple(dict.fromkeys(labels))
        self._top_k = top_k
        self._state: _State | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels known now."""
        return self._state.labels if self._state else self._known_labels

    def fit(self, examples: Sequence[Example], vectors: Floats, /, *, seed: int) -> Mapping[str, float]:
        """Learn from nothing, in about 1 s for 10,000 examples; chance plays no part. See `Learner.fit`.

        Returns:
            `train_seconds`, `examples`, and from scores of examples left out: `micro_f1`, `macro_f1`.
        """
        started = time.perf_counter()
        rows, said = _usable(examples, vectors)
        kept = [row for row in rows if examples[row].polarity != "negative"][-MAX_ROWS:]
        if not kept:
            raise InvalidInputError("nothing to learn from: no example has a text, labels and a weight above 0")
        labels = tuple(dict.fromkeys([*self._known_labels, *sorted({label for row in kept for label in said[row]})]))
        if not labels:
            raise InvalidInputError(
                "nothing to learn from: no example has a label, and no labels were given in advance"
            )
        x = _with_offset(vectors[kept])
        holds = _holds([said[row] for row in kept], labels)
        weights = _importance(examples, kept)
        ridge, left_out = _choose_ridge(x, holds, weights)
        curves, thresholds = _decide(left_out, holds > 0)
        state = _State(
            labels,
            x,
            holds,
            weights,
            digests_of([examples[row].text for row in kept]),
            ridge,
            _solve(x, holds, weights, ridge),
            curves,
            thresholds,
        )
        self._state = state
        negative = [row for row in rows if examples[row].polarity == "negative"]
        if negative:
            self.update([examples[row] for row in negative], vectors[negative])
        likely = np.stack([curve.probability(left_out[:, place]) for place, curve in enumerate(curves)], axis=1)
        figures = _figures(holds > 0, likely >= thresholds)
        return {"train_seconds": time.perf_counter() - started, "examples": float(len(kept)), **figures}

    def update(self, examples: Sequence[Example], vectors: Floats, /) -> None:
        """Add examples in 1 ms (500 known) to 100 ms (16,000); see `Learner.update`. Thresholds stay until the next fit."""
        rows, said = _usable(examples, vectors)
        if self._state is None:
            if any(examples[row].polarity != "negative" for row in rows):
                self.fit(examples, vectors, seed=0)
            return
        last = {examples[row].text: row for row in rows}
        rows = sorted(last.values())
        if not rows:
            return
        state = _with_labels(self._state, [label for row in rows for label in said[row]])
        x = _with_offset(vectors[rows])
        holds = _holds([said[row] for row in rows], state.labels)
        for place, row in enumerate(rows):
            if examples[row].polarity == "negative":
                untold = np.clip(x[place] @ state.coefficients, 0.0, 1.0)
                holds[place] = np.where(holds[place] > 0, 0.0, untold)
        digests = digests_of([examples[row].text for row in rows])
        old = ~np.isin(state.texts, digests)
        x = np.concatenate([state.x[old], x])[-MAX_ROWS:]
        holds = np.concatenate([state.holds[old], holds])[-MAX_ROWS:]
        weights = np.concatenate([state.weights[old], _importance(examples, rows)])[-MAX_ROWS:]
        self._state = replace(
            state,
            x=x,
            holds=holds,
            weights=weights,
            texts=np.concatenate([state.texts[old], digests])[-MAX_ROWS:],
            coefficients=_solve(x, holds, weights, state.ridge),
        )

    def predict_batch(self, texts: Sequence[str], vectors: Floats, /) -> list[Prediction]:
        """Predict, in order; see `Learner.predict_batch`."""
        state = self._ready()
        if not len(texts):
            return []
        likely = self._likely(state, vectors)
        found = []
        for row in likely:
            order = np.argsort(-row, kind="stable")
            labels = tuple(state.labels[place] for place in order if row[place] >= state.thresholds[place])
            best = int(order[0])
            found.append(
                Prediction(
                    label=state.labels[best],
                    confidence=float(row[best]),
                    ranking=tuple((state.labels[place], float(row[place])) for place in order[: self._top_k]),
                    in_scope=float(row[best]),
                    accepted=bool(labels),
                    labels=labels,
                )
            )
        return found

    def evaluate(self, examples: Sequence[Example], vectors: Floats, /) -> Mapping[str, float]:
        """Return `micro_f1`, `macro_f1` (of the labels that occur), `exact_match` (all labels of a text right) and `ece`."""
        from rejoinder.learning.metrics import ece

        state = self._ready()
        rows, said = _usable(examples, vectors)
        rows = [row for row in rows if examples[row].polarity != "negative"]
        labels = tuple(dict.fromkeys([*state.labels, *(label for row in rows for label in said[row])]))
        truth = _holds([said[row] for row in rows], labels) > 0
        likely = np.zeros(truth.shape, dtype=np.float32)
        likely[:, : len(state.labels)] = self._likely(state, vectors[rows])
        limits = np.full(len(labels), np.inf, dtype=np.float32)
        limits[: len(state.labels)] = state.thresholds
        return {**_figures(truth, likely >= limits), "ece": ece(likely.ravel().tolist(), truth.ravel().tolist())}

    def save(self, folder: Path) -> None:
        """Write the model; see `Learner.save`."""
        state = self._ready()
        arrays: dict[str, NDArray[Any]] = {
            "x": state.x,
            "holds": state.holds,
            "weights": state.weights,
            "texts": state.texts,
            "coefficients": state.coefficients,
            "thresholds": state.thresholds,
        }
        settings = {
            "labels": list(state.labels),
            "ridge": state.ridge,
            "curves": [list(curve) for curve in state.curves],
            "known_labels": list(self._known_labels),
            "top_k": self._top_k,
        }
        save_artefact(Path(folder), kind=KIND, arrays=arrays, settings=settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see `Learner.load`."""
        arrays, settings = load_artefact(Path(folder), kind=KIND)
        made = cls(labels=settings["known_labels"], top_k=settings["top_k"])
        made._state = _State(
            labels=tuple(settings["labels"]),
            ridge=settings["ridge"],
            curves=tuple(Platt(*curve) for curve in settings["curves"]),
            **arrays,
        )
        return made

    def size(self) -> int:
        """Bytes in memory, 0 before anything is learned."""
        state = self._state
        if state is None:
            return 0
        arrays = (state.x, state.holds, state.weights, state.texts, state.coefficients, state.thresholds)
        return sum(int(array.nbytes) for array in arrays)

    def _ready(self) -> _State:
        if self._state is None:
            raise ModelNotReadyError("this classifier has learned nothing yet: call fit or load first")
        return self._state

    def _likely(self, state: _State, vectors: Floats) -> Floats:
        """(n, n_labels) probabilities."""
        scores = _with_offset(vectors) @ state.coefficients
        found = [curve.probability(scores[:, place]) for place, curve in enumerate(state.curves)]
        return np.stack(found, axis=1).astype(np.float32)


def _usable(examples: Sequence[Example], vectors: Floats) -> tuple[list[int], dict[int, tuple[str, ...]]]:
    """Rows that say which labels hold, and these; of one text where a correction is among them, only the last correction."""
    if getattr(vectors, "ndim", 0) != 2:
        raise InvalidInputError(f"vectors must have the shape (n_examples, dim), came as {np.shape(vectors)}")
    rows = labelled_rows(examples, vectors)
    if not np.isfinite(vectors).all():
        raise InvalidInputError("vectors must be finite")
    said = {row: found for row in rows if (found := labels_of(examples[row])) is not None}
    corrected = {examples[row].text: row for row in said if examples[row].polarity == "correction"}
    return [row for row in said if corrected.get(examples[row].text, row) == row], said


def _with_offset(vectors: Floats) -> Floats:
    found: Floats = np.concatenate([vectors, np.ones((len(vectors), 1))], axis=1).astype(np.float32)
    return found


def _holds(said: Sequence[Sequence[str]], labels: Sequence[str]) -> Floats:
    """(n, n_labels), 1 where a label holds."""
    place = {label: column for column, label in enumerate(labels)}
    found = np.zeros((len(said), len(labels)), dtype=np.float32)
    for row, own in enumerate(said):
        found[row, [place[label] for label in own]] = 1.0
    return found


def _importance(examples: Sequence[Example], rows: Sequence[int]) -> Floats:
    return np.clip(np.array([examples[row].weight for row in rows], dtype=np.float32), 1e-3, _MOST_WEIGHT)


def _choose_ridge(x: Floats, holds: Floats, weights: Floats) -> tuple[float, Floats]:
    """Return the ridge with the least squared error of rows left out, and their scores (n, n_labels) under it."""
    root = np.sqrt(weights)[:, None]
    wide, targets = (x * root).astype(np.float64), (holds * root).astype(np.float64)
    values, basis = np.linalg.eigh(wide.T @ wide)
    turned, aim = wide @ basis, basis.T @ (wide.T @ targets)
    best: tuple[float, float, Floats] | None = None
    for ridge in _RIDGES:
        shrink = 1 / (np.maximum(values, 0.0) + ridge)
        residual = targets - turned @ (shrink[:, None] * aim)
        lever = np.minimum((turned**2) @ shrink, 1 - 1e-9)
        residual /= (1 - lever)[:, None]
        error = float((residual**2).mean())
        if best is None or error < best[0]:
            best = (error, ridge, (holds - residual / root).astype(np.float32))
    assert best is not None  # noqa: S101 - there are ridges to choose from
    return best[1], best[2]


def _solve(x: Floats, holds: Floats, weights: Floats, ridge: float) -> Floats:
    weighted = x * weights[:, None]
    square = (weighted.T @ x).astype(np.float64)
    square[np.diag_indices(len(square))] += ridge
    found = linalg.solve(square, (weighted.T @ holds).astype(np.float64), assume_a="pos")
    return np.asarray(found, dtype=np.float32)


def _decide(scores: Floats, truth: NDArray[np.bool_]) -> tuple[tuple[Platt, ...], Floats]:
    """Fit each label's curve and threshold to scores of rows left out."""
    shared = Platt.fitted(scores.ravel(), truth.ravel(), prior=_SHARPNESS)
    curves = tuple(Platt.fitted(scores[:, place], truth[:, place], prior=shared) for place in range(truth.shape[1]))
    likely = np.stack([curve.probability(scores[:, place]) for place, curve in enumerate(curves)], axis=1)
    common = _best_threshold(likely.ravel(), truth.ravel())
    counts = truth.sum(axis=0)
    limits = [
        np.inf
        if not count
        else _best_threshold(likely[:, place], truth[:, place])
        if count >= _FEWEST_FOR_THRESHOLD
        else common
        for place, count in enumerate(counts)
    ]
    return curves, np.array(limits, dtype=np.float32)


def _best_threshold(likely: Floats, truth: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1, half-way to the next lower probability."""
    if not truth.any():
        return 0.5
    order = np.argsort(-likely, kind="stable")
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + truth.sum())
    at = int(np.argmax(f1))
    lower = likely[order[at + 1]] if at + 1 < len(order) else 0.0
    return float((likely[order[at]] + lower) / 2)


def _figures(truth: NDArray[np.bool_], said: NDArray[np.bool_]) -> dict[str, float]:
    both = (truth & said).sum(axis=0)
    sums = truth.sum(axis=0) + said.sum(axis=0)
    own = 2 * both[sums > 0] / sums[sums > 0]
    return {
        "micro_f1": float(2 * both.sum() / max(1, sums.sum())),
        "macro_f1": float(own.mean()) if len(own) else 0.0,
        "exact_match": float((truth == said).all(axis=1).mean()) if len(truth) else 0.0,
    }


def _with_labels(state: _State, labels: Sequence[str]) -> _State:
    """Add columns for labels that are new; they use the usual curve, and hold from a probability of a half on."""
    new = [label for label in dict.fromkeys(labels) if label not in state.labels]
    # A label that was known without any example can hold from its first example on.
    thresholds = np.where(np.isinf(state.thresholds) & np.isin(state.labels, list(labels)), 0.5, state.thresholds)
    state = replace(state, thresholds=thresholds.astype(np.float32))
    if not new:
        return state
    return replace(
        state,
        labels=(*state.labels, *new),
        holds=np.pad(state.holds, ((0, 0), (0, len(new)))),
        coefficients=np.pad(state.coefficients, ((0, 0), (0, len(new)))),
        curves=(*state.curves, *([_SHARPNESS] * len(new))),
        thresholds=np.append(state.thresholds, [np.float32(0.5)] * len(new)).astype(np.float32),
    )
