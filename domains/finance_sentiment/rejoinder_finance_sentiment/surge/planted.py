"""Surges planted in real streams of counts: how many a detector finds, how soon, and how often it is wrong.

A surge of size s lasts some buckets; each gets so many real documents more, Poisson distributed, that s times the mean of the 30 buckets
before is expected. A planted surge is found if an alarm is raised in one of its buckets; alarms in the stream as it is are false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rejoinder_finance_sentiment.surge.counts import CountSeries, CountSettings

__all__ = ["CountedStream", "PlantedFigures", "find_planted"]

_DAY_S: Final = 86_400
_USUAL: Final = 30
_WARM_UP: Final = 30

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedStream:
    """Documents by bucket.

    Attributes:
        first: number of the first bucket since the epoch.
        totals: all documents of each bucket, where shares are watched; None: counts are.
    """

    name: str
    bucket_s: float
    first: int
    counts: IntArray
    totals: IntArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFigures:
    """What was found.

    Attributes:
        recall: by size, share of the surges found, in [0, 1]; size 1 is none, and says how many are found by chance.
        median_delay: by size, buckets from the first of a surge to the one in which it was found; None: none was.
        false_alarms: in 30 days and series.
        series: false alarms in 30 days by series.
    """

    recall: Mapping[float, float]
    median_delay: Mapping[float, float | None]
    false_alarms: float
    series: Mapping[str, float]


def find_planted(
    streams: Sequence[CountedStream],
    settings: CountSettings,
    *,
    sizes: Sequence[float] = (1.0, 1.5, 2.0, 3.0, 5.0),
    surges: int = 200,
    shortest: int = 3,
    longest: int = 6,
    seed: int = 0,
) -> PlantedFigures:
    """Plant surges, one at a time, at the same places for each size, and let the detector look for them."""
    random = np.random.default_rng(seed)
    usable = [one for one in streams if len(one.counts) > _WARM_UP + longest + 1]
    places = []
    for _ in range(surges):
        stream = usable[int(random.integers(len(usable)))]
        length = int(random.integers(shortest, longest + 1))
        places.append((stream, int(random.integers(_WARM_UP, len(stream.counts) - length)), length))
    recall, delays = {}, {}
    for size in sizes:
        found = []
        for stream, start, length in places:
            usual = stream.counts[max(0, start - _USUAL) : start].mean()
            more = random.poisson((size - 1) * usual, length)
            alarms = _alarms(_planted(stream, start, more), settings, start + length)
            found += [alarms[alarms >= start][0] - start] if (alarms >= start).any() else []
        recall[size] = len(found) / surges
        delays[size] = float(np.median(found)) if found else None
    alarms_of = {one.name: len(_alarms(one, settings, len(one.counts))) for one in streams}
    months = {one.name: len(one.counts) * one.bucket_s / (30 * _DAY_S) for one in streams}
    return PlantedFigures(
        recall=recall,
        median_delay=delays,
        false_alarms=sum(alarms_of.values()) / sum(months.values()),
        series={name: alarms_of[name] / months[name] for name in alarms_of},
    )


def _planted(stream: CountedStream, start: int, more: IntArray) -> CountedStream:
    counts = stream.counts.copy()
    counts[start : start + len(more)] += more
    if stream.totals is None:
        return replace(stream, counts=counts)
    totals = stream.totals.copy()
    totals[start : start + len(more)] += more
    return replace(stream, counts=counts, totals=totals)


def _alarms(stream: CountedStream, settings: CountSettings, end: int) -> IntArray:
    series = CountSeries(replace(settings, bucket_s=stream.bucket_s))
    found = []
    for row in range(end):
        total = None if stream.totals is None else float(stream.totals[row])
        at = (stream.first + row) * stream.bucket_s
        if series.add_bucket(at, int(stream.counts[row]), exposure=total) is not None:
            found.append(row)
    return np.array(found, dtype=np.int64)
