"""Extractive question answering: the part of a passage that answers a question, or that there is none."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

import numpy as np

from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.heads.logistic import Logistic, Platt, folds
from rejoinder.models.learner import Prediction, Reads, Span
from rejoinder.models.tasks.targets import TextSpan, answers_of, labelled_rows
from rejoinder.models.tasks.windows import window_starts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rejoinder.models.encoding.tokens import TokenStates
    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

KIND: Final = "question_answering/1"

MAX_FITTED: Final = 2000
"""Most examples that a head is fitted on without training; of more, as many are drawn (3 KB of states for each 2 tokens)."""

_FOLDS: Final = 3
_RIDGE: Final = 1.0
_TRAINED_PRECISION: Final = 1000.0
"""How sure a trained head is of its coefficients: as sure as after some thousands of examples."""

_CORRECTION: Final = 5.0
_MOST_WEIGHT: Final = 10.0


class _Found(NamedTuple):
    """A candidate: its place, how far it is above "no answer", and the log-probability that it has among all candidates."""

    span: TextSpan
    margin: float
    log_share: float


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All that predictions need; replaced as a whole. `threshold` None: every question gets an answer."""

    head: Logistic
    right: Platt
    answered: Platt
    threshold: float | None


class QuestionAnswering:
    """Find the answer to `text`, a question, in `other`, a passage; see `rejoinder.models.tasks.targets` for `target`.

    It reads token states of the pair, from `encode_windows`. With the arrays of a trained head (objective "span") and states of the
    encoder with the adapter trained beside it, `fit` only learns how sure to be and when to say that there is no answer: give it examples
    that were held out of training. Without a trained head, `fit` fits one on the frozen base. That answers poorly, since a frozen
    sentence encoder hardly looks from the question to the passage: good enough to begin with and to compare with, no more.

    Without any example without an answer, nothing can be learned about having none, and every question gets its best answer.

    `Prediction.label` is the best answer's text; `accepted` says whether to give it; `spans` are the best answers that do not overlap, the
    surest first, `Span.confidence` the probability that one is right to the letter (as SQuAD compares), given that there is an answer;
    `in_scope` is the probability that there is one.

    Args:
        head: `span.weight` (2, dim) and `span.bias` (2,) of the scores of an answer's first and last token; None: fitted by `fit`.
        max_answer_tokens: longest answer, >= 1.
        top_k: how many answers `Prediction.spans` holds, >= 1.

    Source: Devlin et al. 2019 (arXiv:1810.04805), sections 4.2 and 4.3: start and end scores, the best span against the [CLS] token's.
    Calibrated by `rejoinder.models.heads.logistic.Platt` (Kamath, Jia & Liang 2020, arXiv:2006.09462, show that a calibrator on held-out
    examples beats the softmax).
    """

    reads: ClassVar[Reads] = "tokens"
    two_texts: ClassVar[bool] = True

    def __init__(
        self, *, head: Mapping[str, Floats] | None = None, max_answer_tokens: int = 30, top_k: int = 3
    ) -> None:
        """Nothing is known before `fit`, `update` or `load`; see the class for arguments."""
        if max_answer_tokens < 1 or top_k < 1:
            raise InvalidInputError(
                f"max_answer_tokens and top_k must be >= 1, came as {max_answer_tokens} and {top_k}"
            )
        self._trained = None if head is None else _trained(head)
        self._max_answer_tokens = max_answer_tokens
        self._top_k = top_k
        self._state: _State | None = None

    def fit(self, examples: Sequence[Example], states: Sequence[TokenStates], /, *, seed: int) -> Mapping[str, float]:
        """Learn from nothing, or with a trained head learn how sure to be; see the class and `Learner.fit`.

        Returns:
            `train_seconds`, `examples`, and on examples left out: `exact_match`, `f1`, `has_answer_f1`, `no_answer_f1`.

        Raises:
            InvalidInputError: no example has an answer; or as `Learner.fit`.
        """
        started = time.perf_counter()
        rows = _usable(examples, states)
        if self._trained is None and len(rows) > MAX_FITTED:
            rows = sorted(np.random.default_rng(seed).choice(rows, MAX_FITTED, replace=False).tolist())
        answers = {row: answers_of(examples[row]) for row in rows}
        if not any(answers.values()):
            raise InvalidInputError(
                "nothing to learn from: no example has a question, a passage, an answer and a weight above 0"
            )
        weights = _importance(examples, rows)
        if self._trained is not None:
            head = self._trained
            best = {row: self._candidates(head, states[row]) for row in rows}
        else:
            head, best = self._fit_head(rows, states, answers, weights, seed)
        state, figures = _calibrated(head, best, answers, examples)
        self._state = state
        return {"train_seconds": time.perf_counter() - started, "examples": float(len(rows)), **figures}

    def update(self, examples: Sequence[Example], states: Sequence[TokenStates], /) -> None:
        """Adjust the head by a few examples, in milliseconds; a correction counts five times. See `Learner.update`."""
        rows = _usable(examples, states)
        if not rows:
            return
        if self._state is None:
            self.fit(examples, states, seed=0)
            return
        state = self._state
        answers = {row: answers_of(examples[row]) for row in rows}
        weights = {
            row: weight * (_CORRECTION if examples[row].polarity == "correction" else 1.0)
            for row, weight in _importance(examples, rows).items()
        }
        head = _learned(state.head, rows, states, answers, weights)
        self._state = _State(head, state.right, state.answered, state.threshold)

    def predict_batch(self, texts: Sequence[tuple[str, str]], states: Sequence[TokenStates], /) -> list[Prediction]:
        """Predict pairs of question and passage, in order; see `Learner.predict_batch` and the class."""
        state = self._ready()
        if len(texts) != len(states):
            raise InvalidInputError(f"there must be one input for each of the {len(texts)} texts, came {len(states)}")
        return [self._prediction(state, passage, own) for (_, passage), own in zip(texts, states, strict=True)]

    def evaluate(self, examples: Sequence[Example], states: Sequence[TokenStates], /) -> Mapping[str, float]:
        """Return `exact_match`, `f1`, `has_answer_f1`, `no_answer_f1` (see `rejoinder.learning.answer_metrics`)."""
        from rejoinder.learning.answer_metrics import answer_report

        rows = _usable(examples, states)
        pairs = [(examples[row].text, examples[row].other or "") for row in rows]
        said = self.predict_batch(pairs, [states[row] for row in rows])
        right = [
            [passage[a.start : a.end] for a in answers_of(examples[row])]
            for row, (_, passage) in zip(rows, pairs, strict=True)
        ]
        return answer_report([one.label if one.accepted else "" for one in said], right)

    def save(self, folder: Path) -> None:
        """Write the model; see `Learner.save`."""
        state = self._ready()
        settings = {
            "right": list(state.right),
            "answered": list(state.answered),
            "threshold": state.threshold,
            "max_answer_tokens": self._max_answer_tokens,
            "top_k": self._top_k,
        }
        save_artefact(Path(folder), kind=KIND, arrays=state.head._asdict(), settings=settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see `Learner.load`."""
        arrays, settings = load_artefact(Path(folder), kind=KIND)
        made = cls(max_answer_tokens=settings["max_answer_tokens"], top_k=settings["top_k"])
        made._state = _State(
            Logistic(**arrays), Platt(*settings["right"]), Platt(*settings["answered"]), settings["threshold"]
        )
        return made

    def size(self) -> int:
        """Bytes in memory, 0 before anything is learned."""
        return self._state.head.nbytes if self._state else 0

    def _ready(self) -> _State:
        if self._state is None:
            raise ModelNotReadyError("this model has learned nothing yet: call fit or load first")
        return self._state

    def _fit_head(
        self,
        rows: Sequence[int],
        states: Sequence[TokenStates],
        answers: Mapping[int, tuple[TextSpan, ...]],
        weights: Mapping[int, float],
        seed: int,
    ) -> tuple[Logistic, dict[int, list[_Found]]]:
        """Fit a head on all rows, and find candidates in each with heads that were fitted without it."""
        unknown = Logistic.unknown(2, _RIDGE, states[rows[0]].states.shape[1])
        part = folds(len(rows), min(_FOLDS, len(rows)), seed)
        best: dict[int, list[_Found]] = {}
        for fold in range(part.max() + 1) if len(rows) > 1 else ():
            known = [row for row, own in zip(rows, part, strict=True) if own != fold]
            head = _learned(unknown, known, states, answers, weights)
            best |= {
                row: self._candidates(head, states[row]) for row, own in zip(rows, part, strict=True) if own == fold
            }
        return _learned(unknown, rows, states, answers, weights), best

    def _candidates(self, head: Logistic, own: TokenStates) -> list[_Found]:
        """Return the best answers that do not overlap, best first."""
        scores = head.scores(own.states)
        margins, places = [], []
        for tokens, none in _windows(own):
            begins, ends = scores[tokens, 0], scores[tokens, 1]
            padded = np.concatenate([ends, np.full(self._max_answer_tokens - 1, -np.inf, dtype=np.float32)])
            reach = np.lib.stride_tricks.sliding_window_view(padded, self._max_answer_tokens)
            margins.append((begins[:, None] + reach - scores[none].sum()).ravel())
            places.append(tokens)
        if not margins:
            return []
        joined = np.concatenate(margins)
        top = float(joined.max())
        log_total = top + float(np.log(np.exp(joined - top).sum()))
        windows = np.repeat(np.arange(len(margins)), [len(one) for one in margins])
        firsts = np.cumsum([0, *(len(one) for one in margins)])
        found: list[_Found] = []
        count = min(len(joined), 20 * self._top_k)
        for place in sorted(np.argpartition(-joined, count - 1)[:count].tolist(), key=lambda i: (-joined[i], i)):
            if not np.isfinite(joined[place]) or len(found) == self._top_k:
                break
            begin, length = divmod(int(place - firsts[windows[place]]), self._max_answer_tokens)
            tokens = places[windows[place]]
            span = TextSpan(int(own.offsets[tokens[begin], 0]), int(own.offsets[tokens[begin + length], 1]))
            if all(span.end <= one.span.start or one.span.end <= span.start for one in found):
                found.append(_Found(span, float(joined[place]), float(joined[place]) - log_total))
        return found

    def _prediction(self, state: _State, passage: str, own: TokenStates) -> Prediction:
        found = self._candidates(state.head, own)
        if not found:
            return Prediction(label="", confidence=0.0, ranking=(), in_scope=0.0, accepted=False)
        sure = state.right.probability(np.array([_logit(one.log_share) for one in found]))
        spans = tuple(
            Span(
                start=one.span.start, end=one.span.end, text=passage[one.span.start : one.span.end], confidence=float(p)
            )
            for one, p in zip(found, sure, strict=True)
        )
        margin = found[0].margin
        always = state.threshold is None
        return Prediction(
            label=spans[0].text,
            confidence=spans[0].confidence,
            ranking=tuple((one.text, one.confidence) for one in spans),
            in_scope=1.0 if always else float(state.answered.probability(np.array([margin]))[0]),
            accepted=always or margin >= (state.threshold or 0.0),
            spans=spans,
        )


def _trained(head: Mapping[str, Floats]) -> Logistic:
    missing = [name for name in ("span.weight", "span.bias") if name not in head]
    if missing:
        raise InvalidInputError(
            f"a trained head must have the arrays span.weight and span.bias; it has {', '.join(head) or 'none'}"
        )
    if head["span.weight"].ndim != 2 or len(head["span.weight"]) != 2 or head["span.bias"].shape != (2,):
        raise InvalidInputError(
            f"span.weight must be (2, dim) and span.bias (2,), came as {head['span.weight'].shape} and {head['span.bias'].shape}"
        )
    return Logistic.of(head["span.weight"], head["span.bias"], _TRAINED_PRECISION)


def _usable(examples: Sequence[Example], states: Sequence[TokenStates]) -> list[int]:
    """Rows with a question and a passage; a negative one says nothing of what would be right."""
    return [
        row
        for row in labelled_rows(examples, states)
        if (examples[row].other or "").strip() and examples[row].polarity != "negative"
    ]


def _importance(examples: Sequence[Example], rows: Sequence[int]) -> dict[int, float]:
    return {row: float(np.clip(examples[row].weight, 1e-3, _MOST_WEIGHT)) for row in rows}


def _windows(own: TokenStates) -> list[tuple[NDArray[np.intp], int]]:
    """Of each window that has any, the rows of the passage's tokens; and the row that stands for "no answer"."""
    starts = window_starts(own.sequence)
    ends = [*starts[1:].tolist(), len(own.sequence)]
    found = []
    for start, end in zip(starts.tolist(), ends, strict=True):
        tokens = start + np.flatnonzero(own.sequence[start:end] == 1)
        if len(tokens):
            found.append((tokens, start))
    return found


def _learned(
    head: Logistic,
    rows: Sequence[int],
    states: Sequence[TokenStates],
    answers: Mapping[int, tuple[TextSpan, ...]],
    weights: Mapping[int, float],
) -> Logistic:
    """Learn the first and last token of each window's answers, or its "no answer" row where it has none."""
    parts: list[Floats] = []
    targets: list[Floats] = []
    for row in rows:
        own = states[row]
        for tokens, none in _windows(own):
            choices = np.concatenate([[none], tokens])
            target = np.zeros((len(choices), 2), dtype=np.float32)
            inside = [place for answer in answers[row] if (place := _place(own.offsets[tokens], answer)) is not None]
            for begin, end in inside or [(-1, -1)]:
                target[begin + 1, 0] += weights[row] / max(1, len(inside))
                target[end + 1, 1] += weights[row] / max(1, len(inside))
            parts.append(own.states[choices])
            targets.append(target)
    if not parts:
        return head
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return head.learned_choices(np.concatenate(parts), starts, np.concatenate(targets))


def _place(offsets: NDArray[np.int64], answer: TextSpan) -> tuple[int, int] | None:
    """Return the first and last token of an answer; None when it is not wholly within these tokens."""
    if answer.start < offsets[0, 0] or answer.end > offsets[-1, 1]:
        return None
    begin = int(np.searchsorted(offsets[:, 1], answer.start, side="right"))
    end = int(np.searchsorted(offsets[:, 0], answer.end, side="left")) - 1
    return (begin, end) if begin <= end else None


def _calibrated(
    head: Logistic,
    best: Mapping[int, list[_Found]],
    answers: Mapping[int, tuple[TextSpan, ...]],
    examples: Sequence[Example],
) -> tuple[_State, dict[str, float]]:
    """Fit the curves and the threshold to candidates that the head was not fitted on."""
    from rejoinder.learning.answer_metrics import answer_report, exact_match, token_f1

    rows = [row for row in best if best[row]]
    said, right = {}, {}
    for row in rows:
        passage, span = examples[row].other or "", best[row][0].span
        said[row] = passage[span.start : span.end]
        right[row] = [passage[one.start : one.end] for one in answers[row]]
    having = [row for row in rows if answers[row]]
    correct = np.array([exact_match(said[row], right[row]) == 1.0 for row in having], dtype=np.bool_)
    surely = Platt.fitted(np.array([_logit(best[row][0].log_share) for row in having]), correct)
    margins = np.array([best[row][0].margin for row in rows], dtype=np.float32)
    has = np.array([bool(answers[row]) for row in rows], dtype=np.bool_)
    threshold = None
    answered = Platt()
    if len(rows) and not has.all():
        answered = Platt.fitted(margins, has)
        worth = np.array([token_f1(said[row], right[row]) if answers[row] else -1.0 for row in rows])
        threshold = _best_threshold(margins, worth)
    given = [
        said[row] if threshold is None or margin >= threshold else ""
        for row, margin in zip(rows, margins.tolist(), strict=True)
    ]
    figures = answer_report(given, [right[row] for row in rows]) if rows else {}
    return _State(head, surely, answered, threshold), figures


def _best_threshold(margins: Floats, worth: NDArray[np.float64]) -> float:
    """Return the margin from which on answers are worth the most: each its F1, less one where silence was right."""
    order = np.argsort(-margins, kind="stable")
    gains = np.concatenate([[0.0], np.cumsum(worth[order])])
    count = int(np.argmax(gains))
    ordered = margins[order]
    if count == 0:
        return float(ordered[0]) + 1.0
    if count == len(ordered):
        return float(ordered[-1]) - 1.0
    return float((ordered[count - 1] + ordered[count]) / 2)


def _logit(log_share: float) -> Any:
    """Log-odds of a log-probability."""
    return np.float32(log_share - np.log(max(-np.expm1(min(log_share, -1e-7)), 1e-7)))
