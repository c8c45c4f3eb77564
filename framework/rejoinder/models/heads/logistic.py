"""Logistic regression that can be continued: the coefficients have a Gaussian prior, and what was learned is the prior of the next step.

Fitting finds the most likely coefficients W under the examples and the prior N(mean, 1 / precision); afterwards the curvature of the loss
at W, without its off-diagonal parts, is added to the precision. So a few new examples move W in milliseconds, most where little was
known, and no old example need be kept.

Source: Spiegelhalter & Lauritzen 1990, Sequential updating of conditional probabilities on directed graphical structures; Chapelle & Li
2011, An empirical evaluation of Thompson sampling, algorithm 3 (regularised logistic regression with batch updates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import optimize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_MOST_ITERATIONS: Final = 200
_BIAS_PRECISION: Final = 1e-2


class Logistic(NamedTuple):
    """Linear scores, and how sure they are.

    Attributes:
        mean: (n_columns, dim + 1) float32, coefficients, the offset last.
        precision: (n_columns, dim + 1) float32, > 0, of each coefficient.
    """

    mean: Floats
    precision: Floats

    @classmethod
    def unknown(cls, columns: int, ridge: float | Floats, dim: int) -> Logistic:
        """Return one that knows nothing; `ridge` > 0, one number or (dim,), is the prior's precision."""
        precision = np.full((columns, dim + 1), _BIAS_PRECISION, dtype=np.float32)
        precision[:, :-1] = ridge
        return cls(np.zeros((columns, dim + 1), dtype=np.float32), precision)

    @classmethod
    def of(cls, weight: Floats, bias: Floats, precision: float) -> Logistic:
        """Return one with given coefficients, `weight` (n_columns, dim) and `bias` (n_columns,), all equally sure."""
        mean = np.concatenate([weight, np.reshape(bias, (-1, 1))], axis=1).astype(np.float32)
        return cls(mean, np.full_like(mean, precision))

    def scores(self, x: Floats) -> Floats:
        """Return (n, n_columns) linear scores of `x` (n, dim)."""
        found: Floats = x @ self.mean[:, :-1].T + self.mean[:, -1]
        return found

    def widened(self, columns: int, ridge: float) -> Logistic:
        """Return the same with that many more columns at the end, of which nothing is known."""
        new = Logistic.unknown(columns, ridge, self.mean.shape[1] - 1)
        return Logistic(np.concatenate([self.mean, new.mean]), np.concatenate([self.precision, new.precision]))

    def learned(self, x: Floats, truth: NDArray[np.intp], weights: Floats) -> Logistic:
        """Learn which column each row belongs to.

        Args:
            x: (n, dim) float32.
            truth: (n,) columns.
            weights: (n,) importance of each row, > 0.
        """
        rows = np.arange(len(x))
        share = weights[:, None]

        def loss(mean: Floats) -> tuple[float, Floats]:
            scores = x @ mean[:, :-1].T + mean[:, -1]
            scores -= scores.max(axis=1, keepdims=True)
            likely = np.exp(scores)
            totals = likely.sum(axis=1)
            value = float((weights * (np.log(totals) - scores[rows, truth])).sum())
            likely /= totals[:, None]
            likely[rows, truth] -= 1.0
            likely *= share
            return value, np.concatenate([likely.T @ x, likely.sum(axis=0)[:, None]], axis=1)

        mean = self._most_likely(loss)
        likely = _softmax(x @ mean[:, :-1].T + mean[:, -1])
        spread = likely * (1 - likely) * share
        return Logistic(mean, self.precision + _curvature(spread, x))

    def learned_choices(self, x: Floats, starts: NDArray[np.intp], targets: Floats) -> Logistic:
        """Learn which row of each group is chosen, for every column on its own (Bridle 1990's softmax over the group's rows).

        Args:
            x: (n, dim) float32, the groups one after another.
            starts: (n_groups,) first row of each group.
            targets: (n, n_columns), of each column the share that falls to a row; those of a group add up to its importance.
        """
        sizes = np.diff([*starts, len(x)])
        totals = np.repeat(np.add.reduceat(targets, starts, axis=0), sizes, axis=0)

        def likely_of(mean: Floats) -> tuple[Floats, Floats]:
            scores = x @ mean[:, :-1].T + mean[:, -1]
            scores -= np.repeat(np.maximum.reduceat(scores, starts, axis=0), sizes, axis=0)
            log_totals = np.log(np.add.reduceat(np.exp(scores), starts, axis=0))
            logs = scores - np.repeat(log_totals, sizes, axis=0)
            return logs, np.exp(logs)

        def loss(mean: Floats) -> tuple[float, Floats]:
            logs, likely = likely_of(mean)
            slope = likely * totals - targets
            return float(-(targets * logs).sum()), np.concatenate([slope.T @ x, slope.sum(axis=0)[:, None]], axis=1)

        mean = self._most_likely(loss)
        _, likely = likely_of(mean)
        return Logistic(mean, self.precision + _curvature(likely * (1 - likely) * totals, x))

    def _most_likely(self, loss: Callable[[Floats], tuple[float, Floats]]) -> Floats:
        """Minimise a convex loss plus the prior's, from the prior's mean."""
        shape = self.mean.shape

        def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            mean = flat.reshape(shape).astype(np.float32)
            value, slope = loss(mean)
            away = (mean - self.mean).astype(np.float64)
            value += 0.5 * float((self.precision * away * away).sum())
            return value, (slope + self.precision * away).ravel().astype(np.float64)

        found = optimize.minimize(
            objective,
            self.mean.ravel().astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MOST_ITERATIONS},
        )
        return np.asarray(found.x, dtype=np.float32).reshape(shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return int(self.mean.nbytes + self.precision.nbytes)


class Platt(NamedTuple):
    """`sigmoid(slope * score + offset)`: a score to a probability that means what it says.

    Source: Platt 1999, Probabilistic outputs for support vector machines, with his smoothed targets.
    """

    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def fitted(cls, scores: Floats, right: NDArray[np.bool_], *, prior: Platt | None = None) -> Platt:
        """Fit to held-out scores (n,) and whether each was right.

        Args:
            prior: what to stay near, as if ten examples said so; None: slope 1 and offset 0. It is the result where nothing is given.
        """
        near = prior or cls()
        hits = int(right.sum())
        targets = np.where(right, (hits + 1) / (hits + 2), 1 / (len(right) - hits + 2)).astype(np.float64)
        values = scores.astype(np.float64)

        def loss(parameters: NDArray[np.float64]) -> float:
            z = np.exp(parameters[0]) * values + parameters[1]
            away = (parameters[0] - np.log(near.slope)) ** 2 + (parameters[1] - near.offset) ** 2
            return float((np.logaddexp(0.0, z) - targets * z).sum() + 0.5 * away)

        if not len(values):
            return near
        found = optimize.minimize(loss, np.array([np.log(near.slope), near.offset]), method="Nelder-Mead")
        return cls(float(np.exp(np.clip(found.x[0], -6.0, 6.0))), float(found.x[1]))

    def probability(self, scores: Floats) -> Floats:
        """Map scores to [0, 1], monotonically."""
        found: Floats = 1 / (1 + np.exp(-np.clip(self.slope * scores + self.offset, -30, 30)))
        return found


def folds(count: int, parts: int, seed: int) -> NDArray[np.intp]:
    """Return (count,) the part, 0 to parts - 1, in which each example is held out; parts are equally large to within one."""
    return np.random.default_rng(seed).permutation(count) % parts


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Floats = powers / powers.sum(axis=1, keepdims=True)
    return found


def _curvature(spread: Floats, x: Floats) -> Floats:
    """Diagonal of the loss's second derivative: sum over rows of spread * x^2."""
    found: Floats = np.concatenate([spread.T @ (x * x), spread.sum(axis=0)[:, None]], axis=1).astype(np.float32)
    return found
