"""A streaming detector of surges and other changes, for many series at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from rejoinder.errors import InvalidInputError
from rejoinder.payloads import Json

from rejoinder_finance_sentiment.surge.forecast import OUTLIER, learn_forecast, long_rate, make_forecast
from rejoinder_finance_sentiment.surge.reporting import report
from rejoinder_finance_sentiment.surge.state import FloatArray, IntArray, Part, State
from rejoinder_finance_sentiment.surge.tails import learn_tails, rarity_of

__all__ = ["STATISTIC_NAMES", "Findings", "SurgeDetector"]

STATISTIC_NAMES: Final = ("surprise", "short_shift", "long_shift", "unrest", "extreme")
"""What is looked at: the error of the forecast; its mean over about 6 and 36 rows, as the season and the level explain it; the size of
steps over about 12 rows; the value itself."""

_WEIGHTS: Final = np.array([1.0, 1.0, 1.0, 1.0, 0.5])
_CHANCE: Final = 0.5
_CHANCE_ROWS: Final = 300.0
_SHORT_ROWS: Final = 6
_LONG_ROWS: Final = 36
_STEP_ROWS: Final = 12
_STEP_SCALE: Final = 3.0
_SETTLED_ROWS: Final = 20
"""Outliers are cut from so many rows on."""
_TINY: Final = 1e-9
_RESOLUTION: Final = 1e-3
"""Sizes are at least this share of the mean absolute value, so that a flat series does not make noise of nothing."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a step found, one row a series.

    Attributes:
        scores: 0 where there is nothing to report, else in (0, 1); 0.5 and more is what NAB's standard profile reports.
        expected: the value that was forecast.
        rarity: (n_series, 5) for each of `STATISTIC_NAMES`, -log10 of the chance of a value as far out on that side.
        sides: (n_series, 5) 1 where the statistic is above what is usual, -1 where below.
    """

    scores: FloatArray
    expected: FloatArray
    rarity: FloatArray
    sides: FloatArray


class SurgeDetector:
    """Watches series of numbers (counts, shares, means) and scores each new value by what was seen before it.

    One setting for all series, nothing trained ahead, nothing kept of past values: memory per series is constant
    (`bytes_per_series`), and a value's score depends on it and those before it only.

    For each series, simple experts forecast the next value (`forecast`); five statistics of the errors and values are placed in what
    was seen of them before (`tails`); their rarities are added (Fisher's method of combining tests, without its claim of independence),
    less what the rarest row of a history of that length has by chance; and what is left is reported or not (`reporting`).

    Example:
        >>> detector = SurgeDetector(1)
        >>> hours = [[3600.0 * row, 100.0 if row == 200 else 4.0 + row % 3] for row in range(201)]
        >>> scores = [detector.update([at], [value]).scores[0] for at, value in hours]
        >>> max(scores[100:200]) < 0.5 < scores[200]
        np.True_
    """

    def __init__(self, series: int = 1) -> None:
        """Watch so many series, numbered from 0.

        Raises:
            InvalidInputError: fewer than one.
        """
        if series < 1:
            raise InvalidInputError(f"a detector watches at least one series, not {series}")
        self._state = State(series)

    def __len__(self) -> int:
        return len(self._state)

    @property
    def bytes_per_series(self) -> int:
        """Bytes of memory that a series takes, whatever its length."""
        return self._state.bytes_per_series

    def update(
        self, at: FloatArray | list[float], values: FloatArray | list[float], series: IntArray | list[int] | None = None
    ) -> Findings:
        """Score one new value of each of these series, then learn from it.

        Args:
            at: seconds since the epoch, in the time zone whose days and weeks count.
            values: finite numbers.
            series: the numbers of the series, each at most once; all of them by default.
        Raises:
            InvalidInputError: lengths differ, a value is not finite, or a series is named twice or unknown.
        """
        moments, numbers = np.asarray(at, dtype=np.float64), np.asarray(values, dtype=np.float64)
        chosen = np.arange(len(self)) if series is None else np.asarray(series, dtype=np.int64)
        self._check(moments, numbers, chosen)
        part = self._state.take(chosen)
        _begin(part, numbers)
        forecast = make_forecast(self._state, chosen, part, moments)
        tiny = _TINY + _RESOLUTION * part["size"]
        error, slow_error = numbers - forecast.expected, numbers - forecast.slowly
        statistics = _statistics(part, numbers, error, slow_error, tiny)
        rarity = rarity_of(self._state, chosen, part, statistics)
        by_chance = _CHANCE * _WEIGHTS.sum() * np.log10(part["history"] + 1 + _CHANCE_ROWS)
        scores = report(part, rarity @ _WEIGHTS - by_chance)

        learn_tails(self._state, chosen, part, statistics)
        _learn_sizes(part, numbers, error, slow_error, tiny)
        learn_forecast(self._state, chosen, part, forecast, numbers, OUTLIER * (part["residual"] + tiny))
        part["last"] = numbers.copy()
        part["rows"] += 1
        self._state.put(chosen, part)
        return Findings(scores, forecast.expected, rarity, np.where(statistics > 0, 1.0, -1.0))

    def export_state(self, series: int = 0) -> dict[str, Json]:
        """Return what is remembered of a series as JSON of constant size, for `DetectorState.data`."""
        return self._state.export(series)

    def restore_state(self, data: Mapping[str, Json], series: int = 0) -> None:
        """Go on where `export_state` left off.

        Raises:
            InvalidInputError: it is not such a state, or one of another version.
        """
        self._state.restore(series, data)

    def _check(self, at: FloatArray, values: FloatArray, series: IntArray) -> None:
        if not len(at) == len(values) == len(series):
            raise InvalidInputError(
                f"{len(at)} moments and {len(values)} values for {len(series)} series; give one of each"
            )
        if not (np.isfinite(values).all() and np.isfinite(at).all()):
            raise InvalidInputError("a value or moment is not a finite number; leave the series out of this step")
        if len(series) and not 0 <= series.min() <= series.max() < len(self):
            raise InvalidInputError(
                f"series must be numbers from 0 to {len(self) - 1}; found {series.min()} to {series.max()}"
            )
        if len(np.unique(series)) < len(series):
            raise InvalidInputError("a series stands twice in one step; give its values in order, one a step")


def _begin(part: Part, values: FloatArray) -> None:
    """Start series at their first value."""
    new = part["rows"] == 0
    for name in ("fast", "slow", "last", "mean"):
        part[name] = np.where(new, values, part[name])


def _statistics(
    part: Part, values: FloatArray, error: FloatArray, slow_error: FloatArray, tiny: FloatArray
) -> FloatArray:
    """Return the five statistics, (n_series, 5); those over several rows take the new one in."""
    most = OUTLIER * (part["slow_residual"] + tiny)
    cut = np.clip(slow_error, -most, most)
    part["short"] += (cut - part["short"]) / _SHORT_ROWS
    part["long"] += (cut - part["long"]) / _LONG_ROWS
    step = np.minimum(np.abs(values - part["last"]), OUTLIER * np.maximum(part["usual_step"] + tiny, _event_size(part)))
    part["step"] += (step - part["step"]) / _STEP_ROWS
    return np.stack(
        [
            error / (part["residual"] + tiny),
            part["short"] / (part["short_size"] + tiny),
            part["long"] / (part["long_size"] + tiny),
            _STEP_SCALE * np.log((part["step"] + tiny) / (part["usual_step"] + tiny)),
            (values - part["mean"]) / (part["deviation"] + tiny),
        ],
        axis=1,
    )


def _event_size(part: Part) -> FloatArray:
    """Return how large a value is when there is one, weighted by how often there is none.

    In sparse counts nearly all steps are 0; without this, an event of many would look like an event of one.
    """
    busy = part["busy"]
    return np.where(busy > 0, part["size"] / np.maximum(busy, _TINY) * (1 - busy), 0.0)


def _learn_sizes(part: Part, values: FloatArray, error: FloatArray, slow_error: FloatArray, tiny: FloatArray) -> None:
    """Learn how large things usually are."""
    rate, settled = long_rate(part["rows"]), part["rows"] > _SETTLED_ROWS

    def follow(name: str, value: FloatArray) -> None:
        part[name] += rate * (value - part[name])

    for name, found in (("residual", np.abs(error)), ("slow_residual", np.abs(slow_error))):
        most = np.maximum(OUTLIER * part[name], tiny)
        follow(name, np.where(settled, np.minimum(found, most), found))
    follow("short_size", np.abs(part["short"]))
    follow("long_size", np.abs(part["long"]))
    follow("usual_step", np.abs(values - part["last"]))
    follow("size", np.abs(values))
    follow("busy", (values != 0).astype(np.float64))
    follow("mean", values)
    follow("deviation", np.abs(values - part["mean"]))
