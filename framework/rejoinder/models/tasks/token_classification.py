"""Slots: labelled parts of a text, found word by word and decoded as a chain."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, Self

import numpy as np

from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.heads.chain import (
    OUTSIDE,
    begin_tag,
    best_path,
    fit_transitions,
    inside_tag,
    span_log_odds,
    spans_of_path,
)
from rejoinder.models.heads.logistic import Logistic, Platt, folds
from rejoinder.models.learner import Prediction, Reads, Span
from rejoinder.models.tasks.targets import TextSpan, labelled_rows, spans_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rejoinder.models.encoding.tokens import TokenStates
    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

KIND: Final = "token_classification/1"

MAX_WORDS: Final = 200_000
"""Most words that are fitted (0.6 GB); of more texts, as many are drawn as have so many."""

_FOLDS: Final = 3
_RIDGE: Final = 1.0
_CORRECTION: Final = 5.0
_MOST_WEIGHT: Final = 10.0


class _Words(NamedTuple):
    """The words of a text that the encoder read.

    Attributes:
        states: (n_words, 2 dim) float32, each word's first and last token's state.
        starts, ends: (n_words,) its characters [start, end).
    """

    states: Floats
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All that predictions need; replaced as a whole."""

    labels: tuple[str, ...]
    head: Logistic
    first: Floats
    follow: Floats
    curve: Platt


class TokenClassifier:
    """Find labelled parts of a text, such as the slots of a request; see `rejoinder.models.tasks.targets` for `target`.

    Every word gets the tag of a span's beginning, of its going on, or of being outside; the chain of tags is decoded as a whole, so that
    no span goes on that did not begin. Spans are whole words: one that begins or ends within a word is learned as that word.

    `Prediction.spans` are in the order of the text with calibrated confidence, `accepted` says whether there are any, `confidence` is the
    product of theirs, and `label` the label of the surest. Words beyond what the encoder reads are outside.

    Args:
        labels: labels known in advance; others are learned from examples.
        min_confidence: spans below it are not reported, in [0, 1].

    Source: multinomial logistic regression (`rejoinder.models.heads.logistic`) in a chain (`rejoinder.models.heads.chain`), Platt's
    curve on spans of texts left out.
    """

    reads: ClassVar[Reads] = "tokens"

    def __init__(self, *, labels: Sequence[str] = (), min_confidence: float = 0.0) -> None:
        """Nothing is known before `fit`, `update` or `load`; see the class for arguments."""
        if not 0 <= min_confidence <= 1:
            raise InvalidInputError(f"min_confidence must be in [0, 1], came as {min_confidence}")
        self._known_labels = tuple(dict.fromkeys(labels))
        self._min_confidence = min_confidence
        self._state: _State | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels known now."""
        return self._state.labels if self._state else self._known_labels

    def fit(self, examples: Sequence[Example], states: Sequence[TokenStates], /, *, seed: int) -> Mapping[str, float]:
        """Learn from nothing, in some 10 s for 1,000 texts; see `Learner.fit`.

        Returns:
            `train_seconds`, `examples`, and on texts left out: `precision`, `recall`, `f1` of whole spans with their labels.

        Raises:
            InvalidInputError: no example has a span; or as `Learner.fit`.
        """
        started = time.perf_counter()
        rows = _usable(examples, states)
        said = {row: spans_of(examples[row]) or () for row in rows}
        labels = tuple(
            dict.fromkeys([*self._known_labels, *sorted({one.label for own in said.values() for one in own})])
        )
        if not any(said.values()):
            raise InvalidInputError(
                "nothing to learn from: no example has a text, a labelled span and a weight above 0"
            )
        rng = np.random.default_rng(seed)
        words: dict[int, _Words] = {}
        count = 0
        for row in rng.permutation(rows).tolist():
            words[row] = _words(examples[row].text, states[row])
            count += len(words[row].starts)
            if count >= MAX_WORDS:
                break
        rows = sorted(words)
        tags = {row: _tags(words[row], said[row], labels) for row in rows}
        weights = _importance(examples, rows)
        part = folds(len(rows), min(_FOLDS, len(rows)), seed)
        odds: list[Floats] = []
        right: list[bool] = []
        counts = np.zeros(3)
        for fold in range(part.max() + 1) if len(rows) > 1 else ():
            known = [row for row, own in zip(rows, part, strict=True) if own != fold]
            state = _fitted(labels, known, words, tags, weights)
            for row in (row for row, own in zip(rows, part, strict=True) if own == fold):
                found, sure = _decoded(state, words[row])
                truth = spans_of_path(tags[row].tolist())
                odds.append(sure)
                right += [one in truth for one in found]
                counts += (sum(one in truth for one in found), len(found), len(truth))
        state = _fitted(labels, rows, words, tags, weights)
        curve = Platt.fitted(np.concatenate(odds), np.array(right, dtype=np.bool_)) if odds else Platt()
        self._state = replace(state, curve=curve)
        return {
            "train_seconds": time.perf_counter() - started,
            "examples": float(len(rows)),
            **_figures(*counts.tolist()),
        }

    def update(self, examples: Sequence[Example], states: Sequence[TokenStates], /) -> None:
        """Adjust the head by a few texts, in milliseconds; a correction counts five times. See `Learner.update`."""
        rows = _usable(examples, states)
        if not rows:
            return
        if self._state is None:
            self.fit(examples, states, seed=0)
            return
        said = {row: spans_of(examples[row]) or () for row in rows}
        state = _with_labels(self._state, [one.label for own in said.values() for one in own])
        words = {row: _words(examples[row].text, states[row]) for row in rows}
        rows = [row for row in rows if len(words[row].starts)]
        if not rows:
            return
        weights = _importance(examples, rows)
        for row in rows:
            weights[row] *= _CORRECTION if examples[row].polarity == "correction" else 1.0
        tags = {row: _tags(words[row], said[row], state.labels) for row in rows}
        self._state = replace(state, head=_learned(state.head, rows, words, tags, weights))

    def predict_batch(self, texts: Sequence[str], states: Sequence[TokenStates], /) -> list[Prediction]:
        """Predict, in order; see `Learner.predict_batch` and the class."""
        state = self._ready()
        if len(texts) != len(states):
            raise InvalidInputError(f"there must be one input for each of the {len(texts)} texts, came {len(states)}")
        return [self._prediction(state, text, own) for text, own in zip(texts, states, strict=True)]

    def evaluate(self, examples: Sequence[Example], states: Sequence[TokenStates], /) -> Mapping[str, float]:
        """Return `precision`, `recall` and `f1` of whole spans with their labels (Tjong Kim Sang & De Meulder 2003, CoNLL)."""
        rows = _usable(examples, states)
        said = self.predict_batch([examples[row].text for row in rows], [states[row] for row in rows])
        counts = np.zeros(3)
        for row, one in zip(rows, said, strict=True):
            truth = {tuple(span) for span in spans_of(examples[row]) or ()}
            found = {(span.start, span.end, span.label) for span in one.spans}
            counts += (len(truth & found), len(found), len(truth))
        return _figures(*counts.tolist())

    def save(self, folder: Path) -> None:
        """Write the model; see `Learner.save`."""
        state = self._ready()
        arrays = {**state.head._asdict(), "first": state.first, "follow": state.follow}
        settings = {
            "labels": list(state.labels),
            "curve": list(state.curve),
            "known_labels": list(self._known_labels),
            "min_confidence": self._min_confidence,
        }
        save_artefact(Path(folder), kind=KIND, arrays=arrays, settings=settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see `Learner.load`."""
        arrays, settings = load_artefact(Path(folder), kind=KIND)
        made = cls(labels=settings["known_labels"], min_confidence=settings["min_confidence"])
        made._state = _State(
            tuple(settings["labels"]),
            Logistic(arrays["mean"], arrays["precision"]),
            arrays["first"],
            arrays["follow"],
            Platt(*settings["curve"]),
        )
        return made

    def size(self) -> int:
        """Bytes in memory, 0 before anything is learned."""
        state = self._state
        return int(state.head.nbytes + state.first.nbytes + state.follow.nbytes) if state else 0

    def _ready(self) -> _State:
        if self._state is None:
            raise ModelNotReadyError("this classifier has learned nothing yet: call fit or load first")
        return self._state

    def _prediction(self, state: _State, text: str, own: TokenStates) -> Prediction:
        words = _words(text, own)
        found, odds = _decoded(state, words)
        sure = state.curve.probability(odds)
        spans = tuple(
            Span(start=start, end=end, text=text[start:end], confidence=float(p), label=state.labels[label])
            for (begin, stop, label), p in zip(found, sure, strict=True)
            for start, end in [(int(words.starts[begin]), int(words.ends[stop - 1]))]
            if p >= self._min_confidence
        )
        ranked = sorted(spans, key=lambda one: -one.confidence)
        best: dict[str, float] = {}
        for one in ranked:
            best.setdefault(one.label, one.confidence)
        return Prediction(
            label=ranked[0].label if ranked else "",
            confidence=float(np.prod([one.confidence for one in spans])) if spans else 0.0,
            ranking=tuple(best.items()),
            in_scope=1.0,
            accepted=bool(spans),
            labels=tuple(best),
            spans=spans,
        )


def _usable(examples: Sequence[Example], states: Sequence[TokenStates]) -> list[int]:
    """Rows with a text and a list of spans; a negative one says nothing of what would be right."""
    return [
        row
        for row in labelled_rows(examples, states)
        if examples[row].target is not None and examples[row].polarity != "negative"
    ]


def _importance(examples: Sequence[Example], rows: Sequence[int]) -> dict[int, float]:
    return {row: float(np.clip(examples[row].weight, 1e-3, _MOST_WEIGHT)) for row in rows}


def _words(text: str, own: TokenStates) -> _Words:
    """Join the pieces of words: a token that follows another without a gap, letter on letter, belongs to it."""
    rows = np.flatnonzero((own.sequence == 0) & (own.offsets[:, 1] > own.offsets[:, 0]))
    heads: list[int] = []
    tails: list[int] = []
    for row in rows.tolist():
        start = int(own.offsets[row, 0])
        joined = bool(tails) and int(own.offsets[tails[-1], 1]) == start
        goes_on = joined and text[start - 1].isalnum() and text[start].isalnum()
        if goes_on:
            tails[-1] = row
        else:
            heads.append(row)
            tails.append(row)
    states = np.concatenate([own.states[heads], own.states[tails]], axis=1)
    return _Words(states, own.offsets[heads, 0], own.offsets[tails, 1])


def _tags(words: _Words, spans: Sequence[TextSpan], labels: Sequence[str]) -> NDArray[np.intp]:
    """(n_words,) tags: a word belongs to a span when they share a character."""
    place = {label: number for number, label in enumerate(labels)}
    tags = np.full(len(words.starts), OUTSIDE, dtype=np.intp)
    for span in spans:
        own = np.flatnonzero((words.starts < span.end) & (words.ends > span.start) & (tags == OUTSIDE))
        if len(own):
            tags[own] = inside_tag(place[span.label])
            tags[own[0]] = begin_tag(place[span.label])
    return tags


def _fitted(
    labels: tuple[str, ...],
    rows: Sequence[int],
    words: Mapping[int, _Words],
    tags: Mapping[int, NDArray[np.intp]],
    weights: Mapping[int, float],
) -> _State:
    unknown = Logistic.unknown(2 * len(labels) + 1, _RIDGE, words[rows[0]].states.shape[1])
    first, follow = fit_transitions([tags[row].tolist() for row in rows], len(labels))
    return _State(labels, _learned(unknown, rows, words, tags, weights), first, follow, Platt())


def _learned(
    head: Logistic,
    rows: Sequence[int],
    words: Mapping[int, _Words],
    tags: Mapping[int, NDArray[np.intp]],
    weights: Mapping[int, float],
) -> Logistic:
    x = np.concatenate([words[row].states for row in rows])
    each = np.concatenate([np.full(len(tags[row]), weights[row], dtype=np.float32) for row in rows])
    return head.learned(x, np.concatenate([tags[row] for row in rows]), each)


def _decoded(state: _State, words: _Words) -> tuple[list[tuple[int, int, int]], Floats]:
    """Return the spans in words, and their log-odds."""
    if not len(words.starts):
        return [], np.zeros(0, dtype=np.float32)
    scores = state.head.scores(words.states)
    spans = spans_of_path(best_path(scores, state.first, state.follow))
    return spans, span_log_odds(scores, state.first, state.follow, spans)


def _with_labels(state: _State, labels: Sequence[str]) -> _State:
    """Add tags for labels that are new: anything may come before and after them, save that a span must begin before it goes on."""
    new = [label for label in dict.fromkeys(labels) if label not in state.labels]
    if not new:
        return state
    grown = (*state.labels, *new)
    more = 2 * len(new)
    first, follow = np.pad(state.first, (0, more)), np.pad(state.follow, ((0, more), (0, more)))
    for label in range(len(state.labels), len(grown)):
        first[inside_tag(label)] = -np.inf
        barred = np.ones(len(follow), dtype=np.bool_)
        barred[[begin_tag(label), inside_tag(label)]] = False
        follow[barred, inside_tag(label)] = -np.inf
    for label in range(len(state.labels)):
        follow[-more:, inside_tag(label)] = -np.inf
    return replace(state, labels=grown, head=state.head.widened(more, _RIDGE), first=first, follow=follow)


def _figures(hits: float, said: float, true: float) -> dict[str, float]:
    return {
        "precision": hits / said if said else 0.0,
        "recall": hits / true if true else 0.0,
        "f1": 2 * hits / (said + true) if said + true else 0.0,
    }
