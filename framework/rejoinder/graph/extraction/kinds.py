"""What kind of thing an unknown name names, by what the graph's names of each kind look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.models.heads.logistic import Logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.graph.extraction.names import Names

    Floats = NDArray[np.float32]

__all__ = ["KindHead"]

SAMPLED: Final = 400
_RIDGE: Final = 0.1
_LEAST: Final = 0.2
"""Kinds that are less likely are not considered."""


class KindHead:
    """Gives the probability of each kind for a name, from its vector.

    Args:
        encode: gives vectors of texts, (n, dim) float32.

    Attributes:
        kinds: those that are told apart, sorted.
    """

    def __init__(self, encode: Callable[[Sequence[str]], Floats]) -> None:
        """Nothing is known before `fit`; see the class."""
        self._encode = encode
        self.kinds: tuple[str, ...] = ()
        self._head: Logistic | None = None

    def fit(self, names: Names) -> None:
        """Learn what the names of each kind look like."""
        sample = [(kind, one.name) for kind, every in sorted(names.sample(SAMPLED).items()) for one in every]
        self.kinds = tuple(sorted({kind for kind, _ in sample}))
        if not sample:
            return
        truth = np.array([self.kinds.index(kind) for kind, _ in sample])
        counts = np.bincount(truth)
        weights = (counts.max() / counts[truth]).astype(np.float32) ** 0.5
        x = self._encode([name for _, name in sample])
        self._head = Logistic.unknown(len(self.kinds), _RIDGE, x.shape[1]).learned(x, truth, weights)

    def arrays(self) -> dict[str, Floats]:
        """Return what `restore` needs."""
        return {} if self._head is None else {"kind_mean": self._head.mean, "kind_precision": self._head.precision}

    def restore(self, arrays: Mapping[str, Floats], kinds: tuple[str, ...]) -> None:
        """Take what `arrays` gave."""
        self.kinds = kinds
        self._head = Logistic(arrays["kind_mean"], arrays["kind_precision"]) if kinds else None

    def guess(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Return the likely kinds of each text with their probabilities, likeliest first; there may be none."""
        if self._head is None or not texts:
            return [{} for _ in texts]
        scores = self._head.scores(self._encode(list(texts)))
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
        found = []
        for row in shares:
            ranked = sorted(zip(self.kinds, map(float, row), strict=True), key=lambda pair: -pair[1])
            found.append({kind: share for kind, share in ranked if share >= _LEAST})
        return found
