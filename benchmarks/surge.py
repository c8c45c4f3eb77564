"""Surges in labelled series, by NAB's rules: the detector of finance_sentiment against river's, one setting each for all series.

    REJOINDER_DATA=<folder of data sets> python benchmarks/surge.py [--splits 20] [--seed 0] [--json OUT]

NAB: the labelled series of `nab/`, every detector's threshold chosen as NAB does, per profile. River's get each series' values one after
another, and the better of two figures by the standard profile: as they are, and with rows left out that do not exceed all scores of the
30 rows before, as our own leaves out what belongs to one incident.

halves: the threshold chosen on one random half of the series and scored on the other, both ways, mean over the splits; the higher, the
less a threshold is fitted to the series that it is scored on.

Speed: updates a second of processor time in one process with ten thousand series and with one, and bytes per series.

Wanted: standard profile at least 72, ahead of all of river's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rejoinder_finance_sentiment.surge.detector import SurgeDetector
from rejoinder_finance_sentiment.surge.evaluate import detect
from rejoinder_finance_sentiment.surge.labelled_series import LabelledSeries, read_labelled_series
from rejoinder_finance_sentiment.surge.nab_score import (
    PROFILES,
    ScoredSeries,
    choose_threshold,
    normalised,
    place_windows,
    score_series,
)
from river import anomaly, drift, preprocessing

Floats = NDArray[np.float64]
Score = Callable[[float], float]

QUIET_ROWS = 30


def half_space_trees(seed: int) -> Score:
    """Half-space trees on the value, scaled to [0, 1] by what was seen."""
    scaler: Any = preprocessing.MinMaxScaler()
    trees: Any = anomaly.HalfSpaceTrees(seed=seed)

    def score(value: float) -> float:
        scaler.learn_one({"value": value})
        scaled = scaler.transform_one({"value": value})
        found = trees.score_one(scaled)
        trees.learn_one(scaled)
        return float(found)

    return score


def gaussian_scorer(_seed: int) -> Score:
    """A normal distribution of all values (of a window, river 0.26 takes the root of a variance below 0)."""
    make: Any = anomaly.GaussianScorer
    scorer = make()

    def score(value: float) -> float:
        found = scorer.score_one(None, value)
        scorer.learn_one(None, value)
        return float(found)

    return score


def standard_deviation(_seed: int) -> Score:
    """Distance to the mean in standard deviations, on (0, 1)."""
    scorer: Any = anomaly.StandardAbsoluteDeviation()

    def score(value: float) -> float:
        found = float(scorer.score_one(None, value))
        scorer.learn_one(None, value)
        return found / (1 + found)

    return score


def drift_detector(make: Callable[[], Any]) -> Callable[[int], Score]:
    """A detector of drift: 1 where it says drift, else 0."""

    def make_score(_seed: int) -> Score:
        detector = make()

        def score(value: float) -> float:
            detector.update(value)
            return float(detector.drift_detected)

        return score

    return make_score


RIVER: dict[str, Callable[[int], Score]] = {
    "river HalfSpaceTrees": half_space_trees,
    "river GaussianScorer": gaussian_scorer,
    "river StandardAbsoluteDeviation": standard_deviation,
    "river ADWIN": drift_detector(drift.ADWIN),
    "river PageHinkley": drift_detector(drift.PageHinkley),
    "river KSWIN": drift_detector(lambda: drift.KSWIN(seed=0)),
}


def river_scores(series: Sequence[LabelledSeries], make: Callable[[int], Score], seed: int) -> list[Floats]:
    """Return one river detector's scores, a new one for each series."""
    found = []
    for one in series:
        score = make(seed)
        found.append(np.clip([score(float(value)) for value in one.values], 0, 1))
    return found


def quiet(scores: Floats) -> Floats:
    """Leave out rows that do not exceed all scores of the rows before."""
    padded = np.concatenate([np.zeros(QUIET_ROWS), scores])
    before = np.lib.stride_tricks.sliding_window_view(padded, QUIET_ROWS)[: len(scores)].max(axis=1)
    return np.where(scores > before, scores, 0.0)


def placed(series: Sequence[LabelledSeries], scores: Sequence[Floats]) -> list[ScoredSeries]:
    """Place the rows in their windows."""
    return [place_windows(one.timestamps, found, one.windows) for one, found in zip(series, scores, strict=True)]


def nab_scores(corpus: Sequence[ScoredSeries]) -> dict[str, float]:
    """Return NAB's scores by profile."""
    windows = sum(len(set(one.windows[one.windows >= 0])) for one in corpus)
    return {profile.name: normalised(choose_threshold(corpus, profile).score, windows, profile) for profile in PROFILES}


def halves(corpus: Sequence[ScoredSeries], splits: int, seed: int) -> float:
    """Return the standard score with thresholds from the other half."""
    standard, draw, found = PROFILES[0], np.random.default_rng(seed), []
    for _ in range(splits):
        order = draw.permutation(len(corpus))
        middle = len(order) // 2
        for chosen, scored in ((order[:middle], order[middle:]), (order[middle:], order[:middle])):
            threshold = choose_threshold([corpus[int(at)] for at in chosen], standard).value
            rest = [corpus[int(at)] for at in scored]
            windows = sum(len(set(one.windows[one.windows >= 0])) for one in rest)
            raw = sum(score_series(one, standard, threshold) for one in rest)
            found.append(normalised(raw, windows, standard))
    return float(np.mean(found))


def speed(series: int, steps: int) -> float:
    """Return updates a second of processor time over counts of so many series."""
    detector, draw = SurgeDetector(series), np.random.default_rng(0)
    counts = draw.poisson(3.0, (steps, series)).astype(float)
    begun = time.process_time()
    for step in range(steps):
        detector.update(np.full(series, 3600.0 * step), counts[step])
    return series * steps / (time.process_time() - begun)


def main() -> None:
    """Run, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if not os.environ.get("REJOINDER_DATA"):
        print("skipped: set REJOINDER_DATA to the folder that holds nab/")
        sys.exit(0)
    folder = Path(os.environ["REJOINDER_DATA"]) / "nab"
    series = read_labelled_series(folder / "data", folder / "labels" / "combined_windows_visible.json").series

    ours = placed(series, detect(series))
    rows: dict[str, dict[str, float]] = {"ours": {**nab_scores(ours), "halves": halves(ours, args.splits, args.seed)}}
    for name, make in RIVER.items():
        scores = river_scores(series, make, args.seed)
        options = [placed(series, scores), placed(series, [quiet(found) for found in scores])]
        corpus = max(options, key=lambda option: nab_scores(option)["standard"])
        rows[name] = {**nab_scores(corpus), "halves": halves(corpus, args.splits, args.seed)}
    columns = [*(profile.name for profile in PROFILES), "halves"]
    print(f"{'detector':<34}" + "".join(f"{column:>20}" for column in columns))
    for name, row in rows.items():
        print(f"{name:<34}" + "".join(f"{row[column]:>20.1f}" for column in columns))
    speeds = {
        "updates_per_second_10000_series": speed(10_000, 30),
        "updates_per_second_1_series": speed(1, 2_000),
        "bytes_per_series": float(SurgeDetector(1).bytes_per_series),
    }
    for name, figure in speeds.items():
        print(f"{name}: {figure:,.0f}")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"nab": rows, **speeds}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
