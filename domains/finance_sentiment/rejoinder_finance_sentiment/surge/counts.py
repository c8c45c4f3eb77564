"""A detector of surges in sparse counts: how many documents come in each bucket of time, against how many are expected.

The expected rate is Gamma distributed and discounted, so that a count is negative-binomial given the past (West and Harrison, "Bayesian
Forecasting and Dynamic Models", 2nd ed., section 10.8; discount and Poisson-Gamma conjugacy), times factors of the hour of the day and the
day of the week. Over-dispersion is learned by the method of moments. A CUSUM of log likelihood ratios between a surge and no surge (Hoehle
and Paul, "Count data regression charts for the monitoring of surveillance time series", 2008) collects evidence over buckets.

Under the model a CUSUM raises at most exp(-threshold) false alarms a bucket (Lorden 1971). What the model does not know (real counts
have heavier tails) is met by a bar of each series, which every alarm raises and quiet time lowers, so that in the long run there are
no more alarms than wanted (as in Gibbs and Candes, "Adaptive conformal inference under distribution shift", 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rejoinder.errors import InvalidInputError
from rejoinder.payloads import Json

__all__ = ["CountSeries", "CountSettings", "Surge"]

_VERSION: Final = 1
_DAY_S: Final = 86_400
_WEEK_START_S: Final = 4 * _DAY_S
"""The first Monday after the epoch."""

_HOURS: Final = 24
_DAYS: Final = 7
_SHRINK: Final = 20.0
"""Expected documents that a factor of the season is worth before anything is seen: it begins at 1."""

_CUT: Final = 4.0
"""Standard deviations above the expected from which on a count teaches no more, so that a surge does not become the usual at once."""

_LEAST_DISPERSION: Final = 0.01
_MOST_DISPERSION: Final = 2.0
"""Without it, one burst in a sparse series would explain the next bucket of the same burst."""

_PRIOR_DISPERSION: Final = 0.25
_PRIOR_BUCKETS: Final = 10.0
_RECENT: Final = 4.0
_MOST_DOCUMENTS: Final = 8
_RATE: Final = 1.0
"""What an alarm adds to the bar of its series."""

_FLOOR: Final = 0.7
"""Share of the threshold that quiet time takes from it at most."""

_LONGEST_GAP: Final = 10_000
"""Empty buckets that are gone through one by one; a longer silence is as long as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountSettings:
    """How a series of counts is watched.

    Attributes:
        bucket_s: seconds of a bucket, > 0; a divisor or multiple of a day, so that hours and days are the same in each.
        false_alarms: wanted at most in 30 days and series, > 0.
        factor: how many times the usual a surge is that is looked for, > 1; larger ones are found sooner.
        half_life: buckets after which a count weighs half in what is usual, > 0.
        warm_up: buckets from which on there are alarms.
        least: documents in a surge at least.
        cool_down: buckets without a surge after which the next one is another incident, > 0.
        step: most evidence of one bucket, as a share of the threshold, > 0: below 1 a single bucket is no surge,
        sure: except with so many times the threshold, > 1.
    """

    bucket_s: float = 3600.0
    false_alarms: float = 1.0
    factor: float = 2.5
    half_life: float = 15.0
    warm_up: int = 14
    least: int = 4
    cool_down: int = 1
    step: float = 0.8
    sure: float = 2.0

    @property
    def threshold(self) -> float:
        """Evidence of an alarm, in natural logarithms of the likelihood ratio, for the wanted rate of false alarms."""
        return math.log(max(1.0 + 1e-9, 30 * _DAY_S / self.bucket_s / self.false_alarms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A surge that begins to be one.

    Attributes:
        since: seconds since the epoch: the beginning of its first bucket.
        bucket: the beginning of the bucket in which it was found.
        observed, expected: documents since then, and how many are usual in as much time.
        evidence: of the CUSUM, as a multiple of the threshold, >= 1.
        documents: the latest that belong to it, newest last.
    """

    since: float
    bucket: float
    observed: int
    expected: float
    evidence: float
    documents: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """How many times the usual."""
        return self.observed / max(self.expected, 0.1)


@dataclass(slots=True)
class CountSeries:
    """One series: what is remembered of it, of constant size, and what becomes of it with each document.

    An alarm depends on the documents given before and on nothing else. Documents of a bucket that is over are left out.

    Example:
        >>> series = CountSeries(CountSettings(bucket_s=86_400))
        >>> found = []
        >>> for day in range(60):
        ...     for number in range(18 if day >= 57 else 5 + day % 2):
        ...         surge = series.add(day * 86_400.0 + number, f"{day}-{number}")
        ...         found += [] if surge is None else [day]
        >>> found
        [58]
    """

    settings: CountSettings
    shape: float = 0.5
    """Of the Gamma distribution of the rate, and its inverse scale, in usual buckets."""
    weight: float = 0.5
    excess: float = 0.0
    """Sums of squared errors beyond Poisson's and of squared expectations, discounted."""
    squares: float = 0.0
    hours: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0] for _ in range(_HOURS)])
    """Documents and expected ones by hour of the day, discounted; the same by day of the week."""
    days: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0] for _ in range(_DAYS)])
    buckets: int = 0
    bucket: int | None = None
    count: int = 0
    exposure: float = 0.0
    """All documents of the bucket, where shares are watched."""
    usual_exposure: float = 0.0
    evidence: float = 0.0
    since: int = 0
    observed: int = 0
    expected: float = 0.0
    documents: list[str] = field(default_factory=list)
    bar: float = 0.0
    recent: float = 0.0
    """The mean of the last few buckets, less the season."""
    raised: bool = False
    """Whether a surge was told and lasts on; for `rest` buckets no other is told."""
    rest: int = 0
    quiet: int = 0

    def add(self, at: float, document: str = "", *, exposure: float | None = None, marked: float = 0.0) -> Surge | None:
        """Count a document; return a surge if it makes one.

        Args:
            at: seconds since the epoch, in the time zone whose hours and days count.
            exposure: all documents, of any series, since the one before; None: not shares but counts are watched.
            marked: what people's marks add to the threshold (natural logarithm).
        """
        bucket = math.floor(at / self.settings.bucket_s)
        if self.bucket is not None and bucket < self.bucket:
            return None
        self._go_to(bucket, exposure)
        self.count += 1
        self.documents = [*self.documents, document][-_MOST_DOCUMENTS:]
        return self._judge(marked)

    def tick(self, at: float) -> None:
        """Let time go by without a document."""
        bucket = math.floor(at / self.settings.bucket_s)
        if self.bucket is not None and bucket > self.bucket:
            self._go_to(bucket, None)

    def add_bucket(self, at: float, count: int, *, exposure: float | None = None, marked: float = 0.0) -> Surge | None:
        """Count a whole bucket at once; as `add` of each of its documents, except that `exposure` is the bucket's."""
        self._go_to(math.floor(at / self.settings.bucket_s), None)
        self.count += count
        self.exposure += exposure or 0.0
        return self._judge(marked)

    def to_json(self) -> dict[str, Json]:
        """Return what is remembered, of constant size."""
        names = [name for name in self.__slots__ if name not in ("settings", "hours", "days")]
        data: dict[str, Any] = {name: getattr(self, name) for name in names}
        for name in ("hours", "days"):
            data[name] = [round(value, 4) for pair in getattr(self, name) for value in pair]
        return {"version": _VERSION, "bucket_s": self.settings.bucket_s, **data}

    @classmethod
    def from_json(cls, settings: CountSettings, data: Mapping[str, Any]) -> CountSeries:
        """Go on where `to_json` left off; begin anew where there is nothing, or where buckets had another length.

        Raises:
            InvalidInputError: it is no such state, or one of another version.
        """
        if not data or data.get("bucket_s") != settings.bucket_s:
            return cls(settings)
        if data.get("version") != _VERSION:
            raise InvalidInputError(f"the state of a series is of version {data.get('version')!r}, not {_VERSION}")
        made = cls(settings)
        try:
            for name in cls.__slots__:
                if name in ("hours", "days"):
                    flat = [float(value) for value in data[name]]
                    setattr(made, name, [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)])
                elif name != "settings":
                    setattr(made, name, data[name])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"the state of a series cannot be read: {error}") from error
        return made

    # --- within ----------------------------------------------------------------------------------------------------

    def _go_to(self, bucket: int, exposure: float | None) -> None:
        """Close the buckets before this one; what `exposure` says is spread over them evenly."""
        if self.bucket is None:
            self.bucket = bucket
        gap = bucket - self.bucket
        share = 0.0 if exposure is None else exposure / (min(gap, _LONGEST_GAP) + 1)
        if gap > _LONGEST_GAP:
            self.bucket = bucket - _LONGEST_GAP
        while self.bucket < bucket:
            self.exposure += share
            self._close()
            self.bucket += 1
        self.exposure += share

    def _factors(self) -> tuple[list[float] | None, list[float] | None]:
        """Return the open bucket's entries of hour and day; None where a bucket is as long as a day or a week."""
        start = (self.bucket or 0) * self.settings.bucket_s
        hour = self.hours[int(start % _DAY_S // 3600)] if self.settings.bucket_s < _DAY_S else None
        day = self.days[int((start - _WEEK_START_S) // _DAY_S) % _DAYS] if self.settings.bucket_s <= _DAY_S else None
        return hour, day

    def _season(self) -> float:
        """Return how many usual buckets the open one counts for."""
        season = 1.0
        for pair in self._factors():
            if pair is not None:
                season *= (pair[0] + _SHRINK) / (pair[1] + _SHRINK)
        if self.usual_exposure and self.exposure:
            season *= self.exposure / self.usual_exposure
        return season

    def _dispersion(self) -> float:
        prior = _PRIOR_BUCKETS * max(self.shape / self.weight, 0.05) ** 2
        found = (self.excess + _PRIOR_DISPERSION * prior) / (self.squares + prior)
        return min(_MOST_DISPERSION, max(_LEAST_DISPERSION, found))

    def _ratio_of(self, mean: float) -> float:
        """Return the log likelihood ratio of the open bucket's count: a surge against none, both negative-binomial."""
        size = 1 / (self._dispersion() + 1 / self.shape)
        factor = self.settings.factor
        ratio = self.count * math.log(factor) - (self.count + size) * math.log((size + factor * mean) / (size + mean))
        threshold = self._threshold(0.0)
        return ratio if ratio >= self.settings.sure * threshold else min(ratio, self.settings.step * threshold)

    def _threshold(self, marked: float) -> float:
        return max(1.0, self.settings.threshold + self.bar + marked)

    def _judge(self, marked: float) -> Surge | None:
        """Return a surge where the open bucket, as far as it has come, makes one: it can only become larger."""
        if self.rest or self.buckets < self.settings.warm_up or self.bucket is None:
            return None
        mean = self._expected()
        evidence = self.evidence + self._ratio_of(mean)
        threshold = self._threshold(marked)
        fresh = self.evidence <= 0
        observed = self.count + (0 if fresh else self.observed)
        if evidence < threshold or observed < self.settings.least:
            return None
        self.raised, self.rest, self.quiet = True, self.settings.cool_down, 0
        self.bar += _RATE
        since = self.bucket if fresh else self.since
        return Surge(
            since=since * self.settings.bucket_s,
            bucket=self.bucket * self.settings.bucket_s,
            observed=observed,
            expected=mean + (0.0 if fresh else self.expected),
            evidence=evidence / threshold,
            documents=tuple(self.documents[-observed:]),
        )

    def _close(self) -> None:
        """Learn from the open bucket, which is over."""
        self._collect(self._expected())
        self._learn()
        self.count, self.exposure = 0, 0.0
        self.buckets += 1
        wanted = self.settings.false_alarms * self.settings.bucket_s / (30 * _DAY_S)
        self.bar = max(-_FLOOR * self.settings.threshold, self.bar - _RATE * wanted)

    def _expected(self) -> float:
        """Return the documents that are usual in the open bucket; in a surge, those that the surge itself lets expect, if more."""
        level = self.shape / self.weight
        return (max(level, self.recent) if self.raised else level) * self._season()

    def _collect(self, mean: float) -> None:
        """Add the bucket's evidence to that of those before."""
        if self.buckets < self.settings.warm_up:
            return
        if self.raised:
            usual = self.shape / self.weight * self._season()
            self.quiet = 0 if self._ratio_of(usual) > 0 else self.quiet + 1
            if self.quiet >= self.settings.cool_down:
                self.raised = False
        if self.rest:
            self.rest -= 1
            self.evidence = 0.0
            return
        if self.evidence <= 0:
            self.since, self.observed, self.expected = self.bucket or 0, 0, 0.0
        self.evidence = max(0.0, self.evidence + self._ratio_of(mean))
        self.observed += self.count
        self.expected += mean

    def _learn(self) -> None:
        season = self._season()
        mean = self.shape / self.weight * season
        self.recent += (self.count / max(season, 0.05) - self.recent) / _RECENT
        discount = 0.5 ** (1 / self.settings.half_life)
        spread = math.sqrt(mean + (self._dispersion() + 1 / self.shape) * mean * mean)
        count = min(float(self.count), mean + _CUT * max(spread, 1.0))
        self.shape = max(0.1, discount * self.shape + count)
        self.weight = discount * self.weight + season
        self.excess = discount * self.excess + (count - mean) ** 2 - count
        self.squares = discount * self.squares + mean * mean
        hour, day = self._factors()
        slow = 0.5 ** (1 / (8 * self.settings.half_life))
        for pair in (hour, day):
            if pair is not None:
                own = (pair[0] + _SHRINK) / (pair[1] + _SHRINK)
                pair[0] = slow * pair[0] + count
                pair[1] = slow * pair[1] + mean / max(own, 0.01)
        if self.exposure:
            rate = 1 - discount if self.usual_exposure else 1.0
            self.usual_exposure += rate * (self.exposure - self.usual_exposure)
