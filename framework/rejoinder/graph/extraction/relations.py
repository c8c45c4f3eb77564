"""The head that says which relation a sentence states between two of its mentions, if any.

A kernel ridge machine on encoder vectors of five texts (see `pairs`): closed form, so that what a person accepts or rejects is learned at
once. What the schema calls its relations are its first examples, so that it finds something before anybody has decided anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rejoinder.errors import InvalidInputError
from rejoinder.graph.extraction.pairs import Spoken
from rejoinder.graph.extraction.threshold import choose_threshold
from rejoinder.models.heads import ridge
from rejoinder.models.heads.logistic import Platt, folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.graph.extraction.pairs import Texts
    from rejoinder.graph.extraction.tuning import Member, Tuned
    from rejoinder.graph.schema import GraphSchema

    Floats = NDArray[np.float32]
    Encode = Callable[[Sequence[str]], Floats]

__all__ = ["NONE", "Labelled", "RelationHead"]

NONE: Final = ""
"""The label of a pair between which a sentence states no relation."""

MAX_ROWS: Final = 6000
"""Most different pairs that are learned from; of more the last ones."""

_WIDTH: Final = 4.0
_RIDGE: Final = 0.1
_FOLDS: Final = 8
_REPEATS: Final = 3
"""Divisions into folds; one alone moves the threshold by 0.05."""
_UNRELATED: Final = ("{0} and {1}.", "{1} likes {0}.", "{1} is not mentioned in {0}.", "{0} was seen near {1}.")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A pair, by its texts, with the relation that holds; NONE: none of those that its kinds allow.

    Attributes:
        texts: as of `pairs.Pair`.
        relations: those allowed.
        phrasing: the same for all pairs of one sentence, and of sentences that differ in names only.
    """

    texts: Texts
    relations: tuple[str, ...]
    label: str
    phrasing: str

    @property
    def marked(self) -> str:
        """What a tuned encoder reads."""
        return marked(self.texts)


def marked(texts: Texts) -> str:
    """Return what a tuned encoder reads of a pair's texts: the sentence, and its part between the two names."""
    return f"{texts[0]} | {texts[2]}"


@dataclass(frozen=True, slots=True)
class _Machine:
    """A machine for each tuned encoder, or one for the encoder as it is; what they say is averaged.

    Attributes:
        points, own: vectors of the examples, as of `RelationHead._points` and `_own`.
        weights: (machines, n, columns) of the examples in the sum.
        mean: of each column.
    """

    points: Floats
    own: Floats
    weights: Floats
    mean: Floats

    def scores(self, points: Floats, own: Floats) -> Floats:
        kernels = _kernels(points, own, self.points, self.own)
        said = [kernel @ weights for kernel, weights in zip(kernels, self.weights, strict=True)]
        found: Floats = np.mean(said, axis=0) + self.mean
        return found


class RelationHead:
    """Gives the probability of each relation between two mentions.

    Args:
        schema: names the relations and their titles.
        encode: gives vectors of texts, (n, dim) float32, L2-normalised.
        tuned: encoders that learned of relations before.

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
            `threshold`: probability from which proposals were that precise on examples held out, all of a phrasing together, with a
            margin for how much phrasings differ; `recall` and `precision` there; `pairs`: how many different ones there were.
        """
        counted = Counter(pairs)
        rows = [*_titles(self._schema), *list(counted)[-MAX_ROWS:]]
        texts = [row.texts for row in rows]
        points, own = self._points(texts), self._own(texts)
        truth = np.array([self.columns.index(row.label) for row in rows])
        targets = np.eye(len(self.columns), dtype=np.float32)[truth]
        importance = np.sqrt(np.array([counted[row] or 1 for row in rows], dtype=np.float32))
        allowed = self._allowed([row.relations for row in rows])
        mean = np.average(targets, axis=0, weights=importance).astype(np.float32)
        parts = [_parts(rows, seed + repeat) for repeat in range(_REPEATS)]
        every, held_out = [], []
        for kernel in _kernels(points, own, points, own):
            lower = ridge.factor(kernel, (_RIDGE / importance).astype(np.float32))
            weights = ridge.solve(lower, targets - mean)
            every.append(weights)
            inverted = ridge.inverse(lower)
            for part_of in parts:
                scores = np.zeros_like(targets)
                for part in np.unique(part_of):
                    block = np.flatnonzero(part_of == part)
                    scores[block] = ridge.leave_block_out(inverted, weights, targets - mean, block) + mean
                held_out.append(_margins(scores, allowed))
        self._machine = _Machine(points, own, np.ascontiguousarray(np.stack(every)), mean)
        margins = np.concatenate(held_out)
        right = np.tile(targets[:, :-1] > 0, (len(held_out), 1))
        asked = np.isfinite(margins) & np.repeat(self._apart(rows), _REPEATS, axis=0).reshape(-1, 1)
        together = Platt.fitted(margins[asked], right[asked])
        self._platts = tuple(
            Platt.fitted(margins[rows_, column], right[rows_, column], prior=together)
            for column, rows_ in enumerate(asked.T)
        )
        likely = self._likely(margins)[asked]
        weight = np.broadcast_to(np.tile(importance, len(held_out))[:, None], margins.shape)[asked]
        phrasing = np.broadcast_to(np.tile(_numbers(rows), len(held_out))[:, None], margins.shape)[asked]
        return {"pairs": float(len(rows)), **choose_threshold(likely, right[asked], weight, phrasing, precision)}

    def probabilities(self, texts: Sequence[Texts], relations: Sequence[tuple[str, ...]]) -> list[dict[str, float]]:
        """Return for each pair the probability of each relation that is allowed.

        Raises:
            InvalidInputError: nothing has been learned yet.
        """
        machine = self._learned()
        if not texts:
            return []
        margins = _margins(machine.scores(self._points(texts), self._own(texts)), self._allowed(relations))
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
            "own": machine.own,
            "weights": machine.weights,
            "mean": machine.mean,
            "platts": np.array(self._platts, dtype=np.float64),
        }

    def restore(self, arrays: Mapping[str, Any], columns: tuple[str, ...]) -> None:
        """Take what `arrays` gave.

        Raises:
            InvalidInputError: it was learned for other relations, or with a tuned encoder where there is none now, or the reverse.
        """
        if len(arrays["own"]) != len(self._members()):
            raise InvalidInputError(
                "this extraction was learned with another encoder: load it with the one that `tune` made, or fit it anew"
            )
        if columns != self.columns:
            raise InvalidInputError(
                f"this extraction was learned for the relations {', '.join(columns[:-1])}; the schema has "
                f"{', '.join(self.columns[:-1])}: fit it anew"
            )
        self._machine = _Machine(arrays["points"], arrays["own"], arrays["weights"], arrays["mean"])
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

    def _members(self) -> tuple[Member, ...]:
        return () if self._tuned is None else self._tuned.members

    def _apart(self, rows: Sequence[Labelled]) -> NDArray[np.bool_]:
        """Which rows (machines, n) say how sure to be: those of phrasings that the machine's encoder was not trained on."""
        seen = [member.seen for member in self._members()] or [frozenset[str]()]
        return np.array([[row.phrasing not in every for row in rows] for every in seen])

    def _points(self, texts: Sequence[Texts]) -> Floats:
        """Vectors (n, 5, dim) of the encoder as it is."""
        return _encoded(self._encode, texts)

    def _own(self, texts: Sequence[Texts]) -> Floats:
        """Vectors (members, n, 1, dim) of the encoders that were tuned."""
        if self._tuned is None:
            return np.zeros((0, len(texts), 1, 0), dtype=np.float32)
        read = [(marked(every),) for every in texts]
        return np.stack([_encoded(partial(self._tuned.encode, one), read) for one in self._tuned.members])

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
        found += [Labelled((text,) * 5, allowed, label, text) for text, label in said.items()]
    return list(dict.fromkeys(found))


def _kernels(points: Floats, own: Floats, other_points: Floats, other_own: Floats) -> Iterable[Floats]:
    """The kernel of each machine: a tuned encoder is heard as much as the one as it is."""
    shared = _kernel(points, other_points)
    if not len(own):
        yield shared
    for left, right in zip(own, other_own, strict=True):
        yield np.float32(0.5) * (shared + _kernel(left, right))


def _kernel(left: Floats, right: Floats) -> Floats:
    """Mean over the texts of a Gaussian kernel."""
    cosines = np.einsum("ipd,jpd->pij", left, right, optimize=True)
    found: Floats = np.exp(_WIDTH * (cosines - 1)).mean(axis=0).astype(np.float32)
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
    numbers = _numbers(rows)
    count = int(numbers.max()) + 1
    part_of = folds(count, min(_FOLDS, count), seed)
    return np.asarray(part_of)[numbers]


def _numbers(rows: Sequence[Labelled]) -> NDArray[np.intp]:
    """The same number for all pairs of a phrasing, from 0 on."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys(row.phrasing for row in rows))}
    return np.array([numbers[row.phrasing] for row in rows], dtype=np.intp)
