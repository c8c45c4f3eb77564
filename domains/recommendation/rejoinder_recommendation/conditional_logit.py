"""A linear ranker by the likelihood that the right item of a list is chosen (softmax over the list); its weights may depend on the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from rejoinder_recommendation.histories import Bools, Floats, Ints

__all__ = ["NO_CONTEXT", "ConditionalLogit", "Lists", "fit_conditional_logit"]

NO_CONTEXT: Final = np.ones(1)
"""The context of a list on which the weights do not depend."""

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
        contexts: (lists, contexts), >= 0: what the weights depend on.
    """

    features: Floats
    offsets: Floats
    starts: Ints
    contexts: Floats

    @property
    def lengths(self) -> Ints:
        """(lists), rows of each."""
        return np.diff([*self.starts, len(self.features)])

    def take(self, chosen: Bools) -> Lists:
        """Return only some lists; `chosen` is (lists)."""
        rows = np.repeat(chosen, self.lengths)
        starts = np.concatenate([[0], np.cumsum(self.lengths[chosen])[:-1]])
        return Lists(self.features[rows], self.offsets[rows], starts, self.contexts[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class ConditionalLogit:
    """The fitted ranker: a score is `features @ (context @ weights)`.

    Attributes:
        weights: (contexts, features).
        penalty: the one that cross-validation chose.
    """

    weights: Floats
    penalty: float

    def scores(self, features: Floats, context: Floats) -> Floats:
        """Return (...) for (..., features) of a list with this context, (contexts)."""
        return features @ (context @ self.weights)


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
    standard = Lists(lists.features / scale, lists.offsets, lists.starts, lists.contexts)
    nothing = np.zeros((lists.contexts.shape[1], len(scale)))
    folds = np.random.default_rng(seed).permutation(len(lists.starts)) % _FOLDS
    losses = dict.fromkeys(_PENALTIES, 0.0)
    for fold in range(_FOLDS):
        training, test = standard.take(folds != fold), standard.take(folds == fold)
        weights = nothing
        for penalty in sorted(_PENALTIES, reverse=True):
            weights = _fit(training, penalty, signs, weights)
            losses[penalty] += _loss(weights.ravel(), test, 0.0)[0]
    best = min(_PENALTIES, key=lambda penalty: losses[penalty])
    return ConditionalLogit(_fit(standard, best, signs, nothing) / scale, best)


def _fit(lists: Lists, penalty: float, signs: Bools, start: Floats) -> Floats:
    bounds = [(0.0, None) if positive else (None, None) for positive in signs] * len(start)
    found = optimize.minimize(
        _loss,
        start.ravel(),
        (lists, penalty),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": _ITERATIONS},
    )
    return np.asarray(found.x).reshape(start.shape)


def _loss(flat: Floats, lists: Lists, penalty: float) -> tuple[float, Floats]:
    """Return the penalised negative log-likelihood and its gradient."""
    weights = flat.reshape(lists.contexts.shape[1], -1)
    contexts = np.repeat(lists.contexts, lists.lengths, axis=0)
    scores = ((lists.features @ weights.T) * contexts).sum(axis=1) + lists.offsets
    scores -= np.repeat(np.maximum.reduceat(scores, lists.starts), lists.lengths)
    odds = np.exp(scores)
    total = np.add.reduceat(odds, lists.starts)
    loss = float((np.log(total) - scores[lists.starts]).sum() + penalty / 2 * flat @ flat)
    shares = odds / np.repeat(total, lists.lengths)
    gradient = (contexts * shares[:, None]).T @ lists.features - lists.contexts.T @ lists.features[lists.starts]
    return loss, (gradient + penalty * weights).ravel()
