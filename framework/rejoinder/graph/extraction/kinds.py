"""What kind of thing a name names, if any, by what the graph's names of each kind and ordinary words look like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from rejoinder.graph.extraction.mentions import ORDINARY
from rejoinder.graph.names import normalised
from rejoinder.models.heads.logistic import Logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.graph.extraction.names import Names

    Floats = NDArray[np.float32]

__all__ = ["KindHead"]

SAMPLED: Final = 400
_RIDGE: Final = 0.1


class KindHead:
    """Gives the probability of each kind for a name, from its vector.

    Args:
        encode: gives vectors of texts, (n, dim) float32.

    Attributes:
        kinds: those that are told apart, sorted; `ORDINARY` is one where ordinary words were learned.
    """

    def __init__(self, encode: Callable[[Sequence[str]], Floats]) -> None:
        """Nothing is known before `fit`; see the class."""
        self._encode = encode
        self.kinds: tuple[str, ...] = ()
        self._head: Logistic | None = None

    def fit(self, names: Names, words: Iterable[str] = ()) -> None:
        """Learn what the names of each kind look like.

        Args:
            words: that are part of no name; some of those that are no names of the graph either are learned from.
        """
        sample = [(kind, one.name) for kind, every in sorted(names.sample(SAMPLED).items()) for one in every]
        if sample:
            plain = {normalised(word) for word in words}
            plain -= set(names.look_up(sorted(plain)))
            sample += [(ORDINARY, word) for word in sorted(plain)[:: max(1, len(plain) // SAMPLED)]]
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
        """Return the probability of each kind for each text, likeliest first; none before `fit`."""
        if self._head is None or not texts:
            return [{} for _ in texts]
        shares = special.softmax(self._head.scores(self._encode(list(texts))), axis=1)
        return [
            dict(sorted(zip(self.kinds, map(float, row), strict=True), key=lambda pair: -pair[1])) for row in shares
        ]
