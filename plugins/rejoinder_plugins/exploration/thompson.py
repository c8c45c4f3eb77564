"""Thompson sampling over a handful of answers, with the exact probability of each order.

Each answer has a Beta posterior of the chance that it is welcome: its score, as so many pieces of feedback, and what people said of it for
texts like this one. An answer comes first with the probability that it is the best one (Thompson 1933, On the likelihood that one
unknown probability exceeds another, Biometrika 25:285; Chapelle & Li 2011, An empirical evaluation of Thompson sampling, NIPS). That
probability is integrated first and then drawn from, rather than to draw from the posteriors and compare: so it is known, and stored
with the decision, which is what inverse propensity scoring needs (Li et al. 2011, WSDM, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GRID: Final = 512
_LEAST: Final = 1e-3


def chances_best(alphas: Sequence[float], betas: Sequence[float]) -> NDArray[np.float64]:
    """Return for each of n independent Beta variables the probability that it is the greatest: (n,) float64, adding up to 1.

    Args:
        alphas, betas: (n,) parameters, > 0.

    Example:
        >>> [round(float(one), 3) for one in chances_best([1.0, 2.0], [1.0, 1.0])]
        [0.333, 0.667]
    """
    at = (np.arange(_GRID) + 0.5) / _GRID
    a, b = np.asarray(alphas, dtype=float)[:, None], np.asarray(betas, dtype=float)[:, None]
    logs = (a - 1) * np.log(at) + (b - 1) * np.log1p(-at)
    mass = np.exp(logs - logs.max(axis=1, keepdims=True))
    mass /= mass.sum(axis=1, keepdims=True)
    below = np.cumsum(mass, axis=1) - mass / 2
    others = np.stack([np.prod(np.delete(below, i, axis=0), axis=0) for i in range(len(mass))])
    chances = np.maximum((mass * others).sum(axis=1), 0.0)
    chances[chances < _LEAST] = 0.0  # nobody is shown what is almost surely worse
    return np.asarray(chances / chances.sum())


def places(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each candidate at each place, where one is drawn to come first and the others keep their order.

    Args:
        chances: (n,) that candidates, in their order before the draw, come first.

    Returns:
        (n, n) float64: rows are places, columns candidates; rows and columns add up to 1.

    Example:
        >>> places(np.array([0.7, 0.2, 0.1])).round(2).tolist()
        [[0.7, 0.2, 0.1], [0.3, 0.7, 0.0], [0.0, 0.1, 0.9]]
    """
    count = len(chances)
    found = np.zeros((count, count))
    for first, chance in enumerate(chances):
        for place, candidate in enumerate([first, *(one for one in range(count) if one != first)]):
            found[place, candidate] += chance
    return found
