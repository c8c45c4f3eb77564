"""Which rows are reported: one report for one incident, and fewer where there were many.

After a report, only clearly stronger evidence is reported again until there was none for a cool-down; and each report raises the bar for
those after it, which sinks again. Both last the longer, the longer a series has been watched.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rejoinder_finance_sentiment.surge.state import FloatArray, Part

__all__ = ["report"]

_LEAST: Final = -1.0
"""Evidence up to this is none."""
_MARGIN: Final = 1.0
_REST_SHARE: Final = 0.02
_REST_ROWS: Final = 30.0
_HABIT_WEIGHT: Final = 1.5
_HABIT_SHARE: Final = 0.04
_HABIT_ROWS: Final = 50.0
_MIDDLE: Final = 0.16
"""The evidence, in powers of ten, that scores 0.5: where the threshold lay that NAB's standard profile chose on 46 of its series."""
_SCALE: Final = 4.0


def report(part: Part, evidence: FloatArray) -> FloatArray:
    """Return each row's score: 0 for what is not reported, else in (0, 1), the larger, the rarer.

    Args:
        evidence: powers of ten by which a row is rarer than what a history of its length has by chance.
    """
    history = part["history"]
    evidence = evidence - _HABIT_WEIGHT * part["habit"]
    bar = np.where(part["rest"] > 0, np.maximum(part["peak"] + _MARGIN, _LEAST), _LEAST)
    reported = evidence > bar
    rest = np.maximum(_REST_SHARE * history, _REST_ROWS)
    part["peak"] = np.where(reported, evidence, part["peak"])
    part["rest"] = np.where(reported, rest, np.maximum(part["rest"] - (evidence <= _LEAST), 0))
    part["habit"] *= 1 - 1 / np.maximum(_HABIT_SHARE * history, _HABIT_ROWS)
    part["habit"] += np.where(reported, _logistic(2 * evidence), 0.0)
    return np.where(reported, _logistic((evidence - _MIDDLE) / _SCALE), 0.0)


def _logistic(values: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -500, 500))))
