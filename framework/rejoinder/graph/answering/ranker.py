"""The head that ranks relation paths for a question: a small classifier for each part of a path.

Paths are put together from parts, and so is what questions say of them: "who wrote the films directed by ..." names its last step and its
first. Four text classifiers say how long the path is and what its first, middle and last step are; a path's score is the sum of their
logarithms. How likely a question asks for anything that was taught is told by how many different ones were. On metaqa, with half of its
518 phrasings kept from training, 0.94 of the others are ranked right; one classifier of whole paths gets 0.79 and can never say a path
that it has not seen.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from threadpoolctl import threadpool_limits

from rejoinder.errors import InvalidInputError, ModelNotReadyError
from rejoinder.graph.answering.paths import parse_path, path_text
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.heads.calibration import fit_sharpness
from rejoinder.models.learner import Prediction, Reads
from rejoinder.models.tasks.text_classification import TextClassifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

KIND: Final = "path_ranker/1"

PARTS: Final = ("length", "first", "middle", "last")

_NONE: Final = "-"
"""The middle step of a path that has none."""

_CHOICES: Final = 6
"""Of each part, so many of the likeliest are put together."""

_FLOOR: Final = 1e-4
"""Probability of a part that its classifier does not give."""

_STRANGE: Final = 0.01
"""Factor for two steps that follow one another in no example, nor any that leave from and lead to the same kinds."""

_SHARPNESS: Final = 0.6
"""Where there are too few examples to fit one; the parts say the same things twice, so that their sum is too sure of itself."""

_UNSEEN: Final = 6.0
"""After n different questions the next one asks for something that was never taught with probability 6 / (n + 6), as in a Chinese
restaurant process. At the threshold of `graph_answers`, three and fewer answer nothing by themselves; the memory of corrections does."""

_ENOUGH: Final = 8
"""From so many different questions on, what their classifiers accept is accepted; before, they hold any question for what they know."""

_FOLDS: Final = 4
_MOST_CALIBRATED: Final = 1500
_SCALE: Final = 10.0
"""`fit_sharpness` looks in [1, 100]; here less than 1 is usual."""


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    heads: Mapping[str, TextClassifier]
    sides: Mapping[str, int]
    sharpness: float
    seen: float
    enough: bool


class PathRanker:
    """Rank relation paths for questions whose topic is masked (see `rejoinder.graph.answering.questions.masked`).

    Labels are the texts of paths; examples with others are passed over. Those that say "not this path" too: the memory of corrections sees
    to them, since one wrong path does not make its steps wrong.

    Args:
        top_k: how many paths `Prediction.ranking` holds, >= 1.
    """

    reads: ClassVar[Reads] = "vectors"

    def __init__(self, *, top_k: int = 12) -> None:
        """Nothing is known before `fit`, `update` or `load`; see the class for arguments."""
        self._top_k = top_k
        self._state: _State | None = None
        self._labels: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The paths that examples named, sorted; others that are put together of their steps may be ranked as well."""
        return self._labels

    def fit(self, examples: Sequence[Example], vectors: Floats, /, *, seed: int) -> Mapping[str, float]:
        """Learn from nothing, in some 1.2 s of CPU for 500 examples; see `Learner.fit`.

        On one thread: for matrices as small as these, more only wait for one another, on a busy machine twenty times as long.

        Returns:
            `train_seconds`, `examples`, and from examples not fitted: `accuracy`.
        """
        started = time.perf_counter()
        rows = _usable(examples, vectors)
        if not rows:
            raise InvalidInputError(
                "nothing to learn from: no example has a text, a weight above 0 and a relation path as its label"
            )
        own, read = [examples[row] for row in rows], vectors[rows]
        labels = tuple(sorted({_label(one) for one in own}))
        with threadpool_limits(1, user_api="blas"):
            sharpness, accuracy = self._calibrated(own, read, labels, seed)
            heads = _fitted(own, read, seed)
        self._state = _State(heads, _sides(labels), sharpness, *_seen(heads))
        self._labels = labels
        return {"train_seconds": time.perf_counter() - started, "examples": float(len(rows)), "accuracy": accuracy}

    def update(self, examples: Sequence[Example], vectors: Floats, /) -> None:
        """Add a few examples, in some 20 ms; see `Learner.update`."""
        rows = _usable(examples, vectors)
        if not rows:
            return
        if self._state is None:
            self.fit(examples, vectors, seed=0)
            return
        own, read = [examples[row] for row in rows], vectors[rows]
        for part, head in self._state.heads.items():
            head.update([_part(one, part) for one in own], read)
        self._labels = tuple(sorted({*self._labels, *(_label(one) for one in own)}))
        heads = self._state.heads
        self._state = _State(heads, _sides(self._labels), self._state.sharpness, *_seen(heads))

    def remove(self, texts: Sequence[str]) -> int:
        """Forget all examples with these texts and return how many there were; see `TextClassifier.remove`."""
        state = self._state
        if state is None:
            return 0
        removed = max(head.remove(texts) for head in state.heads.values())
        self._state = _State(state.heads, state.sides, state.sharpness, *_seen(state.heads))
        return removed

    def predict_batch(self, texts: Sequence[str], vectors: Floats, /) -> list[Prediction]:
        """Rank paths for masked questions, in order, in some 0.7 ms each; see `Learner.predict_batch`."""
        state = self._state
        if state is None:
            raise ModelNotReadyError("this path ranker has learned nothing yet: call fit or load first")
        if not len(texts):
            return []
        said = {part: head.predict_batch(texts, vectors) for part, head in state.heads.items()}
        return [self._ranked({part: said[part][row] for part in PARTS}, state) for row in range(len(texts))]

    def evaluate(self, examples: Sequence[Example], vectors: Floats, /) -> Mapping[str, float]:
        """Return `accuracy` and `ece` over the examples with a relation path as their label."""
        from rejoinder.learning.metrics import report

        rows = _usable(examples, vectors)
        said = self.predict_batch([examples[row].text for row in rows], vectors[rows])
        metrics = report([_label(examples[row]) for row in rows], said, oos_label=None)
        return {name: metrics[name] for name in ("accuracy", "ece") if name in metrics}

    def save(self, folder: Path) -> None:
        """Write the model; see `Learner.save`."""
        if self._state is None:
            raise ModelNotReadyError("this path ranker has learned nothing yet: call fit or load first")
        for part, head in self._state.heads.items():
            head.save(Path(folder) / part)
        settings = {"labels": list(self._labels), "sharpness": self._state.sharpness, "top_k": self._top_k}
        save_artefact(Path(folder), kind=KIND, arrays={}, settings=settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see `Learner.load`."""
        _, settings = load_artefact(Path(folder), kind=KIND)
        made = cls(top_k=settings["top_k"])
        made._labels = tuple(settings["labels"])
        heads = {part: TextClassifier.load(Path(folder) / part) for part in PARTS}
        made._state = _State(heads, _sides(made._labels), settings["sharpness"], *_seen(heads))
        return made

    def size(self) -> int:
        """Bytes in memory, 0 before anything is learned."""
        return 0 if self._state is None else sum(head.size() for head in self._state.heads.values())

    def _calibrated(self, own: list[Example], read: Floats, labels: tuple[str, ...], seed: int) -> tuple[float, float]:
        """Return the sharpness under which rankings of examples not fitted explain their labels best, and how many came first."""
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(own))[:_MOST_CALIBRATED]
        sides = _sides(labels)
        scores: list[list[float]] = []
        truth: list[int] = []
        right = 0
        for fold in range(_FOLDS):
            held, kept = (
                order[fold::_FOLDS],
                np.concatenate([order[one::_FOLDS] for one in range(_FOLDS) if one != fold]),
            )
            if not len(held) or not len(kept):
                continue
            heads = _fitted([own[row] for row in kept], read[kept], seed)
            texts = [own[row].text for row in held]
            said = {part: head.predict_batch(texts, read[held]) for part, head in heads.items()}
            for place, row in enumerate(held):
                ranking = _candidates({part: said[part][place] for part in PARTS}, sides)[: self._top_k]
                names = [text for text, _ in ranking]
                right += names[:1] == [_label(own[row])]
                if _label(own[row]) in names and len(names) > 1:
                    padded = [score for _, score in ranking] + [ranking[-1][1] - 50.0] * (self._top_k - len(ranking))
                    scores.append(padded)
                    truth.append(names.index(_label(own[row])))
        if len(scores) < _FOLDS * 5:
            return _SHARPNESS, right / max(1, len(order))
        found = fit_sharpness(np.array(scores, dtype=np.float32) / _SCALE, np.array(truth)) / _SCALE
        return min(1.0, found), right / len(order)

    def _ranked(self, said: Mapping[str, Prediction], state: _State) -> Prediction:
        ranking = _candidates(said, state.sides)
        powers = [math.exp(state.sharpness * (score - ranking[0][1])) for _, score in ranking]
        total = sum(powers) / state.seen
        shares = tuple((text, power / total) for (text, _), power in zip(ranking, powers, strict=True))[: self._top_k]
        scopes = [said[part].in_scope for part in PARTS]
        return Prediction(
            label=shares[0][0],
            confidence=shares[0][1],
            ranking=shares,
            in_scope=sum(scopes) / len(scopes),
            accepted=state.enough and sum(said[part].accepted for part in PARTS) * 2 > len(PARTS),
        )


def _seen(heads: Mapping[str, TextClassifier]) -> tuple[float, bool]:
    """Return the probability that a question asks for something that was taught, and whether enough was taught to accept any."""
    texts = heads["last"].distinct_texts
    return (1.0, True) if texts is None else (texts / (texts + _UNSEEN), texts >= _ENOUGH)


def _candidates(said: Mapping[str, Prediction], sides: Mapping[str, int]) -> list[tuple[str, float]]:
    """Return paths put together from the likeliest parts with their logarithmic scores, best first."""
    log = {
        part: {label: math.log(max(share, _FLOOR)) for label, share in said[part].ranking[:_CHOICES]} for part in PARTS
    }
    floor = math.log(_FLOOR)
    length, first, middle, last = (log[part] for part in PARTS)
    none = middle.get(_NONE, floor)
    found: dict[str, float] = {}
    if "1" in length:
        for step in {**first, **last}:
            found[step] = length["1"] + none + first.get(step, floor) + last.get(step, floor)
    if "2" in length:
        for (start, one), (end, two) in product(first.items(), last.items()):
            found[f"{start}/{end}"] = length["2"] + none + one + two + _joined(sides, start, end)
    if "3" in length:
        for (start, one), (between, two), (end, three) in product(first.items(), middle.items(), last.items()):
            if between != _NONE:
                joined = _joined(sides, start, between) + _joined(sides, between, end)
                found[f"{start}/{between}/{end}"] = length["3"] + one + two + three + joined
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def _joined(sides: Mapping[str, int], before: str, after: str) -> float:
    fits = sides.get(_reach(before), -1) == sides.get(_leave(after), -2)
    return 0.0 if fits else math.log(_STRANGE)


def _sides(labels: Sequence[str]) -> dict[str, int]:
    """Return what steps leave from and lead to, as numbers: equal for sides that meet in a path (union-find)."""
    parent: dict[str, str] = {}

    def root(side: str) -> str:
        parent.setdefault(side, side)
        while parent[side] != side:
            side = parent[side]
        return side

    for label in labels:
        steps = label.split("/")
        for step in steps:
            root(_leave(step))
            root(_reach(step))
        for before, after in pairwise(steps):
            parent[root(_reach(before))] = root(_leave(after))
    numbers: dict[str, int] = {}
    return {side: numbers.setdefault(root(side), len(numbers)) for side in sorted(parent)}


def _leave(step: str) -> str:
    return f"{step[1:]}>" if step.startswith("^") else f"{step}<"


def _reach(step: str) -> str:
    return f"{step[1:]}<" if step.startswith("^") else f"{step}>"


def _fitted(own: Sequence[Example], read: Floats, seed: int) -> dict[str, TextClassifier]:
    heads = {part: TextClassifier(top_k=_CHOICES) for part in PARTS}
    for part, head in heads.items():
        head.fit([_part(one, part) for one in own], read, seed=seed)
    return heads


def _part(example: Example, part: str) -> Example:
    steps = _label(example).split("/")
    label = {
        "length": str(len(steps)),
        "first": steps[0],
        "middle": steps[1] if len(steps) > 2 else _NONE,
        "last": steps[-1],
    }[part]
    return replace(example, label=label)


def _label(example: Example) -> str:
    return example.label or ""


def _usable(examples: Sequence[Example], vectors: Any) -> list[int]:
    if vectors.ndim != 2 or len(vectors) != len(examples):
        raise InvalidInputError(
            f"vectors must have one row for each of the {len(examples)} examples, came with shape {vectors.shape}"
        )
    return [
        row for row, one in enumerate(examples) if one.weight > 0 and one.polarity != "negative" and is_path(one.label)
    ]


def is_path(label: str | None) -> bool:
    """Return whether a label is the text of a relation path."""
    try:
        return label is not None and path_text(parse_path(label)) == label
    except InvalidInputError:
        return False
