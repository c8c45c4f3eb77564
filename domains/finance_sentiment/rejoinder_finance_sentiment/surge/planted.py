"""Surges planted in real streams of texts: how many the detector finds, how soon, and how often it is wrong.

A surge of size s lasts some buckets; into each come so many texts more, Poisson distributed, that s times the mean of the 30 buckets
before is expected. They are real texts of the same series, of other times, no two of them near-duplicates, and go the way that any text
goes: near-duplicates are folded as for tenants, then the detector counts what is left, document by document. A surge is found if an alarm
is raised in one of its buckets; alarms in the stream as it is, and those in the 30 buckets after a planted surge, are false.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from rejoinder.errors import InvalidInputError
from rejoinder.events.arriving import LEAST_COMPARED
from rejoinder.events.near_duplicates import Sketch, sketch_of
from rejoinder.events.settings import TenantEventSettings
from rejoinder.payloads import DetectorState, Observation

from rejoinder_finance_sentiment.surge.alerting import surges_in
from rejoinder_finance_sentiment.surge.settings import SurgeSettings

__all__ = ["Document", "Folding", "PlantedFigures", "SeriesOfTexts", "TextStream", "find_planted"]

_DAY_S: Final = 86_400
_USUAL: Final = 30
_WARM_UP: Final = 30
_AFTER: Final = 30
_APART_S: Final = 30 * _DAY_S
"""Texts that are planted are of other times: so much before or after the surge at least."""


class Document(NamedTuple):
    """A text and its moment, in seconds since the epoch."""

    at: float
    text: str


class Folding:
    """What near-duplicates are folded by: as `rejoinder.store.events` does with the stream of a tenant, by its defaults.

    Args:
        within_s: the longest time between two near-duplicates; None: the default of tenants.
        over: texts that are known too.
    """

    def __init__(self, *, within_s: float | None = None, over: Folding | None = None) -> None:
        rules = TenantEventSettings()
        self._threshold = rules.near_duplicates
        self._within = rules.near_duplicate_hours * 3600 if within_s is None else within_s
        self._over = over
        self._in_band: defaultdict[int, list[Document]] = defaultdict(list)

    def keeps(self, document: Document) -> bool:
        """Tell whether a document says what none before said, and know it from now on."""
        if len(document.text.split(maxsplit=LEAST_COMPARED)) < LEAST_COMPARED:
            return True
        sketch = sketch_of(document.text, self._threshold)
        if sketch is None:
            return True
        if self._knows(document, sketch):
            return False
        for band in sketch.bands:
            self._in_band[band].append(document)
        return True

    def _knows(self, document: Document, sketch: Sketch) -> bool:
        alike = dict.fromkeys(one for band in sketch.bands for one in self._in_band.get(band, ()))
        if any(abs(one.at - document.at) <= self._within and sketch.resembles(one.text) for one in alike):
            return True
        return self._over is not None and self._over._knows(document, sketch)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesOfTexts:
    """The documents of a stream that belong to one series.

    Attributes:
        rows: their places in the stream, rising.
        settings: with a bucket that suits the series.
    """

    name: str
    rows: tuple[int, ...]
    settings: SurgeSettings

    @property
    def bucket_s(self) -> float:
        """Seconds of a bucket."""
        return self.settings.bucket_minutes * 60.0


@dataclass(frozen=True)
class TextStream:
    """A tenant's stream, near-duplicates left out: documents in the order of their dates, and the series that are watched in it."""

    documents: Sequence[Document]
    folding: Folding
    series: Sequence[SeriesOfTexts] = field(default=())

    @classmethod
    def of(cls, documents: Sequence[Document]) -> tuple[TextStream, list[int]]:
        """Fold documents that are in the order of their dates; return the stream, and which places are in it."""
        folding = Folding()
        kept = [place for place, one in enumerate(documents) if folding.keeps(one)]
        return cls([documents[place] for place in kept], folding), kept

    @cached_property
    def end(self) -> float:
        """The moment of the last document."""
        return self.documents[-1].at


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFigures:
    """What was found.

    Attributes:
        recall: by size, share of the surges found, in [0, 1]; size 1 is none, and says how many are found by chance.
        median_delay: by size, buckets from the first of a surge to the one in which it was found; None: none was.
        false_after: by size, false alarms a day in the 30 buckets after a planted surge.
        false_alarms: in 30 days and series, nothing planted.
        series: false alarms in 30 days by series, nothing planted.
        documents: how many were planted, of all sizes.
        folded: how many of these were taken for near-duplicates.
    """

    recall: Mapping[float, float]
    median_delay: Mapping[float, float | None]
    false_after: Mapping[float, float]
    false_alarms: float
    series: Mapping[str, float]
    documents: int
    folded: int


class _Place(NamedTuple):
    series: int
    start: int
    length: int


def find_planted(
    stream: TextStream,
    *,
    sizes: Sequence[float] = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0),
    surges: int = 200,
    shortest: int = 3,
    longest: int = 6,
    seed: int = 0,
) -> PlantedFigures:
    """Plant surges, one at a time, at the same places for each size, and let the detector look for them.

    Raises:
        InvalidInputError: no series is long enough, or one has too few texts to plant from.
    """
    random = np.random.default_rng(seed)
    watched = [_Watched(stream, one) for one in stream.series]
    usable = [place for place, one in enumerate(watched) if one.buckets > _WARM_UP + longest + 1]
    if not usable:
        raise InvalidInputError(f"no series has more than {_WARM_UP + longest + 1} buckets to plant surges in")
    places = []
    for _ in range(surges):
        series = usable[int(random.integers(len(usable)))]
        length = int(random.integers(shortest, longest + 1))
        places.append(_Place(series, int(random.integers(_WARM_UP, watched[series].buckets - length)), length))
    of_series = [[one.start for one in places if one.series == number] for number in range(len(watched))]
    states = [one.states(starts) for one, starts in zip(watched, of_series, strict=True)]
    delays: dict[float, list[int]] = {size: [] for size in sizes}
    after: Counter[float] = Counter()
    days: defaultdict[float, float] = defaultdict(float)
    planted = folded = 0
    for size in sizes:
        for place in places:
            one = watched[place.series]
            texts, lost = one.planted(place, size, random)
            planted, folded = planted + len(texts) + lost, folded + lost
            alarms = one.alarms(place, states[place.series][place.start], texts)
            own = [alarm for alarm in alarms if alarm < place.length]
            delays[size] += own[:1]
            after[size] += len(alarms) - len(own)
            days[size] += one.days_after(place)
    months = {one.series.name: one.buckets * one.series.bucket_s / (30 * _DAY_S) for one in watched}
    return PlantedFigures(
        recall={size: len(found) / surges for size, found in delays.items()},
        median_delay={size: float(np.median(found)) if found else None for size, found in delays.items()},
        false_after={size: after[size] / days[size] for size in sizes},
        false_alarms=sum(one.false_alarms for one in watched) / sum(months.values()),
        series={one.series.name: one.false_alarms / months[one.series.name] for one in watched},
        documents=planted,
        folded=folded,
    )


class _Watched:
    """A series as the detector sees it: batches of observations, one a bucket."""

    def __init__(self, stream: TextStream, series: SeriesOfTexts) -> None:
        self.stream, self.series = stream, series
        self.first = int(stream.documents[0].at // series.bucket_s)
        self.buckets = int(stream.end // series.bucket_s) - self.first  # the last bucket may not be whole
        self.false_alarms = 0
        self._at = np.array([one.at for one in stream.documents])
        rows = np.array(series.rows, dtype=np.int64)
        self._numbers = (self._at[rows] // series.bucket_s).astype(np.int64) - self.first
        self._rows = rows
        self.counts = np.bincount(self._numbers, minlength=self.buckets)
        everything = Folding(within_s=float("inf"))
        self._pool = [row for row in series.rows if everything.keeps(stream.documents[row])]

    def states(self, starts: Sequence[int]) -> dict[int, DetectorState]:
        """Go through the series as it is, count its alarms, and return what is remembered before these buckets."""
        state = DetectorState(key=f"mention:{self.series.name}")
        wanted, found = set(starts), {}
        for bucket in range(self.buckets):
            if bucket in wanted:
                found[bucket] = state
            state, surges = surges_in(self._observed(bucket, bucket + 1), state, self.series.settings)
            self.false_alarms += len(surges)
        return found

    def planted(self, place: _Place, size: float, random: np.random.Generator) -> tuple[list[Document], int]:
        """Return the texts to plant that are not folded, and how many are."""
        usual = self.counts[max(0, place.start - _USUAL) : place.start].mean()
        more = random.poisson((size - 1) * usual, place.length)
        start, end = (self._moment(place.start), self._moment(place.start + place.length))
        pool = [row for row in self._pool if not start - _APART_S <= self._at[row] <= end + _APART_S]
        if more.sum() > len(pool):
            raise InvalidInputError(
                f"series {self.series.name}: {more.sum()} texts are to be planted, and {len(pool)} of other times there are"
            )
        chosen = iter(random.choice(np.array(pool, dtype=np.int64), size=int(more.sum()), replace=False))
        moments = [
            self._moment(place.start + number) + float(part) * self.series.bucket_s
            for number, count in enumerate(more)
            for part in random.random(count)
        ]
        arriving = sorted(Document(at, self.stream.documents[next(chosen)].text) for at in moments)
        folding = Folding(over=self.stream.folding)
        kept = [one for one in arriving if folding.keeps(one)]
        return kept, len(arriving) - len(kept)

    def alarms(self, place: _Place, state: DetectorState, planted: Sequence[Document]) -> list[int]:
        """Return the buckets with alarms from the first of a surge on, to 30 after its last."""
        moments = np.array([one.at for one in planted])
        found = []
        for bucket in range(place.start, min(self.buckets, place.start + place.length + _AFTER)):
            observed = self._observed(bucket, bucket + 1, moments)
            state, surges = surges_in(observed, state, self.series.settings)
            found += [bucket - place.start] * len(surges)
        return found

    def days_after(self, place: _Place) -> float:
        """Return the days that are looked at after a surge."""
        begun = place.start + place.length
        return (min(self.buckets, begun + _AFTER) - begun) * self.series.bucket_s / _DAY_S

    def _observed(self, start: int, end: int, planted: npt.NDArray[np.float64] | None = None) -> list[Observation]:
        """Return what is observed in the buckets from `start` to before `end`, in the order of dates."""
        low, high = np.searchsorted(self._numbers, (start, end))
        rows = self._rows[low:high]
        more = np.zeros(0) if planted is None else planted
        here = more[(more >= self._moment(start)) & (more < self._moment(end))]
        positions = np.concatenate(
            [
                rows + np.searchsorted(more, self._at[rows], side="right"),
                np.searchsorted(self._at, here) + np.searchsorted(more, here),
            ]
        )
        return [
            Observation(
                event_id=f"{at:.3f}/{position}",
                type="mention",
                key=self.series.name,
                at=datetime.fromtimestamp(at, UTC),
                position=int(position) + 1,
            )
            for at, position in sorted(zip([*self._at[rows], *here], positions, strict=True))
        ]

    def _moment(self, bucket: int) -> float:
        return (self.first + bucket) * self.series.bucket_s
