"""The learned reranker: which of the passages that retrieval found answers a question, or that none does.

Each candidate gets a linear score of what `rejoinder.documents.features` sees: some numbers about words and ranks, and the elementwise
products of both vectors (a diagonal metric, learned on top of the cosine). "None of them" is a candidate with a score of its own, so that
the softmax over all is a probability that means something: it is small where nothing fits. Scoring 40 candidates takes well under a
millisecond beyond their features.

Every tenant starts from a prior that ships with the package, and each piece of feedback moves it, most where the prior knows little.
`benchmarks/retrieval.py --fit-prior` fits the prior, on public questions; decision 014 says on which.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

import numpy as np

from rejoinder.documents.features import NAMES, products
from rejoinder.errors import InvalidInputError
from rejoinder.models.artefact import load_artefact, save_artefact
from rejoinder.models.heads.logistic import Logistic
from rejoinder.models.learner import Prediction, Reads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

__all__ = ["NO", "YES", "Choice", "PassageRanker", "save_prior", "shipped_prior", "unknown"]

KIND: Final = "passage_ranker/1"

YES: Final = "yes"
NO: Final = "no"
"""Labels of examples: the passage answers the question, or does not."""

_SCALAR_PRECISION: Final = 0.1
_PRODUCT_PRECISION: Final = 300.0
"""Of coefficients of which nothing is known. The cosine is the sum of all products: what they say beyond it is little."""

_PRIOR_PRECISION: Final = 20.0
"""How sure a tenant's feedback finds the shipped prior, at most: as sure as after some dozens of telling examples, whatever number it was
fitted on."""

_CORRECTION: Final = 3.0
_MOST_RIGHT: Final = 4


class Choice(NamedTuple):
    """One question to learn from: its candidates, and which of them answer it.

    Attributes:
        scalars: (n, len(NAMES)) float32, of `scalar_features`.
        products: (n, dim) float32, of `products`; (n, 0) where there are no vectors.
        right: (n,) bool; all False: none of them answers it.
    """

    scalars: Floats
    products: Floats
    right: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Coefficients of "none of them", of each scalar and of each product; replaced as a whole."""

    head: Logistic
    lessons: int = 0

    @property
    def dim(self) -> int:
        return int(self.head.mean.shape[1]) - 2 - len(NAMES)


class PassageRanker:
    """Choose among passages; a `Learner` of pairs of question and passage, and more: `probabilities` weighs all candidates together.

    As a learner it is taught by single pairs: an example's `text` is the question, `other` what the encoder reads of the passage, its label
    `yes` or `no`, and `target["features"]` the scalar features at the time, as a list (without them, those of the vectors count alone).
    """

    reads: ClassVar[Reads] = "pairs"

    def __init__(self, *, prior: Logistic | None = None) -> None:
        """Begin with the shipped prior, or another."""
        self._state = _State(_loosened(prior or shipped_prior()))

    @property
    def head(self) -> Logistic:
        """The coefficients: of "none of them", of each scalar feature, of each product."""
        return self._state.head

    @property
    def lessons(self) -> int:
        """How many examples it has seen beyond the prior."""
        return self._state.lessons

    def probabilities(self, scalars: Floats, product: Floats) -> Floats:
        """Return for each candidate of one question the probability that it answers it: (n,) float32, their sum is at most 1.

        Args:
            scalars: (n, len(NAMES)) float32.
            product: (n, dim) float32; products of another dimension than was learned say nothing.
        """
        state = self._state
        scores = _rows(scalars, product, state.dim) @ state.head.mean[0, :-1]
        scores = np.append(scores, state.head.mean[0, 0])
        shares = np.exp(scores - scores.max())
        found: Floats = (shares[:-1] / shares.sum()).astype(np.float32)
        return found

    def learn(self, choices: Sequence[Choice], *, weights: Sequence[float] | None = None) -> None:
        """Learn from questions with all their candidates.

        Where several answer a question, each of the first four is set against those that do not: that one of many right ones comes first is
        no merit, that no wrong one does is.

        Args:
            weights: importance of each question, > 0; None: 1 each.
        """
        if not choices:
            return
        state = self._state
        dim = max((one.products.shape[1] for one in choices), default=0)
        if dim and not state.dim:
            state = _State(_widened(state.head, dim), state.lessons)
        rows: list[Floats] = []
        sizes: list[int] = []
        targets: list[Floats] = []
        for number, one in enumerate(choices):
            told = np.concatenate([_rows(one.scalars, one.products, state.dim), _none_row(state.dim)])
            wrong = np.append(np.flatnonzero(~one.right), len(one.right))
            right = np.flatnonzero(one.right)[:_MOST_RIGHT].tolist() or [len(one.right)]
            for best in right:
                group = told[[best, *(row for row in wrong if row != best)]]
                share = np.zeros(len(group), dtype=np.float32)
                share[0] = (1.0 if weights is None else weights[number]) / len(right)
                rows.append(group)
                sizes.append(len(group))
                targets.append(share)
        starts = (np.cumsum(sizes) - sizes).astype(np.intp)
        head = state.head.learned_choices(np.concatenate(rows), starts, np.concatenate(targets)[:, None])
        self._state = _State(head, state.lessons + len(choices))

    def fit(self, examples: Sequence[Example], pairs: Floats, /, *, seed: int) -> Mapping[str, float]:
        """Learn from the prior and these examples; see `Learner.fit` and the class."""
        started = time.perf_counter()
        fresh = type(self)()
        fresh.update(examples, pairs)
        if not fresh.lessons:
            raise InvalidInputError(
                "nothing to learn from: no example has a question, a passage and the label yes or no"
            )
        self._state = fresh._state
        return {
            "train_seconds": time.perf_counter() - started,
            "examples": float(fresh.lessons),
            **self.evaluate(examples, pairs),
        }

    def update(self, examples: Sequence[Example], pairs: Floats, /) -> None:
        """Learn from a few examples, in milliseconds; a correction counts three times. See `Learner.update`."""
        rows = _usable(examples, pairs)
        weights = [
            examples[row].weight * (_CORRECTION if examples[row].polarity == "correction" else 1.0) for row in rows
        ]
        self.learn([_choice(examples[row], pairs[row]) for row in rows], weights=weights)

    def predict_batch(self, texts: Sequence[tuple[str, str]], pairs: Floats, /) -> list[Prediction]:
        """Predict whether passages answer questions, each pair by itself, by its vectors alone; see `Learner.predict_batch`."""
        return [_prediction(self._alone(np.zeros((1, len(NAMES)), dtype=np.float32), pair)) for pair in pairs]

    def evaluate(self, examples: Sequence[Example], pairs: Floats, /) -> Mapping[str, float]:
        """Return `accuracy` over the examples with a label, with their features."""
        rows = _usable(examples, pairs)
        said = [self._alone(_features(examples[row]), pairs[row]) >= 0.5 for row in rows]
        right = [_is_right(examples[row]) == one for row, one in zip(rows, said, strict=True)]
        return {"accuracy": float(np.mean(right))} if right else {}

    def save(self, folder: Path) -> None:
        """Write the model; see `Learner.save`."""
        settings = {"features": list(NAMES), "lessons": self._state.lessons}
        save_artefact(Path(folder), kind=KIND, arrays=self._state.head._asdict(), settings=settings)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; see `Learner.load`. One with other features than this version's is begun anew."""
        head, lessons = _read(folder)
        made = cls()
        if head is not None:
            made._state = _State(head, lessons)
        return made

    def size(self) -> int:
        """Bytes in memory."""
        return self._state.head.nbytes

    def _alone(self, scalars: Floats, pair: Floats) -> float:
        scalars = scalars.copy()
        cosine = float(pair[0] @ pair[1])
        if not scalars[0, 0]:
            scalars[0, 0] = cosine
        return float(self.probabilities(scalars, products(pair[0], pair[1][None]))[0])


def save_prior(folder: Path, head: Logistic) -> None:
    """Write coefficients as a prior for `shipped_prior` to read."""
    save_artefact(folder, kind=KIND, arrays=head._asdict(), settings={"features": list(NAMES), "lessons": 0})


@cache
def shipped_prior() -> Logistic:
    """Return the coefficients that ship with the package.

    Raises:
        ModelIntegrityError: a file is missing or damaged: install the package again.
    """
    with resources.as_file(resources.files("rejoinder.documents") / "prior") as folder:
        head, _ = _read(folder)
    return unknown() if head is None else head


def unknown(dim: int = 0) -> Logistic:
    """Return coefficients of which nothing is known, for vectors of a dimension."""
    precision = np.full(1 + len(NAMES) + dim, _SCALAR_PRECISION, dtype=np.float32)
    precision[1 + len(NAMES) :] = _PRODUCT_PRECISION
    return Logistic.unknown(1, precision, len(precision))


def _read(folder: Path) -> tuple[Logistic | None, int]:
    arrays, settings = load_artefact(Path(folder), kind=KIND)
    if settings["features"] != list(NAMES):
        return None, 0
    return Logistic(**arrays), int(settings["lessons"])


def _loosened(head: Logistic) -> Logistic:
    return Logistic(head.mean, np.minimum(head.precision, np.float32(_PRIOR_PRECISION)))


def _widened(head: Logistic, dim: int) -> Logistic:
    """Return the same with coefficients for products, of which nothing is known."""
    new = unknown(dim)
    known = 1 + len(NAMES)
    mean, precision = new.mean.copy(), new.precision.copy()
    mean[:, :known], precision[:, :known] = head.mean[:, :known], head.precision[:, :known]
    return Logistic(mean, precision)


def _rows(scalars: Floats, product: Floats, dim: int) -> Floats:
    rows = np.zeros((len(scalars), 1 + len(NAMES) + dim), dtype=np.float32)
    rows[:, 1 : 1 + len(NAMES)] = scalars
    if dim and product.shape[1] == dim:
        rows[:, 1 + len(NAMES) :] = product
    return rows


def _none_row(dim: int) -> Floats:
    row = np.zeros((1, 1 + len(NAMES) + dim), dtype=np.float32)
    row[0, 0] = 1.0
    return row


def _usable(examples: Sequence[Example], pairs: Floats) -> list[int]:
    if len(examples) != len(pairs):
        raise InvalidInputError(
            f"there must be one pair of vectors for each of the {len(examples)} examples, came {len(pairs)}"
        )
    return [row for row, one in enumerate(examples) if one.label in (YES, NO) and one.other and one.weight > 0]


def _is_right(example: Example) -> bool:
    return (example.label == YES) == (example.polarity != "negative")


def _features(example: Example) -> Floats:
    told: Any = example.target.get("features") if isinstance(example.target, dict) else None
    if isinstance(told, list) and len(told) == len(NAMES):
        return np.array([told], dtype=np.float32)
    return np.zeros((1, len(NAMES)), dtype=np.float32)


def _choice(example: Example, pair: Floats) -> Choice:
    scalars = _features(example)
    if not scalars[0, 0]:
        scalars[0, 0] = float(pair[0] @ pair[1])
    return Choice(scalars, products(pair[0], pair[1][None]), np.array([_is_right(example)]))


def _prediction(probability: float) -> Prediction:
    label, other = (YES, NO) if probability >= 0.5 else (NO, YES)
    sure = max(probability, 1.0 - probability)
    return Prediction(
        label=label, confidence=sure, ranking=((label, sure), (other, 1.0 - sure)), in_scope=1.0, accepted=label == YES
    )
