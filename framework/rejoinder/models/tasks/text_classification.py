"""The shipped `Learner`: a calibrated kernel machine on frozen sentence vectors and hashed words, which knows what it does not know."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

import numpy as np
from scipy import sparse

from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.learning.label_names import spoken
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.heads.calibration import fit_sharpness, probabilities
from rejoinder.models.heads.candidates import candidate_targets
from rejoinder.models.heads.kernel import KernelMachine
from rejoinder.models.heads.landmarks import Landmarks, choose_landmarks, fit_landmarks
from rejoinder.models.heads.metric import fit_basis, project
from rejoinder.models.heads.out_of_scope import (
    DEFAULT_BUDGET,
    ScopeRule,
    fit_scope_rule,
    fit_traffic_scope,
    scope_score,
)
from rejoinder.models.heads.sampling import sample_rows
from rejoinder.models.heads.scoring import KernelSpec, Scorer, Scores
from rejoinder.models.heads.selection import Data, HeldOut, choose_kernel, held_out_scores, left_out_scores
from rejoinder.models.heads.spelling import Spelling
from rejoinder.models.heads.words import inverse_document_frequency, word_row, word_rows
from rejoinder.models.learner import Prediction, Reads
from rejoinder.models.tasks.digests import digests_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

KIND: Final = "text_classifier/3"

MAX_ROWS: Final = 50_000
"""Most examples that are fitted; of more, each label in turn gives one until there are enough."""

EXACT_ROWS: Final = 1500
"""Up to this many examples each is kept, and an update is an exact refit; more are summed up by landmarks, whose residuals later
examples correct."""

_FEWEST_APART: Final = 50
_EVERY_STRANGER: Final = 5

PATCH_ROWS: Final = 1000
"""Most examples that an update keeps beside a large base; when there are more, the older half is forgotten until the next fit, so that
updates stay fast (Cavallanti, Cesa-Bianchi & Gentile 2007, Tracking the best hyperplane with a simple budget perceptron)."""

PATCH_SPEC: Final = KernelSpec(width=4.0, word_share=0.1, ridge=0.3)
"""Kernel of the residual machine: narrower, since a large base is right nearly everywhere else."""


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All that predictions need; replaced as a whole, so that no reader sees half an update."""

    labels: tuple[str, ...]
    outside: int | None
    basis: Floats | None
    idf: Floats
    machine: KernelMachine | Scorer
    sharpness: float
    rule: ScopeRule
    spelling: Spelling
    held: Floats
    held_right: NDArray[np.bool_]
    texts: NDArray[np.int64] | None = None
    patch: KernelMachine | None = None
    patch_texts: NDArray[np.int64] | None = None

    @property
    def inside(self) -> NDArray[np.intp] | None:
        """The columns that may be said; None: all, since there is no out-of-scope one or nothing else."""
        if self.outside is None or len(self.labels) == 1:
            return None
        return np.delete(np.arange(len(self.labels)), self.outside)


class TextClassifier:
    """Classify texts into labels, with calibrated confidence and an out-of-scope score.

    Args:
        labels: labels known in advance; others are learned from examples.
        oos_label: the label of examples that no label fits; never predicted, it lowers `in_scope`. None: there are no such examples.
        top_k: how many labels `Prediction.ranking` holds, >= 1.
        in_scope_loss: share of in-scope texts in [0, 1] that may be rejected although their label was right.
        mends_slips: whether slips of the keyboard are set right before a text is read; in what is no message, as news, most are names.

    Source: see `rejoinder.models.heads.scoring`, `kernel`, `landmarks`, `calibration` and `out_of_scope`.
    """

    reads: ClassVar[Reads] = "vectors"
    label_names: ClassVar[bool] = True
    calibrates_apart: ClassVar[bool] = True

    def __init__(
        self,
        *,
        labels: Sequence[str] = (),
        oos_label: str | None = None,
        top_k: int = 5,
        in_scope_loss: float = DEFAULT_BUDGET,
        mends_slips: bool = True,
    ) -> None:
        """Nothing is known before `fit`, `update` or `load`; see the class for arguments."""
        self._known_labels = tuple(dict.fromkeys(labels))
        self._oos_label = oos_label
        self._top_k = top_k
        self._in_scope_loss = in_scope_loss
        self._mends_slips = mends_slips
        self._state: _State | None = None

    @property
    def oos_label(self) -> str | None:
        """The label of examples that no label fits."""
        return self._oos_label

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels known now, the out-of-scope label among them if it has examples."""
        return self._state.labels if self._state else self._known_labels

    @property
    def distinct_texts(self) -> int | None:
        """From how many different texts it learned; None: more than `EXACT_ROWS`, which are not kept apart."""
        state = self._state
        if state is None:
            return 0
        if state.texts is None:
            return None
        return len(np.union1d(state.texts, [] if state.patch_texts is None else state.patch_texts))

    def fit(
        self, examples: Sequence[Example], vectors: Floats, *, seed: int, apart: Sequence[int] = ()
    ) -> Mapping[str, float]:
        """Learn from nothing, in 5 s of CPU for 10,000 examples and 0.1 s for 400; see `Learner.fit`.

        An example whose text is its label's name (see `rejoinder.learning.label_names`) is used if it helps to tell the others. Texts of
        which only negative examples are known are learned as what else they may be: see `rejoinder.models.heads.candidates`.

        Args:
            apart: see `rejoinder.models.learner.fit_apart`; fewer than 50 in scope say too little, and any may be taken.

        Returns:
            `train_seconds`, `examples`, and from scores of examples not fitted: `accuracy`, `in_scope_accuracy`.
        """
        started = time.perf_counter()
        rng = np.random.default_rng(seed)
        usable = _usable(examples, vectors)
        unsettled = _unsettled(examples, usable)
        rows = [i for i in usable if examples[i].polarity != "negative" and examples[i].text not in unsettled]
        if not rows:
            raise InvalidInputError("nothing to learn from: no example has a text, a label and a weight above 0")
        labels = list(dict.fromkeys([*self._known_labels, *sorted({_label(examples[i]) for i in rows})]))
        column_of = {label: column for column, label in enumerate(labels)}
        unsettled = {
            text: sources
            for text, sources in unsettled.items()
            if any(_label(examples[i]) in column_of for i in sources)  # else nothing known was ruled out
        }
        columns = np.array([column_of[_label(examples[i])] for i in rows])
        kept = sample_rows(columns, MAX_ROWS, rng)
        rows, columns = [rows[i] for i in kept], columns[kept]
        data, idf, basis = self._data(
            examples, vectors, rows, columns, apart, len(labels), column_of.get(self._oos_label or "")
        )
        spec, error = choose_kernel(data, rng)
        if data.named.any() and len(rows) <= EXACT_ROWS:
            nameless = data.take(np.flatnonzero(~data.named))
            other, other_error = choose_kernel(nameless, rng)
            if other_error < error:
                data, spec, rows = (
                    nameless,
                    other,
                    [row for row, name in zip(rows, data.named, strict=True) if not name],
                )
        exact = len(data.columns) + len(unsettled) <= EXACT_ROWS
        held = (left_out_scores if exact and not data.apart.any() else held_out_scores)(data, spec, rng)
        scope = _held_scope(held, data.outside)
        sharpness, rule, metrics = _calibrate(held, scope, data.outside, self._in_scope_loss)
        landmarks = None
        if not exact:
            landmarks = choose_landmarks(data.vectors, data.columns, data.n_columns, rng, outside=data.outside)
        state = _State(
            tuple(labels),
            data.outside,
            basis,
            idf,
            _fitted(data, spec, landmarks),
            sharpness,
            rule,
            Spelling.of(examples[i].text for i in usable),
            scope.inside,
            scope.right,
        )
        learned = [examples[i].text for i in rows]
        if unsettled:
            guesses = _guesses(state, examples, vectors, unsettled)
            state = replace(state, machine=_fitted(data, spec, landmarks, guesses))
            learned += unsettled
        self._state = replace(state, texts=digests_of(learned) if exact else None)
        return {"train_seconds": time.perf_counter() - started, "examples": float(len(rows)), **metrics}

    def update(self, examples: Sequence[Example], vectors: Floats) -> None:
        """Add examples in some 5 ms (500 known examples) to 50 ms (1,500 and more); see `Learner.update`.

        An example replaces what an earlier update or fit knew of the same text. A negative one lowers its label's score there.
        """
        rows = _usable(examples, vectors)
        if self._state is None:
            if rows:
                self.fit(examples, vectors, seed=0)
            return
        # Of several examples with one text the last counts; a negative one says something else and stands beside.
        last = {(examples[i].text, examples[i].polarity == "negative"): i for i in rows}
        rows = sorted(last.values())
        if not rows:
            return
        state = _with_labels(self._state, [_label(examples[i]) for i in rows], self._oos_label)
        texts = [examples[i].text for i in rows]
        state = replace(state, spelling=state.spelling.grown(texts))
        new_vectors = project(np.ascontiguousarray(vectors[rows], dtype=np.float32), state.basis)
        targets, certainty = _targets(state, [examples[i] for i in rows], new_vectors)
        near = np.array([_label(examples[i]) != self._oos_label for i in rows])
        words, digests = word_rows(texts, state.idf), digests_of(texts)
        weights = _importance(examples, rows, certainty)
        new = (new_vectors, words, targets, weights, near)
        machine = state.machine
        if state.patch is None and isinstance(machine, KernelMachine) and len(machine) + len(rows) <= EXACT_ROWS:
            machine, known = _merged(machine, state.texts, digests, new)
            self._state = replace(state, machine=machine, texts=known)
            return
        targets -= machine.scores(new_vectors, [(words[i].indices, words[i].data) for i in range(len(rows))]).labels
        patch, known = _merged(state.patch, state.patch_texts, digests, new)
        if len(patch) > PATCH_ROWS:
            old = np.arange(len(patch)) < len(patch) - PATCH_ROWS // 2
            patch, known = patch.without(old), known[~old]
        self._state = replace(state, patch=patch, patch_texts=known)

    def remove(self, texts: Sequence[str]) -> int:
        """Forget all examples with these texts and return how many there were.

        Up to `EXACT_ROWS` examples this is exact. A larger model keeps none of the examples that it was fitted to, only what they add up
        to: of these none goes before the next fit, but all that came by `update` do. The last example stays where it would leave nothing.
        """
        state = self._state
        if state is None or not texts:
            return 0
        gone = digests_of(texts)
        removed = 0
        if state.texts is not None and isinstance(state.machine, KernelMachine):
            rows = np.isin(state.texts, gone)
            if rows.any() and not rows.all():
                state = replace(state, machine=state.machine.without(rows), texts=state.texts[~rows])
                removed += int(rows.sum())
        patch, known = state.patch, state.patch_texts
        if patch is not None and known is not None:
            rows = np.isin(known, gone)
            removed += int(rows.sum())
            if rows.all():
                state = replace(state, patch=None, patch_texts=None)
            elif rows.any():
                state = replace(state, patch=patch.without(rows), patch_texts=known[~rows])
        self._state = state
        return removed

    def learn_scope(self, texts: Sequence[str], vectors: Floats) -> Mapping[str, float]:
        """Learn from traffic, of which nobody said what it is, where to draw the line of what is in scope.

        Args:
            texts: messages as they came, as `spelled` gives them.
            vectors: (n_texts, dim) as for `predict_batch`.

        Returns:
            `share_outside` and `scope_threshold`; nothing, and nothing is changed, where there are too few messages or examples: see
            `rejoinder.models.heads.out_of_scope.fit_traffic_scope`.
        """
        state = self._ready()
        scores = _score(state, texts, project(vectors, state.basis))
        traffic = scope_score(scores.labels, scores.nearness, state.outside)
        found = fit_traffic_scope(state.held, state.held_right, traffic)
        if found is None:
            return {}
        self._state = replace(state, rule=state.rule._replace(threshold=found.threshold))
        return {"share_outside": found.share_outside, "scope_threshold": found.threshold}

    def spelled(self, text: str) -> str:
        """Return a text with slips of the keyboard set right, by the words it was taught; see `rejoinder.models.learner.spelled`."""
        return self._state.spelling.corrected(text) if self._state is not None and self._mends_slips else text

    def predict_batch(self, texts: Sequence[str], vectors: Floats) -> list[Prediction]:
        """Predict, in order; 0.1 ms (0.2 with cold caches) for one text with 10,000 known examples; see `Learner.predict_batch`."""
        state = self._ready()
        if not len(texts):
            return []
        scores = _score(state, texts, project(vectors, state.basis))
        scope = scope_score(scores.labels, scores.nearness, state.outside)
        in_scope = state.rule.probability(scope).tolist()
        accepted = (scope >= state.rule.threshold).tolist()
        labels, columns = scores.labels, state.inside
        if columns is not None:
            labels = labels[:, columns]
        likely = probabilities(labels, state.sharpness)
        best = np.argsort(-likely, axis=1, kind="stable")[:, : self._top_k]
        said = best if columns is None else columns[best]
        # Plain lists: for one text, indexing them costs less than another call of numpy.
        rows = zip(likely.tolist(), best.tolist(), said.tolist(), in_scope, accepted, strict=True)
        return [
            _prediction(
                [(state.labels[column], row[place]) for place, column in zip(places, names, strict=True)], known, ok
            )
            for row, places, names, known, ok in rows
        ]

    def evaluate(self, examples: Sequence[Example], vectors: Floats) -> Mapping[str, float]:
        """Return `accuracy`, `macro_f1`, `in_scope_accuracy`, `ece`, and with out-of-scope examples `oos_recall` and `oos_auroc`."""
        from rejoinder.learning.metrics import report

        rows = [i for i, example in enumerate(examples) if example.label is not None and example.polarity != "negative"]
        predictions = self.predict_batch([examples[i].text for i in rows], vectors[rows])
        return report([_label(examples[i]) for i in rows], predictions, oos_label=self._oos_label)

    def save(self, folder: Path) -> None:
        """Write the model; see `Learner.save`. Updates are kept as updates, so a loaded model predicts the same."""
        state = self._ready()
        arrays: dict[str, NDArray[Any]] = {
            "idf": state.idf,
            **state.machine.arrays("machine"),
            **state.spelling.arrays(),
            "held": state.held,
            "held_right": state.held_right,
        }
        if state.texts is not None:
            arrays["texts"] = state.texts
        if state.basis is not None:
            arrays["basis"] = state.basis
        if state.patch is not None and state.patch_texts is not None:
            arrays |= {"patch_texts": state.patch_texts, **state.patch.arrays("patch")}
        settings = {
            "labels": list(state.labels),
            "outside": state.outside,
            "sharpness": state.sharpness,
            "rule": list(state.rule),
            "machine": list(state.machine.spec),
            "exact": isinstance(state.machine, KernelMachine),
            "patch": list(state.patch.spec) if state.patch is not None else None,
            "known_labels": list(self._known_labels),
            "oos_label": self._oos_label,
            "top_k": self._top_k,
            "in_scope_loss": self._in_scope_loss,
            "mends_slips": self._mends_slips,
        }
        save_artefact(Path(folder), kind=KIND, arrays=arrays, settings=settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see `Learner.load`."""
        arrays, settings = load_artefact(Path(folder), kind=KIND)
        made = cls(
            labels=settings["known_labels"],
            oos_label=settings["oos_label"],
            top_k=settings["top_k"],
            in_scope_loss=settings["in_scope_loss"],
            mends_slips=settings.get("mends_slips", True),
        )
        made._state = _State(
            tuple(settings["labels"]),
            settings["outside"],
            arrays.get("basis"),
            arrays["idf"],
            (KernelMachine if settings["exact"] else Scorer).from_arrays("machine", settings["machine"], arrays),
            settings["sharpness"],
            ScopeRule(*settings["rule"]),
            Spelling.from_arrays(arrays),
            arrays["held"],
            arrays["held_right"],
            arrays.get("texts"),
            KernelMachine.from_arrays("patch", settings["patch"], arrays) if settings["patch"] else None,
            arrays.get("patch_texts"),
        )
        return made

    def size(self) -> int:
        """Bytes in memory, 0 before anything is learned."""
        state = self._state
        if state is None:
            return 0
        parts = (state.idf, state.basis, state.texts, state.machine, state.spelling, state.patch, state.patch_texts)
        return sum(part.nbytes for part in parts if part is not None)

    def _ready(self) -> _State:
        if self._state is None:
            raise ModelNotReadyError("this classifier has learned nothing yet: call fit or load first")
        return self._state

    def _data(
        self,
        examples: Sequence[Example],
        vectors: Floats,
        rows: Sequence[int],
        columns: NDArray[np.intp],
        apart: Sequence[int],
        n_columns: int,
        outside: int | None,
    ) -> tuple[Data, Floats, Floats | None]:
        """Return what to fit, and the word weights and the basis that it was made with."""
        texts = [examples[i].text for i in rows]
        idf = inverse_document_frequency(texts)
        own = np.ascontiguousarray(vectors[rows], dtype=np.float32)
        basis = fit_basis(own, columns)
        named = np.array([text == spoken(_label(examples[i])) for i, text in zip(rows, texts, strict=True)])
        data = Data(
            project(own, basis),
            word_rows(texts, idf),
            columns,
            _importance(examples, rows),
            named,
            _set_apart(rows, apart, columns, outside),
            n_columns,
            outside,
        )
        return data, idf, basis


class _Guesses(NamedTuple):
    """Texts whose label nobody told: vectors (n, dim), words CSR (n, BUCKETS), targets (n, n_columns), importance (n,)."""

    vectors: Floats
    words: Any
    targets: Floats
    importance: Floats


def _label(example: Example) -> str:
    return example.label or ""


def _usable(examples: Sequence[Example], vectors: Floats) -> list[int]:
    """Rows with a label and weight; of rows with one text where a correction is among them, only the last correction."""
    if vectors.ndim != 2 or len(vectors) != len(examples):
        raise InvalidInputError(
            f"vectors must have one row for each of the {len(examples)} examples, came with shape {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise InvalidInputError("vectors must be finite")
    rows = [i for i, example in enumerate(examples) if example.label and example.weight > 0]
    corrected = {examples[i].text: i for i in rows if examples[i].polarity == "correction"}
    return [i for i in rows if examples[i].polarity == "negative" or corrected.get(examples[i].text, i) == i]


def _unsettled(examples: Sequence[Example], usable: Sequence[int]) -> dict[str, list[int]]:
    """Texts of which nobody said what they are, or where that was taken back, with the rows that say what they are not."""
    said: dict[str, str] = {}
    found: dict[str, list[int]] = {}
    for i in usable:
        text, label = examples[i].text, _label(examples[i])
        if examples[i].polarity != "negative":
            said[text] = label
            found.pop(text, None)
        elif said.get(text, label) == label:
            said.pop(text, None)
            found.setdefault(text, []).append(i)
    return found


def _guesses(
    state: _State, examples: Sequence[Example], vectors: Floats, unsettled: Mapping[str, Sequence[int]]
) -> _Guesses:
    """Return what a machine is to learn of unsettled texts, by what it makes of them now."""
    texts, last = list(unsettled), [rows[-1] for rows in unsettled.values()]
    own = project(np.ascontiguousarray(vectors[last], dtype=np.float32), state.basis)
    rejected = np.zeros((len(texts), len(state.labels)), dtype=np.bool_)
    for row, sources in enumerate(unsettled.values()):
        for i in sources:
            if (label := _label(examples[i])) in state.labels:
                rejected[row, state.labels.index(label)] = True
    guessed = candidate_targets(_score(state, texts, own).labels, state.sharpness, rejected)
    return _Guesses(own, word_rows(texts, state.idf), guessed.targets, _importance(examples, last, guessed.certainty))


def _targets(state: _State, examples: Sequence[Example], vectors: Floats) -> tuple[Floats, Floats]:
    """Return rows of targets, and how sure each is: one-hot and 1, or for negative examples what else the text may be."""
    columns = [state.labels.index(_label(example)) for example in examples]
    targets = np.eye(len(state.labels), dtype=np.float32)[columns]
    certainty = np.ones(len(examples), dtype=np.float32)
    negative = [row for row, example in enumerate(examples) if example.polarity == "negative"]
    if negative:
        scores = _score(state, [examples[row].text for row in negative], vectors[negative]).labels
        guessed = candidate_targets(scores, state.sharpness, targets[negative] > 0)
        targets[negative], certainty[negative] = guessed.targets, guessed.certainty
    return targets, certainty


def _importance(examples: Sequence[Example], rows: Sequence[int], certainty: Floats | float = 1.0) -> Floats:
    """Weights within what the solver bears: a thousandth to ten times the usual."""
    weights = np.array([examples[i].weight for i in rows], dtype=np.float32) * certainty
    clipped: Floats = np.clip(weights, 1e-3, 10.0).astype(np.float32)
    return clipped


def _merged(
    machine: KernelMachine | None,
    known: NDArray[np.int64] | None,
    digests: NDArray[np.int64],
    new: tuple[Floats, Any, Floats, Floats, NDArray[np.bool_]],
) -> tuple[KernelMachine, NDArray[np.int64]]:
    """Add examples to a machine (None: to a new patch) after taking out what it knew of their texts."""
    vectors, words, targets, weights, near = new
    spec = PATCH_SPEC if machine is None else machine.spec
    repeated = np.isin(known, digests) if known is not None else np.ones(0, dtype=np.bool_)
    if machine is None or known is None or repeated.all():
        return KernelMachine.build(spec, vectors, words, targets, spec.ridge / weights, near, keep=True), digests
    if repeated.any():
        machine, known = machine.without(repeated), known[~repeated]
    return machine.extended(vectors, words, targets, spec.ridge / weights, near), np.concatenate([known, digests])


def _with_labels(state: _State, labels: Sequence[str], oos_label: str | None) -> _State:
    """Add columns for labels that are new."""
    new = [label for label in dict.fromkeys(labels) if label not in state.labels]
    if not new:
        return state
    grown = (*state.labels, *new)
    return replace(
        state,
        labels=grown,
        outside=grown.index(oos_label) if oos_label in grown else None,
        machine=state.machine.widened(len(new)),
        patch=state.patch.widened(len(new)) if state.patch is not None else None,
    )


def _score(state: _State, texts: Sequence[str], vectors: Floats) -> Scores:
    rows = [word_row(text, state.idf) for text in texts]
    scores = state.machine.scores(vectors, rows)
    if state.patch is None:
        return scores
    more = state.patch.scores(vectors, rows)
    return Scores(scores.labels + more.labels, np.maximum(scores.nearness, more.nearness))


def _fitted(
    data: Data, spec: KernelSpec, landmarks: Landmarks | None, guesses: _Guesses | None = None
) -> KernelMachine | Scorer:
    """Fit through landmarks, or without any to every row."""
    vectors, words, targets, importance, near = data.vectors, data.words, data.targets, data.importance, data.near
    if guesses is not None:
        vectors = np.concatenate([vectors, guesses.vectors])
        words = sparse.vstack([words, guesses.words], format="csr")
        targets = np.concatenate([targets, guesses.targets])
        importance = np.concatenate([importance, guesses.importance])
        near = np.concatenate([near, np.zeros(len(guesses.targets), dtype=np.bool_)])  # it may be out of scope
    ridges = spec.ridge / importance
    if landmarks is None:
        return KernelMachine.build(spec, vectors, words, targets, ridges, near, keep=False)
    return fit_landmarks(spec, landmarks, vectors, words, targets, ridges, outside=data.outside)


def _prediction(ranking: list[tuple[str, float]], in_scope: float, accepted: bool) -> Prediction:
    label, confidence = ranking[0]
    return Prediction(label=label, confidence=confidence, ranking=tuple(ranking), in_scope=in_scope, accepted=accepted)


def _set_apart(
    rows: Sequence[int], apart: Sequence[int], columns: NDArray[np.intp], outside: int | None
) -> NDArray[np.bool_]:
    """Which rows are set apart; a fifth of the out-of-scope ones among them, since adapters are trained on none of these."""
    found = np.isin(rows, apart)
    if found.sum() < _FEWEST_APART:
        return np.zeros(len(rows), dtype=np.bool_)
    if outside is not None:
        found[np.flatnonzero(columns == outside)[::_EVERY_STRANGER]] = True
    return found


class _HeldScope(NamedTuple):
    """Of held-out rows: scope scores of those in scope, whether their label came out right, and scope scores of the others."""

    inside: Floats
    right: NDArray[np.bool_]
    outside: Floats


def _held_scope(held: HeldOut, outside: int | None) -> _HeldScope:
    inside = _in_scope_rows(held, outside)
    scope = scope_score(held.labels, held.nearness, outside)
    right = _said(held.labels[inside], outside).argmax(axis=1) == held.columns[inside]
    return _HeldScope(scope[inside], right, scope[~inside])


def _in_scope_rows(held: HeldOut, outside: int | None) -> NDArray[np.bool_]:
    return held.columns != outside if outside is not None else np.ones(len(held.columns), dtype=np.bool_)


def _said(labels: Floats, outside: int | None) -> Floats:
    """Return scores of labels with the out-of-scope one, which is never said, out of the way."""
    if outside is None or labels.shape[1] == 1:
        return labels
    labels = labels.copy()
    labels[:, outside] = -10.0
    return labels


def _calibrate(
    held: HeldOut, scope: _HeldScope, outside: int | None, budget: float
) -> tuple[float, ScopeRule, dict[str, float]]:
    inside = _in_scope_rows(held, outside)
    sharpness = fit_sharpness(_said(held.labels[inside], outside), held.columns[inside])
    rule = fit_scope_rule(
        scope.inside[scope.right],
        scope.inside[~scope.right],
        scope.outside if len(scope.outside) >= 20 else np.concatenate([scope.outside, held.strangers]),
        budget=budget,
    )
    accepted = scope.right & (scope.inside >= rule.threshold)
    count = max(1, len(scope.right))
    metrics = {
        "accuracy": float(scope.right.sum() / count),
        "in_scope_accuracy": float(accepted.sum() / count),
    }
    return sharpness, rule, metrics
