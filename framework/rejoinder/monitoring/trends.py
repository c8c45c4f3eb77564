"""Trends: how often something is spoken of and how, by bucket of time, as it was known at any moment."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from rejoinder.errors import InvalidInputError
from rejoinder.handoff.hours import time_zone_of
from rejoinder.store.database import Database
from rejoinder.store.trends import Seen, Stretch, busiest_keys, observed_in

__all__ = ["NEGATIVE", "BucketKind", "Trend", "TrendBucket", "Trends", "make_trends", "mean_sentiment", "negative_of"]

BucketKind = Literal["hour", "day", "week"]

NEGATIVE: Final = "negative"
"""The label of the observation `sentiment` that stands for bad news."""

_MOST_BUCKETS: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendBucket:
    """One bucket of a trend.

    Attributes:
        start: its first moment.
        count: documents in which the key was observed.
        share: of all documents of the bucket, in [0, 1]; None where there is none.
        sentiment: mean, in [-1, 1]; None where none is known.
        negative: documents whose sentiment about the key is called negative.
    """

    start: datetime
    count: int
    negative: int
    share: float | None
    sentiment: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How often a key was observed and how it was spoken of: in all, and by bucket."""

    key: str
    count: int
    negative: int
    share: float | None
    sentiment: float | None
    buckets: tuple[TrendBucket, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """Trends of some keys.

    Attributes:
        type: of the observations that were counted.
        start, end: moments; documents dated from `start` to before `end` count.
        as_of: documents that had arrived by then count.
        documents: all of them, whatever they are about.
    """

    type: str
    bucket: BucketKind
    time_zone: str
    start: datetime
    end: datetime
    as_of: datetime
    documents: int
    trends: tuple[Trend, ...]


async def make_trends(
    database: Database,
    tenant: str,
    *,
    kind: str,
    keys: Sequence[str] = (),
    start: datetime,
    end: datetime,
    as_of: datetime,
    bucket: BucketKind,
    time_zone: str,
    limit: int = 20,
) -> Trends:
    """Return trends of keys; without any, of those that most documents have, at most `limit`.

    Args:
        kind: type of the observations, such as `mention` or `topic`.
        start: buckets begin with the one that it lies in.
        bucket: days and weeks (from Mondays) are those of the time zone, hours those of UTC.
    Raises:
        InvalidInputError: the end does not lie after the start, or there are too many buckets.
    """
    starts = _starts(start, end, bucket, time_zone)
    stretch = Stretch(starts[0], end, as_of)
    wanted = list(dict.fromkeys(keys)) or await busiest_keys(database, tenant, kind, stretch, limit=limit)
    found = await observed_in(database, tenant, kind, wanted, stretch)
    documents = [0] * len(starts)
    for at in found.documents:
        documents[_place(starts, at)] += 1
    seen: dict[str, list[list[Seen]]] = {key: [[] for _ in starts] for key in wanted}
    for one in found.of_key:
        seen[one.key][_place(starts, one.at)].append(one)
    return Trends(
        type=kind,
        bucket=bucket,
        time_zone=time_zone,
        start=starts[0],
        end=end,
        as_of=as_of,
        documents=len(found.documents),
        trends=tuple(_trend(key, starts, seen[key], documents) for key in wanted),
    )


def _trend(key: str, starts: Sequence[datetime], seen: list[list[Seen]], documents: list[int]) -> Trend:
    whole = [one for some in seen for one in some]
    return Trend(
        key=key,
        count=len(whole),
        negative=negative_of(whole),
        share=_share(len(whole), sum(documents)),
        sentiment=mean_sentiment(whole),
        buckets=tuple(
            TrendBucket(
                start=start,
                count=len(some),
                negative=negative_of(some),
                share=_share(len(some), of),
                sentiment=mean_sentiment(some),
            )
            for start, some, of in zip(starts, seen, documents, strict=True)
        ),
    )


def negative_of(seen: Iterable[Seen]) -> int:
    """Return how many documents have a sentiment that is called negative."""
    return sum(one.label == NEGATIVE for one in seen)


def mean_sentiment(seen: Iterable[Seen]) -> float | None:
    """Return the mean sentiment in [-1, 1] of the documents whose sentiment is known; None where that is none."""
    scores = [one.score for one in seen if one.score is not None]
    return sum(scores) / len(scores) if scores else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _place(starts: Sequence[datetime], at: datetime) -> int:
    return bisect.bisect_right(starts, at) - 1


def _starts(start: datetime, end: datetime, bucket: BucketKind, time_zone: str) -> list[datetime]:
    """Return the first moments of all buckets, in UTC, from the one in which `start` lies to the one before `end`."""
    if end <= start:
        raise InvalidInputError(f"the end {end.isoformat()} does not lie after the start {start.isoformat()}")
    length = timedelta(hours={"hour": 1, "day": 24, "week": 168}[bucket])
    if (end - start) / length > _MOST_BUCKETS:
        raise InvalidInputError(f"more than {_MOST_BUCKETS} buckets; take longer ones, or a shorter time")
    if bucket == "hour":
        first = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return [first + number * length for number in range(-(-(end - first) // length))]
    zone = time_zone_of(time_zone)
    local = start.astimezone(zone)
    day = local.date() - timedelta(days=local.weekday() if bucket == "week" else 0)
    starts: list[datetime] = []
    while (moment := datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)) < end:
        starts.append(moment)
        day += length
    return starts
