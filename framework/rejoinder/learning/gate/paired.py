"""Is the candidate better than the live model on the same examples? One-sided tests on pairs.

What both get right, or both get wrong, says nothing; all that counts is where they differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESAMPLES: Final = 10_000
_CHUNK: Final = 500  # resamples at once: 500 x 2,000 rows are 8 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """How often two models were right on the same rows.

    Attributes:
        rows: how many rows both were asked.
        gained: rows that only the candidate gets right.
        lost: rows that only the live model gets right.
    """

    rows: int
    gained: int
    lost: int

    @classmethod
    def of(cls, live: Sequence[bool], candidate: Sequence[bool]) -> Pairs:
        """Count from the rows, in the same order.

        Raises:
            ValueError: the lengths differ.
        """
        both = list(zip(live, candidate, strict=True))
        return cls(
            rows=len(both),
            gained=sum(now and not before for before, now in both),
            lost=sum(before and not now for before, now in both),
        )

    @property
    def difference(self) -> float:
        """Accuracy of the candidate less that of the live model, in [-1, 1]; 0.0 without rows."""
        return (self.gained - self.lost) / self.rows if self.rows else 0.0

    @property
    def disagreement(self) -> float:
        """Share of rows that only one of them gets right, in [0, 1]; 0.0 without rows."""
        return (self.gained + self.lost) / self.rows if self.rows else 0.0


def mcnemar(pairs: Pairs) -> float:
    """Return the p-value of "the candidate is no better", in (0, 1]: exact and one-sided; 1.0 where they never differ.

    Source: McNemar 1947, Psychometrika 12:153; exact form: a sign test on the rows where they differ (Dietterich 1998, Approximate
    Statistical Tests for Comparing Supervised Classification Learning Algorithms, section 2).

    Example:
        >>> mcnemar(Pairs(rows=100, gained=6, lost=0))
        0.015625
    """
    from scipy.stats import binomtest

    differ = pairs.gained + pairs.lost
    return float(binomtest(pairs.gained, differ, 0.5, alternative="greater").pvalue) if differ else 1.0


def not_worse(pairs: Pairs, *, margin: float) -> float:
    """Return the p-value of "the candidate's accuracy is lower by `margin` or more", in [0, 1]; a small one says that it is not.

    Args:
        margin: in (0, 1), such as 0.02 for two points.

    Source: Tango 1998, Equivalence test and confidence interval for the difference in proportions for the paired-sample design,
    Statistics in Medicine 17:891, equations 14 to 18.

    Raises:
        ValueError: the margin is not in (0, 1).
    """
    if not 0 < margin < 1:
        raise ValueError(f"margin must be in (0, 1), not {margin}")
    n, gained, lost = pairs.rows, pairs.gained, pairs.lost
    if not n:
        return 1.0
    shift = -margin
    b = -gained - lost + (2 * n - gained + lost) * shift
    root = math.sqrt(max(b * b + 8 * n * lost * shift * (1 - shift), 0.0))
    share_lost = (root - b) / (4 * n)
    variance = n * (2 * share_lost + shift * (1 - shift))
    if variance <= 0:
        return 0.0 if pairs.difference > shift else 1.0
    return _upper_tail((gained - lost - n * shift) / math.sqrt(variance))


def paired_bootstrap(live: Sequence[float], candidate: Sequence[float], *, seed: int, margin: float = 0.0) -> float:
    """Return the p-value of "the candidate's mean score is no higher than the live model's less `margin`", in (0, 1].

    The differences are resampled 10,000 times, and their mean is compared in units of its own standard error.

    Args:
        live, candidate: scores of the same rows in the same order, higher is better.
        margin: >= 0; above 0 the test is one of non-inferiority.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 16.4 (bootstrap test of a mean, studentised).

    Raises:
        ValueError: the lengths differ, or the margin is negative.
    """
    if margin < 0:
        raise ValueError(f"margin must be >= 0, not {margin}")
    differences = np.array([now - before for before, now in zip(live, candidate, strict=True)]) + margin
    rows = len(differences)
    mean = float(differences.mean()) if rows else 0.0
    if rows < 2 or mean <= 0:
        return 1.0
    error = float(differences.std(ddof=1)) / math.sqrt(rows)
    observed = math.inf if error == 0 else mean / error
    if math.isinf(observed):
        return 1 / (_RESAMPLES + 1)
    centred = differences - mean
    random = np.random.default_rng(seed)
    above = 0
    for _ in range(_RESAMPLES // _CHUNK):
        drawn = centred[random.integers(0, rows, size=(_CHUNK, rows))]
        spread = drawn.std(axis=1, ddof=1) / math.sqrt(rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = drawn.mean(axis=1) / spread
        above += int((np.nan_to_num(statistic, nan=0.0) >= observed).sum())
    return (above + 1) / (_RESAMPLES + 1)


def rows_needed(*, difference: float, disagreement: float, error: float, power: float = 0.8) -> int:
    """Return how many rows the exact test needs to see a difference with this probability.

    Args:
        difference: by which the candidate is better, in (0, disagreement].
        disagreement: share of rows that only one of them gets right, in (0, 1].
        error: of the one-sided test, in (0, 0.5).
        power: wanted probability to see it, in (0, 1).

    Source: Connor 1987, Sample size for testing differences in proportions for the paired-sample design, Biometrics 43:207, and never
    fewer than a test of that error can pass at all.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> rows_needed(difference=0.05, disagreement=0.12, error=0.05)
        293
    """
    if not 0 < difference <= disagreement <= 1:
        raise ValueError(f"0 < difference <= disagreement <= 1 is not true of {difference} and {disagreement}")
    if not (0 < error < 0.5 and 0 < power < 1):
        raise ValueError(f"error must be in (0, 0.5) and power in (0, 1), not {error} and {power}")
    from scipy.stats import norm

    spread: float = norm.isf(error) * math.sqrt(disagreement) + norm.ppf(power) * math.sqrt(
        disagreement - difference**2
    )
    fewest = math.ceil(-math.log2(error)) / disagreement
    return math.ceil(max((spread / difference) ** 2, fewest))


def _upper_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))
