"""What somebody likes, learned from the lists that they were shown a moment ago: linear, Bayesian, and unsure of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Preference", "learn_preference"]


@dataclass(frozen=True, slots=True, eq=False)
class Preference:
    """The posterior of a linear model's weights: normal.

    Attributes:
        mean: (features).
        factor: (features, features), lower triangular; times standard normal noise it is a draw's distance from the mean.
    """

    mean: Floats
    factor: Floats

    def draws(self, count: int, noise: np.random.Generator, *, width: float = 1.0) -> Floats:
        """Return (count, features) weights drawn from the posterior: ranking by one of them is Thompson sampling.

        Args:
            width: > 0, by which the posterior's deviation is multiplied (v in Agrawal & Goyal 2013, Algorithm 1); below 1 explores less.
        """
        return np.asarray(self.mean + width * noise.standard_normal((count, len(self.mean))) @ self.factor.T)


def learn_preference(
    prior_mean: Floats, prior_deviation: Floats, features: Floats, rewards: Floats, *, noise: float
) -> Preference:
    """Return what is known after so many items were welcome or not: Bayesian linear regression in closed form.

    Sources: Agrawal & Goyal 2013, Thompson Sampling for Contextual Bandits with Linear Payoffs (ICML); its posterior mean is LinUCB's
    ridge estimate (Li et al. 2010, A Contextual-Bandit Approach to Personalized News Article Recommendation, WWW).

    Args:
        prior_mean, prior_deviation: (features), before anything was seen; deviations > 0.
        features: (seen, features) of items that the person saw.
        rewards: (seen), 1 welcome, 0 not.
        noise: standard deviation of a reward around what the weights say, > 0.
    """
    precision = np.diag(prior_deviation**-2) + features.T @ features / noise**2
    lower = np.linalg.cholesky(precision)
    pull = features.T @ (rewards - features @ prior_mean) / noise**2
    mean = prior_mean + np.linalg.solve(precision, pull)
    factor = np.linalg.inv(lower).T
    return Preference(mean, factor)
