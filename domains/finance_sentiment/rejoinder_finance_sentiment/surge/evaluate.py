"""`rejoinder evaluate surge`: the detector that serves over labelled series, scored by NAB's rules."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rejoinder.learning.evaluation_report import EvaluationReport, versions

from rejoinder_finance_sentiment.surge.detector import SurgeDetector
from rejoinder_finance_sentiment.surge.labelled_series import LabelledSeries, read_labelled_series
from rejoinder_finance_sentiment.surge.nab_score import (
    PROFILES,
    ScoredSeries,
    choose_threshold,
    normalised,
    place_windows,
    score_series,
)
from rejoinder_finance_sentiment.surge.state import FloatArray

__all__ = ["SurgeReport", "detect", "evaluate_surge"]

_DAY_S: Final = 86_400
_STANDARD: Final = PROFILES[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurgeReport(EvaluationReport):
    """What an evaluation found.

    Attributes:
        nab_standard, nab_reward_low_fp_rate, nab_reward_low_fn_rate: NAB's score by profile; 0 is no detection at all, 100 perfect.
        thresholds: by profile; chosen on these series, as NAB does: the highest that gives the best score.
        median_delay: rows from a window's first to the first detection in it, over the windows found; None if none was. A window of
            NAB begins before its anomaly, usually by half of its length.
        false_alarms_per_day: detections outside of windows, by day and series, after the probationary period.
        windows, windows_found: how many there are, and in how many there is a detection.
        detections: file name to the timestamps where an anomaly was reported, after the probationary period.
        scores: raw score by file; they, `median_delay`, `false_alarms_per_day` and `detections` are of the standard profile.
        series: how many were scored; those without windows or without rows are named, and were not.
        seconds: for all rows, and `rows_per_second`.
        seed: recorded only; nothing is random.
        sha256: of all files read.
    """

    nab_standard: float
    nab_reward_low_fp_rate: float
    nab_reward_low_fn_rate: float
    thresholds: Mapping[str, float]
    median_delay: float | None
    false_alarms_per_day: float
    series: int
    windows: int
    windows_found: int
    without_windows: tuple[str, ...]
    without_rows: tuple[str, ...]
    seconds: float
    rows_per_second: float
    scores: Mapping[str, float]
    detections: Mapping[str, tuple[str, ...]]
    seed: int
    sha256: str
    versions: Mapping[str, str]


def evaluate_surge(series: Path | str, windows: Path | str, *, seed: int = 0) -> SurgeReport:
    """Run the detector over labelled series, one setting for all, nothing trained ahead, and score it.

    Raises:
        InvalidInputError: files cannot be read, or hold no labelled series.
    """
    labels = read_labelled_series(Path(series), Path(windows))
    begun = time.perf_counter()
    scores = detect(labels.series)
    seconds = time.perf_counter() - begun
    placed = _placed(labels.series, scores)
    chosen = {profile.name: choose_threshold(placed, profile) for profile in PROFILES}
    n_windows = sum(len(one.windows) for one in labels.series)
    threshold = chosen[_STANDARD.name].value
    found = [_found(one, threshold) for one in placed]
    delays = [delay for one in placed for delay in _delays(one, threshold)]
    false_alarms = sum(int((one.windows[rows] < 0).sum()) for one, rows in zip(placed, found, strict=True))
    days = sum(_watched_s(one, at.counted) for one, at in zip(labels.series, placed, strict=True)) / _DAY_S
    nab = {profile.name: normalised(chosen[profile.name].score, n_windows, profile) for profile in PROFILES}
    return SurgeReport(
        nab_standard=nab["standard"],
        nab_reward_low_fp_rate=nab["reward_low_fp_rate"],
        nab_reward_low_fn_rate=nab["reward_low_fn_rate"],
        thresholds={name: one.value for name, one in chosen.items()},
        median_delay=float(np.median(delays)) if delays else None,
        false_alarms_per_day=false_alarms / days if days else 0.0,
        series=len(labels.series),
        windows=n_windows,
        windows_found=len(delays),
        without_windows=labels.without_windows,
        without_rows=labels.without_rows,
        seconds=seconds,
        rows_per_second=sum(map(len, scores)) / seconds,
        scores={
            one.name: score_series(at, _STANDARD, threshold) for one, at in zip(labels.series, placed, strict=True)
        },
        detections={
            one.name: tuple(one.stamps[row] for row in rows) for one, rows in zip(labels.series, found, strict=True)
        },
        seed=seed,
        sha256=labels.sha256,
        versions=versions(),
    )


def detect(series: Sequence[LabelledSeries]) -> list[FloatArray]:
    """Return the detector's scores, one a row of each series; all series go through one detector, row by row."""
    longest_first = sorted(range(len(series)), key=lambda number: -len(series[number].values))
    lengths = np.array([len(series[number].values) for number in longest_first])
    table = np.zeros((3, lengths[0], len(series)))
    for column, number in enumerate(longest_first):
        table[:2, : lengths[column], column] = series[number].seconds, series[number].values
    detector = SurgeDetector(len(series))
    for row in range(lengths[0]):
        running = np.arange(np.count_nonzero(lengths > row))
        at, values, scores = table[:, row, : len(running)]
        scores[:] = detector.update(at, values, running).scores
    return [table[2, : len(series[number].values), longest_first.index(number)] for number in range(len(series))]


def _placed(series: Sequence[LabelledSeries], scores: Sequence[FloatArray]) -> list[ScoredSeries]:
    return [place_windows(one.timestamps, found, one.windows) for one, found in zip(series, scores, strict=True)]


def _found(series: ScoredSeries, threshold: float) -> list[int]:
    """Return the rows that are detections, after the probationary period."""
    first = series.counted.start
    return [int(row) + first for row in np.flatnonzero(series.scores[first:] >= threshold)]


def _delays(series: ScoredSeries, threshold: float) -> list[int]:
    """Return, for each window found, the rows from its first to its first detection."""
    rows = np.array(_found(series, threshold), dtype=np.int64)
    inside = series.windows[rows]
    return [
        int(rows[inside == number].min() - np.flatnonzero(series.windows == number).min())
        for number in np.unique(inside[inside >= 0])
    ]


def _watched_s(series: LabelledSeries, counted: slice) -> float:
    seconds = series.seconds[counted]
    return float(seconds.max() - seconds.min()) if len(seconds) else 0.0
