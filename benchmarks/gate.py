"""How often the gate lets models through that are no better, and how often those that are: on the answers of two real models.

    REJOINDER_DATA=<folder of data sets> python benchmarks/gate.py [--candidates 400] [--seed 0] [--json OUT]

Two intent models, each fitted on a half of banking77's train split, answer its test split. Their answers are resampled: a row on which
they differ counts for the one or the other by a draw, so that neither is better (null), or so that the candidate is better by as much as
is wanted. Every comparison is one call of `rejoinder.learning.gate.judge`, as in service.

Printed: of candidates that are no better, the share let through at the first attempt, and the share of tenants that let any of ten through
that were tried on the same rows one after another; of candidates that are better by 0 to 8 points and differ on 12% of the rows, the
share let through, for 200, 500 and 2,000 held-back rows.

Wanted: at most 31 of 400 that are no better (5%, by a binomial test at 99%); at least 80% of those better by 5 points, of 500 rows.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rejoinder.learning.gate import Scored, judge
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example
from scipy.stats import binom

ERROR = 0.05
ROWS = (200, 500, 2000)
POINTS = tuple(range(9))
DISAGREEMENT = 0.12
ATTEMPTS = 10
WANTED_POWER = 0.8

Rights = NDArray[np.bool_]


def banking77(split: str) -> list[Example]:
    """Return the rows of a split."""
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds banking77/")
        sys.exit(0)
    with gzip.open(Path(folder) / "banking77" / f"{split}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Example(id=f"{split}-{n}", task="intent", text=row["text"], label=row["category"]) for n, row in enumerate(rows)
    ]


def two_models(seed: int) -> tuple[Rights, Rights]:
    """Return whether each of two models answers each test row right: (n_rows,) each."""
    encoder = load_encoder("default", threads=os.cpu_count() or 1)
    train, test = banking77("train"), banking77("test")
    vectors, asked = (encoder.encode([one.text for one in rows]) for rows in (train, test))
    order = np.random.default_rng(seed).permutation(len(train))
    found = []
    for half in np.array_split(order, 2):
        model = TextClassifier()
        model.fit([train[n] for n in half], vectors[half], seed=seed)
        said = model.predict_batch([one.text for one in test], asked)
        found.append(np.array([one.label == row.label for one, row in zip(said, test, strict=True)]))
    return found[0], found[1]


def scored(rights: Rights) -> Scored:
    """Return what the gate reads of them."""
    return Scored(scores={f"row-{n:05}": float(right) for n, right in enumerate(rights)})


def null_pair(models: tuple[Rights, Rights], rows: int, random: np.random.Generator) -> tuple[Rights, Rights]:
    """Draw rows of two models of which, by the toss of a coin for each row, neither is better."""
    drawn = random.integers(0, len(models[0]), rows)
    swapped = random.random(rows) < 0.5
    first, second = models[0][drawn], models[1][drawn]
    return np.where(swapped, second, first), np.where(swapped, first, second)


def better_pair(
    models: tuple[Rights, Rights], rows: int, points: float, random: np.random.Generator
) -> tuple[Rights, Rights]:
    """Draw rows of which the two differ on 12%, the candidate being right on so much more of these that it gains `points`."""
    differ = np.flatnonzero(models[0] != models[1])
    agree = np.flatnonzero(models[0] == models[1])
    differs = random.random(rows) < DISAGREEMENT
    live = models[0][np.where(differs, random.choice(differ, rows), random.choice(agree, rows))]
    gains = random.random(rows) < 0.5 + points / (200 * DISAGREEMENT)
    return np.where(differs, ~gains, live), np.where(differs, gains, live)


def passes(pair: tuple[Rights, Rights], *, attempt: int = 1) -> bool:
    """Return whether the gate lets the candidate, the second, through."""
    return judge(scored(pair[0]), scored(pair[1]), attempt=attempt).decision == "promote"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--candidates", type=int, default=400)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    started = time.perf_counter()
    random = np.random.default_rng(asked.seed)
    models = two_models(asked.seed)
    share = [float(one.mean()) for one in models]
    print(
        f"two models: accuracy {share[0]:.4f} and {share[1]:.4f}, differ on {np.mean(models[0] != models[1]):.3f} of the rows"
    )
    allowed = int(binom.ppf(0.99, asked.candidates, ERROR))
    null = {rows: sum(passes(null_pair(models, rows, random)) for _ in range(asked.candidates)) for rows in ROWS}
    print(
        f"no better, of {asked.candidates} at the first attempt (at most {allowed}): "
        + ", ".join(f"{n} ({rows} rows)" for rows, n in null.items())
    )
    repeated = sum(any_of_ten(models, random) for _ in range(asked.candidates))
    print(
        f"no better, of {asked.candidates} tenants with {ATTEMPTS} attempts each on the same 500 rows (at most {allowed}): {repeated}"
    )
    power: dict[int, dict[int, float]] = {}
    print(f"{'better by':>10} " + " ".join(f"{rows:>9} rows" for rows in ROWS))
    for points in POINTS:
        power[points] = {
            rows: float(np.mean([passes(better_pair(models, rows, points, random)) for _ in range(asked.candidates)]))
            for rows in ROWS
        }
        print(f"{points:>7} pts " + " ".join(f"{power[points][rows]:>14.3f}" for rows in ROWS))
    report = {
        "seed": asked.seed,
        "candidates": asked.candidates,
        "accuracy": share,
        "allowed": allowed,
        "null_promoted": null,
        "null_promoted_in_ten_attempts": repeated,
        "power": power,
        "seconds": time.perf_counter() - started,
    }
    print(f"{report['seconds']:.0f} s")
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    missed = [f"null, {rows} rows" for rows, count in null.items() if count > allowed]
    missed += ["ten attempts"] if repeated > allowed else []
    missed += ["power"] if power[5][500] < WANTED_POWER else []
    print("missed: " + ", ".join(missed) if missed else "all as wanted")


def any_of_ten(models: tuple[Rights, Rights], random: np.random.Generator) -> bool:
    """Return whether one of ten candidates, none of which is better, passes on the same rows of a tenant."""
    live, _ = null_pair(models, 500, random)
    for attempt in range(1, ATTEMPTS + 1):
        fresh = random.random(500) < DISAGREEMENT
        candidate = np.where(fresh, random.random(500) < live.mean(), live)
        if passes((live, candidate), attempt=attempt):
            return True
    return False


if __name__ == "__main__":
    main()
