"""How the Numenta Anomaly Benchmark scores detections.

Written from the rules as published: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly
Benchmark", ICMLA 2015, section III; profiles as in NAB 1.1. Checked in a test against the scores that NAB's own scorer gave.

A detection inside a labelled window earns the more, the earlier it is, and only the best one of a window counts. One outside costs up to
`false_positive`, less shortly after a window. A window without a detection costs `false_negative`. Rows of the probationary period count
for nothing. Sums over files are put on a scale from 0 (nothing detected) to 100 (each window detected at its first row).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
from rejoinder.errors import InvalidInputError

__all__ = [
    "NO_DETECTIONS",
    "PROFILES",
    "Profile",
    "ScoredSeries",
    "Threshold",
    "choose_threshold",
    "normalised",
    "place_windows",
    "probationary_rows",
    "score_series",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NO_DETECTIONS: Final = 1.1
"""The threshold that no anomaly score reaches, as they are at most 1."""

_PROBATION: Final = 0.15
_PROBATION_ROWS: Final = 750
"""The probationary period is this share of a file, at most so many rows (15 % of 5,000)."""

_STEEPNESS: Final = 5.0
_FAR: Final = 3.0
"""From so many window widths after a window, or without one before, a false positive costs the whole."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What detections are worth to one kind of user; all >= 0."""

    name: str
    true_positive: float
    false_positive: float
    false_negative: float


PROFILES: Final = (
    Profile("standard", 1.0, 0.11, 1.0),
    Profile("reward_low_fp_rate", 1.0, 0.22, 1.0),
    Profile("reward_low_fn_rate", 1.0, 0.11, 2.0),
)
"""NAB's three application profiles."""


@dataclass(frozen=True, slots=True)
class ScoredSeries:
    """One file's rows as they are scored.

    `scores` are the detector's, in [0, 1]; `places` are relative positions: [-1, 0) within a window, from its first row to its last,
    above 0 after one, in window widths; `windows` holds the number of the window that a row is in, -1 where in none.
    """

    scores: FloatArray
    places: FloatArray
    windows: IntArray

    @property
    def counted(self) -> slice:
        """The rows after the probationary period."""
        return slice(probationary_rows(len(self.scores)), None)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Rows whose score is at least `value` are detections, which gave the raw score `score` over all series."""

    value: float
    score: float


def probationary_rows(rows: int) -> int:
    """Return how many rows at the start of a file of so many count for nothing.

    Example:
        >>> probationary_rows(4032), probationary_rows(15902)
        (604, 750)
    """
    return min(math.floor(_PROBATION * rows), _PROBATION_ROWS)


def place_windows(
    timestamps: Sequence[datetime], scores: FloatArray, windows: Sequence[tuple[datetime, datetime]]
) -> ScoredSeries:
    """Place a file's rows relative to its windows.

    Args:
        timestamps: of the rows, in order.
        scores: the detector's, one a row, in [0, 1].
        windows: first and last moment of each, in order; a moment between two rows stands for the row inside.
    Raises:
        InvalidInputError: scores and timestamps differ in number, or a window holds no row.
    """
    if len(timestamps) != len(scores):
        raise InvalidInputError(f"{len(scores)} scores for {len(timestamps)} rows; give one a row")
    rows = np.arange(len(scores))
    moments = np.array(timestamps, dtype="datetime64[us]")
    places = np.full(len(scores), _FAR)
    inside = np.full(len(scores), -1, dtype=np.int64)
    for number, (start, end) in enumerate(windows):
        left, right = _first_row(moments, start), _first_row(moments, end)
        if right == len(rows) or moments[right] != np.datetime64(end, "us"):
            right -= 1
        if right < left:
            raise InvalidInputError(f"no row lies in the window from {start} to {end}; look at its file's timestamps")
        width = right - left + 1
        places[left : right + 1] = -(right - rows[left : right + 1] + 1) / width
        places[right + 1 :] = (rows[right + 1 :] - right) / max(width - 1, 1)
        inside[left : right + 1] = number
    return ScoredSeries(scores, places, inside)


def score_series(series: ScoredSeries, profile: Profile, threshold: float) -> float:
    """Return the raw score of one file, rows with a score of at least the threshold being its detections."""
    counted = series.counted
    scores, windows = series.scores[counted], series.windows[counted]
    worth = _worth(series.places[counted], windows, profile)
    detected = scores >= threshold
    total = float(worth[detected & (windows < 0)].sum())
    for number in np.unique(windows[windows >= 0]):
        found = worth[detected & (windows == number)]
        total += float(found.max()) if len(found) else -profile.false_negative
    return total


def choose_threshold(corpus: Sequence[ScoredSeries], profile: Profile) -> Threshold:
    """Choose the one threshold for all files that gives the highest sum of scores, the highest such threshold of several.

    That is NAB's own rule: the threshold is chosen on the files that are scored. Candidates are the scores themselves, and
    `NO_DETECTIONS`.

    Raises:
        InvalidInputError: no files.
    """
    if not corpus:
        raise InvalidInputError("there are no series to choose a threshold on; give at least one")
    scores, gains, start = [], [], 0.0
    for series in corpus:
        counted = series.counted
        part, windows = series.scores[counted], series.windows[counted]
        worth = _worth(series.places[counted], windows, profile)
        outside = windows < 0
        scores.append(part[outside])
        gains.append(worth[outside])
        for number in np.unique(windows[~outside]):
            within = np.flatnonzero(windows == number)
            within = within[np.argsort(-part[within], kind="stable")]
            best = np.maximum.accumulate(np.concatenate(([-profile.false_negative], worth[within])))
            scores.append(part[within])
            gains.append(np.diff(best))
            start -= profile.false_negative
    thresholds, positions = np.unique(-np.concatenate(scores), return_inverse=True)
    totals = start + np.cumsum(np.bincount(positions, weights=np.concatenate(gains)))
    best_index = int(np.argmax(totals))
    if totals[best_index] <= start:
        return Threshold(NO_DETECTIONS, start)
    return Threshold(float(-thresholds[best_index]), float(totals[best_index]))


def normalised(score: float, windows: int, profile: Profile) -> float:
    """Put a raw sum of scores on NAB's scale: 0 for no detections at all, 100 for each window found at its first row.

    Args:
        score: the sum over all files.
        windows: how many they have, >= 1.
    """
    nothing = -profile.false_negative * windows
    return 100 * (score - nothing) / (profile.true_positive * windows - nothing)


def _first_row(moments: npt.NDArray[np.datetime64], moment: datetime) -> int:
    """Return the first row that is not before a moment, or how many there are."""
    later = moments >= np.datetime64(moment, "us")
    return int(np.argmax(later)) if later.any() else len(moments)


def _worth(places: FloatArray, windows: IntArray, profile: Profile) -> FloatArray:
    """Return what a detection at each row earns: NAB's scaled sigmoid of its place, weighted."""
    sigmoid = 2 / (1 + np.exp(_STEEPNESS * places)) - 1
    sigmoid[places >= _FAR] = -1.0
    highest = 2 / (1 + math.exp(-_STEEPNESS)) - 1
    return np.where(windows >= 0, sigmoid * profile.true_positive / highest, sigmoid * profile.false_positive)
