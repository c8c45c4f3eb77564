"""A linear ranker by the likelihood that the right item of a list is chosen (softmax over the list)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from rejoinder_recommendation.histories import Bools, Floats, Ints

__all__ = ["ConditionalLogit", "Lists", "fit_conditional_logit"]

_PENALTIES: Final = (1.0, 10.0, 100.0)
_FOLDS: Final = 3
_ITERATIONS: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Lists to learn from, one after another.

    Attributes:
        features: (rows, features).
        offsets: (rows), added to the score: the logarithm of how many items a drawn one stands for.
        starts: (lists), the first row of each, which is the right one.
    """

    features: Floats
    offsets: Floats
    starts: Ints

    def take(self, chosen: Bools) -> Lists:
        """Return only some lists; `chosen` is (lists)."""
        lengths = np.diff([*self.starts, len(self.features)])
        rows = np.repeat(chosen, lengths)
        starts = np.concatenate([[0], np.cumsum(lengths[chosen])[:-1]])
        return Lists(self.features[rows], self.offsets[rows], starts)


@dataclass(frozen=True, slots=True, eq=False)
class ConditionalLogit:
    """The fitted ranker: a score is `features @ weights`.

    Attributes:
        weights: (features).
        penalty: the one that cross-validation chose.
    """

    weights: Floats
    penalty: float

    def scores(self, features: Floats) -> Floats:
        """Return (...) for (..., features)."""
        return features @ self.weights


def fit_conditional_logit(lists: Lists, *, signs: Bools, seed: int) -> ConditionalLogit:
    """Fit by maximum likelihood with an L2 penalty on standardised weights, chosen by cross-validation over lists.

    Sources: McFadden 1974, Conditional Logit Analysis of Qualitative Choice Behavior; as a ranking loss, ListNet's top one: Cao et al.
    2007, Learning to Rank: From Pairwise Approach to Listwise Approach (ICML).

    Args:
        lists: at least 3.
        signs: (features), true where more can only be better: that weight is kept >= 0.
        seed: of the folds.
    """
    scale = lists.features.std(axis=0)
    scale[scale == 0] = 1
    standard = Lists(lists.features / scale, lists.offsets, lists.starts)
    folds = np.random.default_rng(seed).permutation(len(lists.starts)) % _FOLDS
    losses = dict.fromkeys(_PENALTIES, 0.0)
    for fold in range(_FOLDS):
        training, test = standard.take(folds != fold), standard.take(folds == fold)
        weights = np.zeros(len(scale))
        for penalty in sorted(_PENALTIES, reverse=True):
            weights = _fit(training, penalty, signs, weights)
            losses[penalty] += _loss(weights, test, 0.0)[0]
    best = min(_PENALTIES, key=lambda penalty: losses[penalty])
    return ConditionalLogit(_fit(standard, best, signs, np.zeros(len(scale))) / scale, best)


def _fit(lists: Lists, penalty: float, signs: Bools, start: Floats) -> Floats:
    bounds = [(0.0, None) if positive else (None, None) for positive in signs]
    found = optimize.minimize(
        _loss, start, (lists, penalty), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ITERATIONS}
    )
    return np.asarray(found.x)


def _loss(weights: Floats, lists: Lists, penalty: float) -> tuple[float, Floats]:
    """Return the penalised negative log-likelihood and its gradient."""
    lengths = np.diff([*lists.starts, len(lists.features)])
    scores = lists.features @ weights + lists.offsets
    scores -= np.repeat(np.maximum.reduceat(scores, lists.starts), lengths)
    odds = np.exp(scores)
    total = np.add.reduceat(odds, lists.starts)
    loss = float((np.log(total) - scores[lists.starts]).sum() + penalty / 2 * weights @ weights)
    shares = odds / np.repeat(total, lengths)
    gradient = lists.features.T @ shares - lists.features[lists.starts].sum(axis=0) + penalty * weights
    return loss, gradient
