"""The head that says which relation a sentence states between two of its mentions, if any.

A kernel ridge machine on encoder vectors of three texts (see `pairs`): closed form, so that what a person accepts or rejects is learned at
once. What the schema calls its relations are its first examples, so that it finds something before anybody has decided anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rejoinder.errors import InvalidInputError
from rejoinder.graph.extraction.pairs import Spoken
from rejoinder.models.heads import ridge
from rejoinder.models.heads.logistic import Platt, folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.graph.extraction.tuning import Tuned
    from rejoinder.graph.schema import GraphSchema

    Floats = NDArray[np.float32]
    Encode = Callable[[Sequence[str]], Floats]

__all__ = ["NONE", "Labelled", "RelationHead"]

NONE: Final = ""
"""The label of a pair between which a sentence states no relation."""

MAX_ROWS: Final = 4000
"""Most different pairs that are learned from; of more the last ones."""

_TEXTS: Final = 3
_WIDTH: Final = 2.0
_RIDGE: Final = 0.05
_FOLDS: Final = 8
_REPEATS: Final = 3
"""Divisions into folds; one alone moves the threshold by 0.05."""
_FEWEST: Final = 20.0
"""Least weight of held-out pairs above a threshold that says anything of its precision."""
_UNSURE: Final = 0.5
"""Threshold where there are too few examples to learn one."""
_UNRELATED: Final = ("{0} and {1}.", "{1} likes {0}.", "{1} is not mentioned in {0}.", "{0} was seen near {1}.")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A pair, by its texts, with the relation that holds; NONE: none of those that its kinds allow.

    Attributes:
        texts: as of `pairs.Pair`.
        relations: those allowed.
        phrasing: the same for all pairs of one sentence, and of sentences that differ in names only.
    """

    texts: tuple[str, str, str]
    relations: tuple[str, ...]
    label: str
    phrasing: str

    @property
    def marked(self) -> str:
        """What a tuned encoder reads."""
        return marked(self.texts)


def marked(texts: tuple[str, str, str]) -> str:
    """Return what a tuned encoder reads of a pair's texts: the sentence, and its part between the two names."""
    return f"{texts[0]} | {texts[2]}"


@dataclass(frozen=True, slots=True)
class _Machine:
    """Vectors (n, texts, dim) of the examples, their weights (n, columns) in the sum, and each column's mean."""

    points: Floats
    weights: Floats
    mean: Floats

    def scores(self, points: Floats) -> Floats:
        found: Floats = _kernel(points, self.points) @ self.weights + self.mean
        return found


class RelationHead:
    """Gives the probability of each relation between two mentions.

    Args:
        schema: names the relations and their titles.
        encode: gives vectors of texts, (n, dim) float32, L2-normalised.
        tuned: an encoder that learned of relations before; it is heard as much as the frozen one.

    Attributes:
        columns: the relations, sorted, and NONE.
    """

    def __init__(self, schema: GraphSchema, encode: Encode, tuned: Tuned | None = None) -> None:
        """Nothing is known before `fit` or `restore`; see the class."""
        self.columns: tuple[str, ...] = (*sorted(schema.relations), NONE)
        self._schema = schema
        self._encode = encode
        self._tuned = tuned
        self._machine: _Machine | None = None
        self._platts: tuple[Platt, ...] = (Platt(),) * (len(self.columns) - 1)

    def fit(self, pairs: Sequence[Labelled], *, seed: int, precision: float) -> Mapping[str, float]:
        """Learn from nothing but examples and the schema's titles.

        Args:
            precision: wanted share of right ones among what is proposed, in (0, 1).
        Returns:
            `threshold`: probability from which proposals were that precise on examples held out, all of a phrasing together;
            `recall` and `precision` there; `pairs`: how many different ones there were.
        """
        counted = Counter(pairs)
        rows = [*_titles(self._schema), *list(counted)[-MAX_ROWS:]]
        points = self._points([row.texts for row in rows])
        truth = np.array([self.columns.index(row.label) for row in rows])
        targets = np.eye(len(self.columns), dtype=np.float32)[truth]
        importance = np.sqrt(np.array([counted[row] or 1 for row in rows], dtype=np.float32))
        allowed = self._allowed([row.relations for row in rows])
        mean = np.average(targets, axis=0, weights=importance).astype(np.float32)
        lower = ridge.factor(_kernel(points, points).astype(np.float32), (_RIDGE / importance).astype(np.float32))
        weights = ridge.solve(lower, targets - mean)
        self._machine = _Machine(points, weights, mean)
        inverted = ridge.inverse(lower)
        held_out = []
        for repeat in range(_REPEATS):
            parts = _parts(rows, seed + repeat)
            scores = np.zeros_like(targets)
            for part in np.unique(parts):
                block = np.flatnonzero(parts == part)
                scores[block] = ridge.leave_block_out(inverted, weights, targets - mean, block) + mean
            held_out.append(_margins(scores, allowed))
        margins = np.concatenate(held_out)
        right = np.tile(targets[:, :-1] > 0, (_REPEATS, 1))
        asked = np.isfinite(margins) & np.tile(self._is_apart(rows), _REPEATS)[:, None]
        together = Platt.fitted(margins[asked], right[asked])
        self._platts = tuple(
            Platt.fitted(margins[rows_, column], right[rows_, column], prior=together)
            for column, rows_ in enumerate(asked.T)
        )
        likely = self._likely(margins)[asked]
        weight = np.broadcast_to(np.tile(importance, _REPEATS)[:, None], margins.shape)[asked]
        return {"pairs": float(len(rows)), **_threshold(likely, right[asked], weight, precision)}

    def probabilities(
        self, texts: Sequence[tuple[str, str, str]], relations: Sequence[tuple[str, ...]]
    ) -> list[dict[str, float]]:
        """Return for each pair the probability of each relation that is allowed.

        Raises:
            InvalidInputError: nothing has been learned yet.
        """
        machine = self._learned()
        if not texts:
            return []
        margins = _margins(machine.scores(self._points(texts)), self._allowed(relations))
        return [
            {name: float(share) for name, share in zip(self.columns, row, strict=False) if name in names}
            for row, names in zip(self._likely(margins), relations, strict=True)
        ]

    def arrays(self) -> dict[str, Any]:
        """Return what `restore` needs.

        Raises:
            InvalidInputError: nothing has been learned yet.
        """
        machine = self._learned()
        return {
            "points": machine.points,
            "weights": machine.weights,
            "mean": machine.mean,
            "platts": np.array(self._platts, dtype=np.float64),
        }

    def restore(self, arrays: Mapping[str, Any], columns: tuple[str, ...]) -> None:
        """Take what `arrays` gave.

        Raises:
            InvalidInputError: it was learned for other relations, or with a tuned encoder where there is none now, or the reverse.
        """
        if (arrays["points"].shape[1] > _TEXTS) != (self._tuned is not None):
            raise InvalidInputError(
                "this extraction was learned with another encoder: load it with the one that `tune` made, or fit it anew"
            )
        if columns != self.columns:
            raise InvalidInputError(
                f"this extraction was learned for the relations {', '.join(columns[:-1])}; the schema has "
                f"{', '.join(self.columns[:-1])}: fit it anew"
            )
        self._machine = _Machine(arrays["points"], arrays["weights"], arrays["mean"])
        self._platts = tuple(Platt(float(slope), float(offset)) for slope, offset in arrays["platts"])

    def _learned(self) -> _Machine:
        if self._machine is None:
            raise InvalidInputError("this extraction has learned nothing yet: call fit or load first")
        return self._machine

    def _likely(self, margins: Floats) -> Floats:
        """Probabilities of margins (n, relations), calibrated for each relation."""
        found: Floats = np.stack(
            [platt.probability(column) for platt, column in zip(self._platts, margins.T, strict=True)], axis=1
        )
        return found

    def _is_apart(self, rows: Sequence[Labelled]) -> NDArray[np.bool_]:
        """Which rows say how sure to be: those of phrasings that nothing was tuned on."""
        return np.array([self._tuned is None or row.phrasing not in self._tuned.seen for row in rows])

    def _points(self, texts: Sequence[tuple[str, str, str]]) -> Floats:
        """Vectors (n, 3, dim), or (n, 6, dim) with those of the tuned encoder, three times the same."""
        points = _encoded(self._encode, texts)
        if self._tuned is None:
            return points
        own = _encoded(self._tuned.encode, [(marked(every),) for every in texts])
        return np.concatenate([points, own, own, own], axis=1)

    def _allowed(self, relations: Sequence[tuple[str, ...]]) -> NDArray[np.bool_]:
        return np.array([[name == NONE or name in names for name in self.columns] for names in relations])


def _encoded(encode: Encode, texts: Sequence[tuple[str, ...]]) -> Floats:
    """Vectors (n, texts of each, dim), each different text read once."""
    different = sorted({text for every in texts for text in every})
    places = {text: place for place, text in enumerate(different)}
    found: Floats = encode(different)[np.array([[places[text] for text in every] for every in texts])]
    return found


def _titles(schema: GraphSchema) -> list[Labelled]:
    """Sentences that say what the schema calls its relations, both ways, and some that state none."""
    stand_ins = Spoken.of(schema)
    found = []
    for name, one in sorted(schema.relations.items()):
        subject, object_ = (stand_ins.this(every[0]) if every else "this" for every in (one.domain, one.range))
        said = {f"{subject} {one.title or name.replace('_', ' ')} {object_}": name}
        if one.inverse_title:
            said[f"{object_} {one.inverse_title} {subject}"] = name
        said.update((text.format(subject, object_), NONE) for text in _UNRELATED)
        allowed = tuple(
            other for other, two in schema.relations.items() if two.domain == one.domain and two.range == one.range
        )
        found += [Labelled((text, text, text), allowed, label, text) for text, label in said.items()]
    return list(dict.fromkeys(found))


def _kernel(left: Floats, right: Floats) -> Floats:
    """Mean over the texts of a Gaussian kernel."""
    cosines = np.einsum("ipd,jpd->pij", left, right, optimize=True)
    found: Floats = np.exp(_WIDTH * (cosines - 1)).mean(axis=0)
    return found


def _margins(scores: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """By how much each relation leads before the best other label that is allowed; -inf where it is not allowed itself."""
    scores = np.where(allowed, scores, -np.inf)
    ranked = np.sort(scores, axis=1)
    others = np.where(scores == ranked[:, -1:], ranked[:, -2:-1], ranked[:, -1:])
    found: Floats = np.where(allowed, scores - others, -np.inf)[:, :-1].astype(np.float32)
    return found


def _parts(rows: Sequence[Labelled], seed: int) -> NDArray[np.intp]:
    """The part in which each row is held out: all pairs of a phrasing in the same."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys(row.phrasing for row in rows))}
    part_of = folds(len(numbers), min(_FOLDS, len(numbers)), seed)
    return np.array([part_of[numbers[row.phrasing]] for row in rows])


def _threshold(likely: Floats, right: NDArray[np.bool_], weight: Floats, precision: float) -> dict[str, float]:
    """The lowest probability above which enough is right, with what it gives."""
    order = np.argsort(-likely, kind="stable")
    hits, said = np.cumsum(weight[order] * right[order]), np.cumsum(weight[order])
    good = np.flatnonzero((hits >= precision * said) & (said >= _FEWEST))
    if not len(good):
        return {"threshold": _UNSURE, "precision": 0.0, "recall": 0.0}
    last = good[-1]
    return {
        "threshold": float(likely[order][last]),
        "precision": float(hits[last] / said[last]),
        "recall": float(hits[last] / (weight * right).sum()),
    }
