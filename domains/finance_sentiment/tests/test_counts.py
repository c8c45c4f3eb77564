"""The detector of surges in counts: it looks at nothing ahead, remembers little, and goes on from what it remembers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError
from rejoinder_finance_sentiment.surge.counts import CountSeries, CountSettings

DAY_S = 86_400.0
SETTINGS = CountSettings(bucket_s=DAY_S)


def alarms(counts: np.ndarray, settings: CountSettings = SETTINGS, marked: float = 0.0) -> list[int]:
    series = CountSeries(settings)
    rows = enumerate(counts)
    return [row for row, n in rows if series.add_bucket(row * settings.bucket_s, int(n), marked=marked) is not None]


def bursty(days: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.negative_binomial(2, 2 / (2 + 6.0), days)


def test_no_later_count_changes_an_earlier_alarm() -> None:
    counts = bursty(300, 1)
    for end in (40, 123, 250):
        other = counts.copy()
        other[end:] = np.random.default_rng(2).integers(0, 100, len(counts) - end)
        assert [row for row in alarms(other) if row < end] == [row for row in alarms(counts) if row < end]
    assert alarms(counts)


def test_a_state_is_small_and_goes_on_where_it_ended() -> None:
    counts = bursty(400, 3)
    whole, parts, sizes = CountSeries(SETTINGS), CountSeries(SETTINGS), []
    for row, count in enumerate(counts):
        told = [series.add_bucket(row * DAY_S, int(count)) for series in (whole, parts)]
        assert (told[0] is None) == (told[1] is None)
        text = json.dumps(parts.to_json())
        sizes.append(len(text))
        parts = CountSeries.from_json(SETTINGS, json.loads(text))
    assert max(sizes[50:]) < 2500
    assert CountSeries.from_json(CountSettings(bucket_s=3600), parts.to_json()).buckets == 0
    with pytest.raises(InvalidInputError, match="version"):
        CountSeries.from_json(SETTINGS, {**parts.to_json(), "version": 9})


def test_one_bucket_alone_is_a_surge_where_it_leaves_no_doubt() -> None:
    hourly = CountSettings()
    random = np.random.default_rng(4)
    usual = random.poisson(0.3, 480)
    for many, found in ((4, []), (16, [480])):
        assert [one for one in alarms(np.append(usual, many), hourly) if one >= 480] == found
    series = CountSeries(hourly)
    for row, count in enumerate(usual):
        series.add_bucket(row * 3600.0, int(count))
    told = [series.add(480 * 3600.0 + number) is not None for number in range(24)]
    assert sum(told) == 1  # in the midst of the hour, and once
    assert told.index(True) < 16


def test_marks_raise_and_lower_the_threshold() -> None:
    counts = bursty(700, 5)
    assert len(alarms(counts, marked=3.0)) < len(alarms(counts)) <= len(alarms(counts, marked=-3.0))


def test_shares_do_not_surge_with_the_collection() -> None:
    counts = np.full(80, 5)
    counts[60:64] = 20
    series = CountSeries(SETTINGS)
    totals = counts * 5
    told = [series.add_bucket(row * DAY_S, int(n), exposure=float(totals[row])) for row, n in enumerate(counts)]
    assert not any(told)
    assert alarms(counts)


def test_quiet_series_are_found_out_by_few_documents_and_ten_thousand_fit() -> None:
    hours = CountSettings()
    many = [CountSeries(hours) for _ in range(10_000)]
    for number, series in enumerate(many):
        series.add(number % 24 * 3600.0, "first")
        series.add(2 * DAY_S, "second")
    surge = None
    for minute in range(12):
        surge = surge or many[7].add(2 * DAY_S + 3600.0 * (minute // 6) + 60.0 * minute, f"d{minute}")
    assert surge is not None
    assert surge.documents[-1].startswith("d")
    assert many[7].add(0.0, "late") is None
