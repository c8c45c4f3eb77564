"""How rare a value is among those seen before, without keeping them.

Each statistic has a histogram of the logarithm of its size, one for each sign. Within what was seen, the share of larger values says how
rare one is; beyond, a Pareto tail does, fitted by Hill's estimator to the excess over a high quantile (Hill 1975; Siffer et al.,
"Anomaly Detection in Streams with Extreme Value Theory", KDD 2017, use the same idea with a generalised Pareto distribution).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from rejoinder_finance_sentiment.surge.state import STATISTICS, TAIL_BINS, FloatArray, IntArray, Part, State

__all__ = ["learn_tails", "rarity_of"]

_LOWEST: Final = -2.0
_WIDTH: Final = 0.2
_CENTRES: Final = _LOWEST + _WIDTH * (np.arange(TAIL_BINS) + 0.5)
_TAIL_SHARE: Final = 0.03
_TAIL_ROWS: Final = 4.0
"""The tail starts at the highest bin that leaves this share of rows above, and so many rows."""
_USUAL_INDEX: Final = 0.3
_INDEX_ROWS: Final = 4.0
"""What the tail's index is taken to be at first, and how many rows that is worth."""
_LEAST_INDEX: Final = 0.1
_LONGEST: Final = 20_000.0
"""Counts are halved when a history gets this long, so that it forgets."""


def rarity_of(state: State, series: IntArray, part: Part, statistics: FloatArray) -> FloatArray:
    """Return -log10 of the chance of a value as far out on the same side, from what was seen before.

    Args:
        statistics: (n_series, n_statistics) signed values.
    """
    size, places = _places(statistics)
    counts = _sides(state, series, statistics).astype(np.float64)
    above = counts[..., ::-1].cumsum(axis=-1)[..., ::-1]
    rows = (part["history"] + 1)[:, None]
    enough = above >= np.maximum(_TAIL_SHARE * rows, _TAIL_ROWS)[..., None]
    start = np.where(enough.any(axis=-1), TAIL_BINS - 1 - np.argmax(enough[..., ::-1], axis=-1), 0)
    in_tail = np.take_along_axis(above, start[..., None], axis=-1)[..., 0]
    from_size = _LOWEST + _WIDTH * start
    excess = np.maximum(_CENTRES - from_size[..., None], 0)
    index = ((counts * excess).sum(axis=-1) + _USUAL_INDEX * _INDEX_ROWS) / (in_tail + _INDEX_ROWS)
    beyond = np.maximum(size - from_size, 0)
    by_tail = (in_tail + 1) * np.exp(-beyond / np.maximum(index, _LEAST_INDEX))
    larger = (
        np.take_along_axis(above, places[..., None], axis=-1)
        - 0.5 * np.take_along_axis(counts, places[..., None], axis=-1)
    )[..., 0] + 0.5
    chance = np.where(places <= start, larger, np.maximum(by_tail, larger)) / rows
    return np.asarray(-np.log10(np.clip(chance, 1e-30, 1.0)))


def learn_tails(state: State, series: IntArray, part: Part, statistics: FloatArray) -> None:
    """Count the values in, and forget a little where the history is long."""
    _, places = _places(statistics)
    tails = state.tables["tails"]
    tails[series[:, None], np.arange(STATISTICS), (statistics > 0).astype(np.int64), places] += 1
    part["history"] += 1
    long = part["history"] >= _LONGEST
    if long.any():
        tails[series[long]] *= 0.5
        part["history"][long] *= 0.5


def _places(statistics: FloatArray) -> tuple[FloatArray, IntArray]:
    size = np.log(np.abs(statistics) + 1e-9)
    return size, np.clip((size - _LOWEST) / _WIDTH, 0, TAIL_BINS - 1).astype(np.int64)


def _sides(state: State, series: IntArray, statistics: FloatArray) -> npt.NDArray[np.float32]:
    return state.tables["tails"][series[:, None], np.arange(STATISTICS), (statistics > 0).astype(np.int64)]
