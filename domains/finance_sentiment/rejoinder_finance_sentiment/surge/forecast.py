"""What the next value is expected to be: four simple experts, mixed by how well each did of late.

Exponentially weighted forecasters: Cesa-Bianchi and Lugosi, "Prediction, Learning, and Games", 2006, chapter 2. The experts are the
last values, the long-run level, the time of the day and the hour of the week; the two with a season carry an offset, so that a lasting
change of level does not spoil them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rejoinder_finance_sentiment.surge.state import DAY_PARTS, WEEK_HOURS, FloatArray, IntArray, Part, State

__all__ = ["OUTLIER", "Forecast", "learn_forecast", "long_rate", "make_forecast"]

OUTLIER: Final = 8.0
"""An error counts for at most so many times its usual size when sizes are learned."""

_LONG_RATE: Final = 0.001
_FAST_RATE: Final = 0.2
_SLOW_RATE: Final = 0.01
_OFFSET_RATE: Final = 0.005
_ERROR_RATE: Final = 0.01
_DAY_ROWS: Final = 100
_WEEK_ROWS: Final = 60
"""A part of the season is the mean of its rows up to so many; from then on, newer rows count more."""
_SHARPNESS: Final = 1.5
_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was expected of each series; `slowly` leaves out the last values."""

    expected: FloatArray
    slowly: FloatArray
    experts: FloatArray
    day: IntArray
    week: IntArray


def rate_of(rows: FloatArray, least: float) -> FloatArray:
    """Return the weight of a new row in a mean: of all rows at first, of recent ones later."""
    return np.maximum(least, 1 / (rows + 1))


def make_forecast(state: State, series: IntArray, part: Part, at: FloatArray) -> Forecast:
    """Say what each series' next value will be, from what was seen before it.

    Args:
        at: seconds since the epoch, in the time zone whose days and weeks count.
    """
    day = (at % _DAY_S // (_DAY_S / DAY_PARTS)).astype(np.int64)
    week = (at // _HOUR_S % WEEK_HOURS).astype(np.int64)
    tables = state.tables
    by_day = np.where(
        tables["day_rows"][series, day] > 0, tables["day"][series, day] + part["day_offset"], part["slow"]
    )
    by_week = np.where(
        tables["week_rows"][series, week] > 0, tables["week"][series, week] + part["week_offset"], by_day
    )
    experts = np.stack([part["fast"], part["slow"], by_day, by_week], axis=1)
    errors = tables["errors"][series].astype(np.float64)
    least = errors.min(axis=1, keepdims=True) + 1e-12
    weights = np.exp(-_SHARPNESS * (errors / least - 1))
    weights /= weights.sum(axis=1, keepdims=True)
    lasting = np.maximum(weights[:, 1:].sum(axis=1), 1e-12)
    slowly = (weights[:, 1:] * experts[:, 1:]).sum(axis=1) / lasting
    return Forecast((weights * experts).sum(axis=1), slowly, experts, day, week)


def learn_forecast(
    state: State, series: IntArray, part: Part, forecast: Forecast, values: FloatArray, largest_error: FloatArray
) -> None:
    """Learn from the values that came; errors of experts count for at most `largest_error`."""
    tables, rows = state.tables, part["rows"]
    errors = np.minimum(np.abs(values[:, None] - forecast.experts), largest_error[:, None])
    tables["errors"][series] += rate_of(rows, _ERROR_RATE)[:, None] * (errors - tables["errors"][series])
    for name, place, most in (("day", forecast.day, _DAY_ROWS), ("week", forecast.week, _WEEK_ROWS)):
        known, seen = tables[name][series, place], tables[f"{name}_rows"][series, place]
        away = values - known
        part[f"{name}_offset"] += _OFFSET_RATE * (np.where(seen > 0, away, 0.0) - part[f"{name}_offset"])
        tables[name][series, place] = known + away / (np.minimum(seen, most) + 1)
        tables[f"{name}_rows"][series, place] = np.minimum(seen + 1, most)
    part["fast"] += _FAST_RATE * (values - part["fast"])
    part["slow"] += rate_of(rows, _SLOW_RATE) * (values - part["slow"])


def long_rate(rows: FloatArray) -> FloatArray:
    """Return the weight of a new row in what changes slowest: sizes of errors, mean and spread."""
    return rate_of(rows, _LONG_RATE)
