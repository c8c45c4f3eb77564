"""Is one stream of rewards worse, or better, than another? A test that may be looked at after every reward.

Canary and live model serve different users at the same time. Whenever both have new rewards, the difference of their means is bet upon:
a gambler who starts with 1 and never borrows can only grow rich where the difference is not what the hypothesis says. Its wealth reaches
1 / error with a probability of at most `error`, whenever one looks (Ville's inequality), so nothing is spent by looking.

Source: Waudby-Smith & Ramdas 2024, Estimating means of bounded random variables by betting, JRSS B 86:1, section 4 (a mixture over fixed
bets); for two samples Shekhar & Ramdas 2023, Nonparametric two-sample testing by betting, IEEE Trans. Inf. Theory 70:1178.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

_BETS: Final = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])


@dataclass(slots=True)
class Wealth:
    """The wealth of a gambler who bets that the mean of numbers in [-1, 1] is above 0; kept as logarithms, one for each fixed bet."""

    logs: list[float] = field(default_factory=lambda: [0.0] * len(_BETS))

    def bet(self, outcome: float) -> None:
        """Take one number in [-1, 1]."""
        self.logs = [float(one) for one in np.asarray(self.logs) + np.log1p(_BETS * outcome)]

    @property
    def p_value(self) -> float:
        """Bound on the probability of such a wealth at any time while the mean is 0 or below, in (0, 1]."""
        return float(np.exp(-max(0.0, np.logaddexp.reduce(self.logs) - np.log(len(_BETS)))))


@dataclass(slots=True)
class RewardTest:
    """Rewards of a canary and of the live model, in the order in which they came.

    Args:
        margin: in [0, 1): by how much the canary's mean may be lower and still be called not worse.
    """

    margin: float = 0.0
    better: Wealth = field(default_factory=Wealth)
    worse: Wealth = field(default_factory=Wealth)
    pending: dict[str, list[float]] = field(default_factory=lambda: {"canary": [], "live": []})
    sums: dict[str, float] = field(default_factory=lambda: {"canary": 0.0, "live": 0.0})
    counts: dict[str, int] = field(default_factory=lambda: {"canary": 0, "live": 0})

    def add(self, reward: float, *, canary: bool) -> None:
        """Take one reward in [0, 1] of one of them.

        Raises:
            ValueError: the reward is out of range.
        """
        if not 0 <= reward <= 1:
            raise ValueError(f"a reward must be in [0, 1], not {reward}")
        side = "canary" if canary else "live"
        self.pending[side].append(reward)
        self.sums[side] += reward
        self.counts[side] += 1
        canary_new, live_new = self.pending["canary"], self.pending["live"]
        if canary_new and live_new:
            difference = float(np.mean(canary_new) - np.mean(live_new))
            self.better.bet((difference + self.margin) / (1 + self.margin))
            self.worse.bet(-difference)
            canary_new.clear()
            live_new.clear()

    @property
    def difference(self) -> float:
        """Mean reward of the canary less that of the live model, in [-1, 1]; 0.0 while one has none."""
        if not all(self.counts.values()):
            return 0.0
        return self.sums["canary"] / self.counts["canary"] - self.sums["live"] / self.counts["live"]
