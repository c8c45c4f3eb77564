"""NAB's rules, by hand and against the scores that NAB's own scorer gave."""

from __future__ import annotations

import csv
import gzip
import os
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from rejoinder.errors import InvalidInputError
from rejoinder_finance_sentiment.surge.labelled_series import Labels, read_labelled_series
from rejoinder_finance_sentiment.surge.nab_score import (
    NO_DETECTIONS,
    PROFILES,
    Profile,
    ScoredSeries,
    choose_threshold,
    normalised,
    place_windows,
    score_series,
)
from rejoinder_finance_sentiment.surge.state import FloatArray

STANDARD = PROFILES[0]
START = datetime(2026, 1, 1)  # noqa: DTZ001 - NAB's timestamps have no zone
HOURS = [START + timedelta(hours=row) for row in range(100)]
WINDOW = (HOURS[50], HOURS[59])


def series(detections: dict[int, float]) -> ScoredSeries:
    """A hundred hours with a window from row 50 to 59; 15 rows are probation."""
    scores = np.zeros(100)
    for row, score in detections.items():
        scores[row] = score
    return place_windows(HOURS, scores, [WINDOW])


def sigmoid(place: float) -> float:
    return float(2 / (1 + np.exp(5 * place)) - 1)


@pytest.mark.parametrize(
    ("detections", "score"),
    [
        pytest.param({}, -1.0, id="a window missed"),
        pytest.param({50: 1.0}, 1.0, id="found at once"),
        pytest.param({55: 1.0, 58: 1.0}, sigmoid(-0.5) / sigmoid(-1), id="only the first of a window counts"),
        pytest.param({50: 1.0, 20: 1.0}, 1.0 - 0.11, id="before any window: the whole cost"),
        pytest.param({50: 1.0, 62: 1.0}, 1.0 + 0.11 * sigmoid(3 / 9), id="shortly after a window: a part of it"),
        pytest.param({50: 1.0, 99: 1.0}, 1.0 - 0.11, id="long after: the whole cost"),
        pytest.param({50: 1.0, 3: 1.0}, 1.0, id="probation counts for nothing"),
        pytest.param({50: 0.4}, -1.0, id="below the threshold"),
    ],
)
def test_a_file_is_scored_by_the_rules(detections: dict[int, float], score: float) -> None:
    assert score_series(series(detections), STANDARD, 0.5) == pytest.approx(score)


def test_the_threshold_is_the_highest_of_the_best() -> None:
    found = choose_threshold([series({50: 0.8, 51: 0.7, 20: 0.6})], STANDARD)

    assert (found.value, found.score) == (0.8, pytest.approx(1.0))


def test_where_detections_only_cost_none_is_best() -> None:
    quiet = place_windows(HOURS, np.linspace(0, 1, 100), [])

    assert choose_threshold([quiet], STANDARD).value == NO_DETECTIONS


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_the_chosen_threshold_beats_every_other(profile: Profile) -> None:
    draw = np.random.default_rng(3)
    corpus = [place_windows(HOURS, draw.random(100).round(2), [WINDOW]) for _ in range(5)]

    found = choose_threshold(corpus, profile)

    totals = {
        at: sum(score_series(one, profile, at) for one in corpus) for at in [*np.linspace(0, 1, 101).round(2), 1.1]
    }
    assert found.score == pytest.approx(max(totals.values()))
    assert totals[found.value] == pytest.approx(found.score)


def test_the_scale_is_from_nothing_to_perfect() -> None:
    assert normalised(-2.0, 2, STANDARD) == 0
    assert normalised(2.0, 2, STANDARD) == 100


def test_a_window_may_lie_between_rows() -> None:
    half = timedelta(minutes=30)
    placed = place_windows(HOURS, np.zeros(100), [(HOURS[50] - half, HOURS[59] + half)])

    np.testing.assert_array_equal(placed.places, series({}).places)


@pytest.mark.parametrize(
    ("scores", "window", "message"),
    [
        (99, WINDOW, "99 scores for 100 rows"),
        (100, (HOURS[99] + timedelta(hours=1), HOURS[99] + timedelta(hours=2)), "no row lies in the window"),
    ],
)
def test_what_cannot_be_placed_is_refused(scores: int, window: tuple[datetime, datetime], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        place_windows(HOURS, np.zeros(scores), [window])


# --- against NAB's own scorer --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nab() -> Path:
    folder = os.environ.get("REJOINDER_DATA")
    if not folder or not Path(folder, "nab", "results").is_dir():
        pytest.skip("REJOINDER_DATA does not name a folder with nab/results")
    return Path(folder, "nab")


@pytest.fixture(scope="module")
def labels(nab: Path) -> Labels:
    return read_labelled_series(nab / "data", nab / "labels" / "combined_windows_visible.json")


@pytest.mark.parametrize("detector", ["numenta", "twitterADVec", "windowedGaussian"])
def test_every_published_score_is_given_again(nab: Path, labels: Labels, detector: str) -> None:
    scores: dict[str, FloatArray] = {one.name: np.zeros(len(one.values)) for one in labels.series}
    with gzip.open(nab / "results" / f"{detector}.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            scores[row["file"]][int(row["row"])] = float(row["anomaly_score"])
    published: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (nab / "results" / "published_scores.csv").open() as file:
        for row in csv.DictReader(file):
            if row["detector"] == detector:
                published[row["profile"]].append(row)
    placed = {one.name: place_windows(one.timestamps, scores[one.name], one.windows) for one in labels.series}

    assert sorted(published) == sorted(profile.name for profile in PROFILES)
    for profile in PROFILES:
        rows = published[profile.name]
        assert sorted(row["file"] for row in rows) == sorted(placed)
        ours = [score_series(placed[row["file"]], profile, float(row["threshold"])) for row in rows]
        np.testing.assert_allclose(ours, [float(row["score"]) for row in rows], atol=0.001, rtol=0)
