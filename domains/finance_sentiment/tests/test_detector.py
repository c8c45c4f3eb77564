"""The streaming detector: what it reports, that it never looks ahead, and what it remembers."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError
from rejoinder_finance_sentiment.surge.detector import SurgeDetector
from rejoinder_finance_sentiment.surge.state import FloatArray

HOUR_S = 3600.0
MONDAY_S = 1_767_571_200.0  # 2026-01-05 00:00 UTC
WEEKS_6 = 6 * 7 * 24
REPORTED = 0.5


def run(values: FloatArray, detector: SurgeDetector | None = None, first: int = 0) -> FloatArray:
    """Score hourly values, (rows,) or (rows, series)."""
    table = values.reshape(len(values), -1)
    detector = detector or SurgeDetector(table.shape[1])
    moments = MONDAY_S + HOUR_S * (first + np.arange(len(table)))
    return np.array(
        [detector.update(np.full(table.shape[1], at), row).scores for at, row in zip(moments, table, strict=True)]
    )


def counts(seed: int, rows: int = WEEKS_6, mean: float = 5.0, *, daily: float = 0.0) -> FloatArray:
    """Poisson counts by the hour, with a season of the day."""
    hours = np.arange(rows)
    return np.random.default_rng(seed).poisson(mean * (1 + daily * np.sin(2 * np.pi * hours / 24))).astype(float)


def reports(scores: FloatArray) -> list[int]:
    return [int(row) for row in np.flatnonzero(scores >= REPORTED)]


def test_a_surge_in_counts_is_reported_within_two_buckets() -> None:
    table = np.stack([counts(seed, daily=0.6) for seed in range(20)], axis=1)
    table[900:904] = np.random.default_rng(99).poisson(table[900:904] * 2 + 15)

    scores = run(table)

    found = [any(900 <= row <= 901 for row in reports(column)) for column in scores.T]
    assert np.mean(found) >= 0.9


def test_false_alarms_on_seasonal_counts_are_few() -> None:
    table = np.stack([counts(seed, daily=0.8) for seed in range(20)], axis=1)

    scores = run(table)

    after_two_weeks = scores[2 * 7 * 24 :]
    assert (after_two_weeks >= REPORTED).sum() / 20 / 28 < 1 / 10  # a day and series


@pytest.mark.parametrize("mean", [0.02, 0.2])
def test_sparse_counts_are_quiet_until_many_come(mean: float) -> None:
    values = counts(7, mean=mean)
    values[900] = 12

    rows = reports(run(values)[:, 0])

    assert 900 in rows
    assert len([row for row in rows if 336 <= row < 900]) <= 4


def test_a_daily_peak_that_does_not_come_is_reported() -> None:
    hours = np.arange(WEEKS_6)
    values = np.where((hours % 24 >= 9) & (hours % 24 < 17), 80.0, 20.0) + np.random.default_rng(1).normal(
        0, 2, WEEKS_6
    )
    values[30 * 24 + 9 : 30 * 24 + 17] -= 60

    rows = [row for row in reports(run(values)[:, 0]) if row >= 336]

    assert any(30 * 24 + 9 <= row < 30 * 24 + 17 for row in rows)
    assert len(rows) <= 4


def test_a_lasting_change_of_level_is_reported_and_then_gets_quiet() -> None:
    values = np.random.default_rng(2).normal(10, 1, WEEKS_6)
    values[700:] += 15

    rows = [row for row in reports(run(values)[:, 0]) if row >= 336]

    assert 700 in rows
    assert len([row for row in rows if row > 700]) <= 4


@pytest.mark.parametrize("value", [0.0, 45.0, 4e8, -3.0])
def test_a_flat_series_is_never_reported(value: float) -> None:
    assert not reports(run(np.full(WEEKS_6, value))[:, 0])


def test_a_first_value_after_long_silence_is_reported() -> None:
    values = np.zeros(WEEKS_6)
    values[800] = 3

    rows = reports(run(values)[:, 0])
    assert rows[0] == 800
    assert len(rows) <= 2


def test_the_future_changes_no_earlier_score() -> None:
    values = np.stack([counts(seed, rows=600, daily=0.5) for seed in range(5)], axis=1)
    changed = values.copy()
    changed[400:] = np.random.default_rng(5).normal(1000, 500, changed[400:].shape)

    np.testing.assert_array_equal(run(values)[:400], run(changed)[:400])


def test_series_do_not_touch_one_another() -> None:
    table = np.stack([counts(seed, rows=500) * 10**seed for seed in range(4)], axis=1)
    table[300, 1] = 1e6

    together = run(table)

    for column in range(4):
        np.testing.assert_allclose(together[:, column], run(table[:, column])[:, 0], rtol=1e-9, atol=1e-12)


def test_series_may_run_at_their_own_pace() -> None:
    table = np.stack([counts(seed, rows=300) for seed in range(3)], axis=1)
    detector, found = SurgeDetector(3), []
    for row in range(300):
        at = MONDAY_S + HOUR_S * row
        found.append(detector.update([at], [table[row, 1]], [1]).scores[0])
        if row % 3 == 0:
            detector.update([at, at], table[row, [2, 0]], [2, 0])

    np.testing.assert_allclose(found, run(table[:, 1])[:, 0], rtol=1e-9, atol=1e-12)


def test_the_state_survives_json_and_goes_on_as_if_nothing_was() -> None:
    values = counts(11, rows=700, daily=0.5)
    values[600] = 60
    first = SurgeDetector(3)
    moments = MONDAY_S + HOUR_S * np.arange(500)
    for at, value in zip(moments, values, strict=False):
        first.update([at], [value], [2])

    text = json.dumps(first.export_state(2))
    second = SurgeDetector(1)
    second.restore_state(json.loads(text))

    np.testing.assert_array_equal(run(values[500:], second, first=500), run(values)[500:])


def test_the_state_has_a_constant_size() -> None:
    detector, sizes = SurgeDetector(1), set()
    for row, value in enumerate(counts(1, rows=1000)):
        detector.update([HOUR_S * row], [value])
        if row % 250 == 0:
            sizes.add(len(json.dumps(detector.export_state())))

    assert len(sizes) == 1
    assert detector.bytes_per_series < 5_000


def test_a_long_history_is_forgotten_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder_finance_sentiment.surge.tails._LONGEST", 400.0)
    detector = SurgeDetector(2)
    for row in range(1000):
        detector.update([HOUR_S * row] * 2, [float(row % 5), float(row % 7)])
        if row == 450:
            detector.update([0.0], [1.0], [1])

    held = detector._state.numbers["history"]
    assert (held < 400).all()
    np.testing.assert_allclose(detector._state.tables["tails"].sum(axis=(2, 3)).T, np.tile(held, (5, 1)), rtol=1e-3)


def test_what_was_found_is_explained() -> None:
    values = counts(3, rows=600)
    values[500] = 50
    detector = SurgeDetector(1)
    for row, value in enumerate(values[:500]):
        detector.update([HOUR_S * row], [value])

    found = detector.update([HOUR_S * 500], [values[500]])

    assert 3 < found.expected[0] < 7
    assert found.sides[0].tolist() == [1.0] * 5
    assert found.rarity[0, 0] > 2


def test_ten_thousand_series_fit_in_one_process() -> None:
    detector = SurgeDetector(10_000)
    for step in range(3):
        found = detector.update(np.full(10_000, HOUR_S * step), np.arange(10_000.0))

    assert found.scores.shape == (10_000,)
    assert detector.bytes_per_series * len(detector) < 50_000_000


@pytest.mark.parametrize(
    ("at", "values", "series", "message"),
    [
        ([0.0], [1.0, 2.0], None, "1 moments and 2 values for 2 series"),
        ([0.0, 0.0], [1.0, float("nan")], None, "not a finite number"),
        ([0.0], [1.0], [2], "from 0 to 1; found 2 to 2"),
        ([0.0, 0.0], [1.0, 1.0], [1, 1], "stands twice"),
    ],
)
def test_bad_steps_are_refused_and_change_nothing(
    at: list[float], values: list[float], series: list[int] | None, message: str
) -> None:
    detector = SurgeDetector(2)
    before = [detector.export_state(number) for number in range(2)]

    with pytest.raises(InvalidInputError, match=message):
        detector.update(at, values, series)

    assert [detector.export_state(number) for number in range(2)] == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 0}, "version 0"),
        ({"state": "é"}, "not base64"),
        ({"state": "AAAA"}, "3 bytes"),
        ({"state": 1}, "version 1"),
    ],
)
def test_a_state_that_is_none_is_refused(change: dict[str, object], message: str) -> None:
    detector = SurgeDetector(1)

    with pytest.raises(InvalidInputError, match=message):
        detector.restore_state({**detector.export_state(), **change})  # type: ignore[dict-item]


def test_a_detector_watches_something() -> None:
    with pytest.raises(InvalidInputError, match="at least one"):
        SurgeDetector(0)


def test_one_incident_is_not_reported_row_after_row() -> None:
    values = counts(21, mean=20.0)
    values[800:840] += 100

    rows = reports(run(values)[:, 0])

    inside = [row for row in rows if 800 <= row < 840]
    assert inside
    assert len(inside) <= 4
    assert all(later > earlier for earlier, later in pairwise(inside))
