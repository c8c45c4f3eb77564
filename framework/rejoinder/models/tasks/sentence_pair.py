"""Do two texts mean the same, or does one answer the other: a calibrated probability from both vectors and the words they share."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

import numpy as np

from rejoinder.errors import InvalidInputError, ModelNotReadyError, did_you_mean
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.heads.logistic import Logistic, Platt, folds
from rejoinder.models.learner import Prediction, Reads
from rejoinder.models.tasks.targets import labelled_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

KIND: Final = "sentence_pair/1"
YES: Final = "yes"
NO: Final = "no"

MAX_ROWS: Final = 20_000
"""Most examples that are fitted; of more, as many are drawn."""

_FOLDS: Final = 5
_RIDGES: Final = (10.0, 100.0, 1000.0)
_FEW_RIDGE: Final = 0.1
_MOST_WORDS_CHARS: Final = 4096
_MOST_WEIGHT: Final = 10.0
_CORRECTION: Final = 5.0
_WORD: Final = re.compile(r"\w+")
_OVERLAPS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All that predictions need; replaced as a whole."""

    head: Logistic
    curve: Platt
    threshold: float


class SentencePairScorer:
    """Score whether `text` and `other` belong together: mean the same, or are question and answer; what it means, examples say.

    An example's `label` is "yes" or "no" (with polarity "negative" the other way round). `Prediction.label` is "yes" or "no" too, and
    `accepted` is True for "yes"; `probability_of` gives the score itself.

    The score is not symmetric: a question and its answer may be told apart. Memory does not grow with the examples: an update adjusts the
    coefficients, and a corrected pair counts five times.

    Args:
        threshold: from which probability on the answer is "yes", in [0, 1]; None: learned for the best F1 of "yes".

    Source: features |u - v| and u * v of Conneau et al. 2017, InferSent (arXiv:1705.02364), cosine and shares of common words, in a
    logistic regression (`rejoinder.models.heads.logistic`) with Platt's curve on scores of pairs left out.
    """

    reads: ClassVar[Reads] = "pairs"

    def __init__(self, *, threshold: float | None = None) -> None:
        """Nothing is known before `fit`, `update` or `load`; see the class for arguments."""
        if threshold is not None and not 0 <= threshold <= 1:
            raise InvalidInputError(f"threshold must be in [0, 1], came as {threshold}")
        self._threshold = threshold
        self._state: _State | None = None

    def fit(self, examples: Sequence[Example], vectors: Floats, /, *, seed: int) -> Mapping[str, float]:
        """Learn from nothing, in about 5 s for 10,000 pairs; see `Learner.fit`.

        Args:
            vectors: (n, 2, dim) float32, of `text` and of `other`.

        Returns:
            `train_seconds`, `examples`, and from scores of pairs left out: `accuracy`, `f1` (of "yes").

        Raises:
            InvalidInputError: there is no pair labelled "yes", or none labelled "no"; or as `Learner.fit`.
        """
        started = time.perf_counter()
        rows = _usable(examples, vectors)
        rows = [rows[i] for i in np.sort(np.random.default_rng(seed).permutation(len(rows))[:MAX_ROWS])]
        truth = np.array([_is_yes(examples[row]) for row in rows], dtype=np.intp)
        if not truth.any() or truth.all():
            raise InvalidInputError(
                f"pairs of both kinds are needed to learn from: {int(truth.sum())} say {YES!r} and {int((1 - truth).sum())} say {NO!r}"
            )
        x = _features([(examples[row].text, examples[row].other or "") for row in rows], vectors[rows])
        weights = _importance(examples, rows)
        ridge, scores = _choose_ridge(x, truth, weights, seed)
        right = truth == 1
        curve = Platt.fitted(scores, right)
        likely = curve.probability(scores)
        threshold = self._threshold if self._threshold is not None else _best_threshold(likely, right)
        self._state = _State(_unknown(x.shape[1], ridge).learned(x, truth, weights), curve, threshold)
        return {
            "train_seconds": time.perf_counter() - started,
            "examples": float(len(rows)),
            **_figures(likely >= threshold, right),
        }

    def update(self, examples: Sequence[Example], vectors: Floats, /) -> None:
        """Adjust the coefficients by a few pairs, in milliseconds; see `Learner.update` and the class."""
        rows = _usable(examples, vectors)
        if not rows:
            return
        if self._state is None:
            self.fit(examples, vectors, seed=0)
            return
        x = _features([(examples[row].text, examples[row].other or "") for row in rows], vectors[rows])
        truth = np.array([_is_yes(examples[row]) for row in rows], dtype=np.intp)
        corrected = np.array([examples[row].polarity == "correction" for row in rows])
        weights = _importance(examples, rows) * np.where(corrected, np.float32(_CORRECTION), np.float32(1))
        state = self._state
        self._state = _State(state.head.learned(x, truth, weights), state.curve, state.threshold)

    def predict_batch(self, texts: Sequence[tuple[str, str]], vectors: Floats, /) -> list[Prediction]:
        """Predict pairs, in order; see `Learner.predict_batch`."""
        state = self._ready()
        if not len(texts):
            return []
        _check(vectors, len(texts))
        found = []
        for likely in _likely(state, _features(texts, vectors)):
            ranking = sorted(((YES, float(likely)), (NO, float(1 - likely))), key=lambda one: -one[1])
            accepted = bool(likely >= state.threshold)
            label = YES if accepted else NO
            found.append(
                Prediction(
                    label=label,
                    confidence=dict(ranking)[label],
                    ranking=tuple(ranking),
                    in_scope=1.0,
                    accepted=accepted,
                )
            )
        return found

    def evaluate(self, examples: Sequence[Example], vectors: Floats, /) -> Mapping[str, float]:
        """Return `accuracy`, `f1` (of "yes"), `ece`, and `auroc` where there are pairs of both kinds."""
        from sklearn.metrics import roc_auc_score

        from rejoinder.learning.metrics import ece

        state = self._ready()
        rows = _usable(examples, vectors)
        right = np.array([_is_yes(examples[row]) for row in rows], dtype=np.bool_)
        texts = [(examples[row].text, examples[row].other or "") for row in rows]
        likely = _likely(state, _features(texts, vectors[rows])) if rows else np.zeros(0, dtype=np.float32)
        found = {**_figures(likely >= state.threshold, right), "ece": ece(likely.tolist(), right.tolist())}
        if right.any() and not right.all():
            found["auroc"] = float(roc_auc_score(right, likely))
        return found

    def save(self, folder: Path) -> None:
        """Write the model; see `Learner.save`."""
        state = self._ready()
        settings = {
            "curve": list(state.curve),
            "learned_threshold": state.threshold,
            "threshold": self._threshold,
        }
        save_artefact(Path(folder), kind=KIND, arrays=state.head._asdict(), settings=settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see `Learner.load`."""
        arrays, settings = load_artefact(Path(folder), kind=KIND)
        made = cls(threshold=settings["threshold"])
        made._state = _State(Logistic(**arrays), Platt(*settings["curve"]), settings["learned_threshold"])
        return made

    def size(self) -> int:
        """Bytes in memory, 0 before anything is learned."""
        return self._state.head.nbytes if self._state else 0

    def _ready(self) -> _State:
        if self._state is None:
            raise ModelNotReadyError("this scorer has learned nothing yet: call fit or load first")
        return self._state


def probability_of(prediction: Prediction) -> float:
    """Return the probability that the two texts belong together, in [0, 1]."""
    return dict(prediction.ranking)[YES]


def _check(vectors: Floats, count: int) -> None:
    if getattr(vectors, "ndim", 0) != 3 or vectors.shape[:2] != (count, 2):
        raise InvalidInputError(
            f"vectors must have the shape ({count}, 2, dim), one row for each pair, came as {np.shape(vectors)}"
        )
    if not np.isfinite(vectors).all():
        raise InvalidInputError("vectors must be finite")


def _usable(examples: Sequence[Example], vectors: Floats) -> list[int]:
    _check(vectors, len(examples))
    rows = []
    for row in labelled_rows(examples, vectors):
        example = examples[row]
        if example.label is None or not (example.other or "").strip():
            continue
        if example.label not in (YES, NO):
            raise InvalidInputError(
                f"example {example.id!r}: the label of a pair must be {YES!r} or {NO!r}, came as {example.label!r}."
                f"{did_you_mean(example.label, (YES, NO))}"
            )
        rows.append(row)
    return rows


def _is_yes(example: Example) -> bool:
    return (example.label == YES) != (example.polarity == "negative")


def _importance(examples: Sequence[Example], rows: Sequence[int]) -> Floats:
    return np.clip(np.array([examples[row].weight for row in rows], dtype=np.float32), 1e-3, _MOST_WEIGHT)


def _features(texts: Sequence[tuple[str, str]], vectors: Floats) -> Floats:
    """(n, 2 dim + 1 + overlaps): |u - v| and u * v scaled to the size of 1, cosine, overlaps."""
    first, second = vectors[:, 0], vectors[:, 1]
    dim = vectors.shape[2]
    apart = np.abs(first - second) * np.float32(dim**0.5)
    both = first * second * np.float32(dim)
    cosine = (first * second).sum(axis=1, keepdims=True) * np.float32(4)
    shared = np.array([_overlap(*pair) for pair in texts], dtype=np.float32).reshape(-1, _OVERLAPS)
    return np.concatenate([apart, both, cosine, shared], axis=1, dtype=np.float32)


def _overlap(text: str, other: str) -> tuple[float, ...]:
    """Share of common words in all, in the first and in the second; common numbers; equal beginnings. All in [0, 1]."""
    one, two = _WORD.findall(text[:_MOST_WORDS_CHARS].lower()), _WORD.findall(other[:_MOST_WORDS_CHARS].lower())
    first, second = set(one), set(two)
    common = len(first & second)
    digits_one, digits_two = {word for word in first if word.isdigit()}, {word for word in second if word.isdigit()}
    digits = digits_one | digits_two
    return (
        common / max(1, len(first | second)),
        common / max(1, len(first)),
        common / max(1, len(second)),
        len(digits_one & digits_two) / len(digits) if digits else 1.0,
        float(one[:1] == two[:1]),
    )


def _unknown(features: int, ridge: float) -> Logistic:
    """Two columns ("no", "yes"); the many features of the vectors are held nearer to 0 than the few others."""
    precision = np.full(features, ridge, dtype=np.float32)
    precision[-(_OVERLAPS + 1) :] = _FEW_RIDGE
    return Logistic.unknown(2, precision, features)


def _margin(head: Logistic, x: Floats) -> Floats:
    scores = head.scores(x)
    found: Floats = scores[:, 1] - scores[:, 0]
    return found


def _likely(state: _State, x: Floats) -> Floats:
    return state.curve.probability(_margin(state.head, x))


def _choose_ridge(x: Floats, truth: NDArray[np.intp], weights: Floats, seed: int) -> tuple[float, Floats]:
    """Return the ridge under which pairs left out are likeliest, and their scores (n,) under it."""
    part = folds(len(x), min(_FOLDS, len(x)), seed)
    best: tuple[float, float, Floats] | None = None
    for ridge in _RIDGES:
        scores = np.zeros(len(x), dtype=np.float32)
        for fold in range(part.max() + 1):
            out = part == fold
            head = _unknown(x.shape[1], ridge).learned(x[~out], truth[~out], weights[~out])
            scores[out] = _margin(head, x[out])
        loss = float(np.logaddexp(0.0, np.where(truth == 1, -scores, scores)).mean())
        if best is None or loss < best[0]:
            best = (loss, ridge, scores)
    assert best is not None  # noqa: S101 - there are ridges to choose from
    return best[1], best[2]


def _best_threshold(likely: Floats, truth: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1, half-way to the next lower probability."""
    order = np.argsort(-likely, kind="stable")
    f1 = 2 * np.cumsum(truth[order]) / (np.arange(1, len(order) + 1) + truth.sum())
    at = int(np.argmax(f1))
    lower = likely[order[at + 1]] if at + 1 < len(order) else 0.0
    return float((likely[order[at]] + lower) / 2)


def _figures(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, float]:
    both = int((said & truth).sum())
    return {
        "accuracy": float((said == truth).mean()) if len(truth) else 0.0,
        "f1": 2 * both / max(1, int(said.sum() + truth.sum())),
    }
