"""Last items of users among all that they have not seen: every source alone, and the ranker over them.

    REJOINDER_DATA=<folder of data sets> python benchmarks/recommend.py [--seeds 3] [--cold-share 0.2] [--sets ...] [--json OUT]

MovieLens ml-latest-small and Amazon's magazine subscriptions, as `rejoinder evaluate recommend` reads and scores them: one split, every
source's settings chosen among four within the training part, one run a seed. Figures are means over the seeds; the interval of "ahead"
is of the first seed.

Wanted, on both: ours ahead of every source in the mean, and by the interval of all but the strongest; with --cold-share, cold items'
Recall@10 at least 3 times a random order's, and cold users' figures at least 1.5 times those of popularity.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import html
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rejoinder.cli.runtime import load_encoder
from rejoinder.models.encoding.service import TextEncoder
from rejoinder_recommendation.evaluate import RecommendReport, evaluate_recommend

RATINGS = ("user", "item", "rating", "timestamp")
ITEMS = ("item", "title", "text")
ATTRIBUTES = {"ml_latest_small": ("year", "genres", "tags"), "magazines": ("brand", "category", "bought_together")}
TIMES_RANDOM = 3
TIMES_POPULARITY = 1.5

FIGURES = ("ndcg_at_10", "recall_at_10", "cold_recall_at_10", "cold_user_ndcg_at_10", "cold_user_recall_at_10")

Rows = Iterable[tuple[Any, ...]]


def movielens(data: Path) -> tuple[Rows, Rows]:
    """Ratings of ml-latest-small; items with year, genres, and the tags that two people or more gave."""
    folder = data / "ml_latest_small"
    ratings = (
        (row["userId"], row["movieId"], row["rating"], row["timestamp"]) for row in _csv(folder / "ratings.csv.gz")
    )
    tags: dict[str, Counter[str]] = defaultdict(Counter)
    for row in csv.DictReader((folder / "tags.csv").read_text(encoding="utf-8").splitlines()):
        tags[row["movieId"]][row["tag"].strip().lower()] += 1
    return ratings, (_movie(row, tags[row["movieId"]]) for row in _csv(folder / "movies.csv.gz"))


def magazines(data: Path) -> tuple[Rows, Rows]:
    """Ratings of Amazon's magazine subscriptions; items with brand, category and what is bought together with them."""
    folder = data / "amazon_small_5core"
    reviews = _lines(folder / "magazines_reviews.jsonl.gz")
    ratings = ((row["reviewerID"], row["asin"], row["overall"], row["unixReviewTime"]) for row in reviews)
    items = (
        (
            row["asin"],
            row["title"] or row["brand"],
            html.unescape(". ".join((", ".join(row["category"][1:]), *row["description"]))),
            html.unescape(row["brand"]).replace("|", " "),
            html.unescape("|".join(row["category"][1:])),
            "|".join(row["also_buy"]),
        )
        for row in _lines(folder / "magazines_items.jsonl.gz")
    )
    return ratings, items


SETS: dict[str, Callable[[Path], tuple[Rows, Rows]]] = {"ml_latest_small": movielens, "magazines": magazines}


def _movie(row: dict[str, str], tags: Counter[str]) -> tuple[str, ...]:
    genres = [] if row["genres"].startswith("(") else row["genres"].split("|")
    text = ", ".join([*genres, *(tag for tag, _ in tags.most_common(10))])
    year = re.search(r"\((\d{4})\)\s*$", row["title"])
    known = [tag.replace("|", " ") for tag, count in tags.items() if count > 1]
    return row["movieId"], row["title"], text, year[1] if year else "", "|".join(genres), "|".join(known)


class Remembering:
    """An encoder that encodes no text twice."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(self, texts: Sequence[str]) -> Any:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= zip(new, self._encoder.encode(new), strict=True)
        return np.array([self._known[text] for text in texts])


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _write(path: Path, columns: tuple[str, ...], rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def _mean(values: Iterable[float | None]) -> float:
    return float(np.mean([0.0 if value is None else value for value in values]))


def summarise(reports: list[RecommendReport]) -> list[dict[str, Any]]:
    """Means over the seeds, by model."""
    rows = []
    for number, first in enumerate(reports[0].models):
        same = [report.models[number] for report in reports]
        rows.append(
            {
                "model": first.model,
                "ndcg_at_10": _mean(one.ndcg_at_10 for one in same),
                "recall_at_10": _mean(one.recall_at_10 for one in same),
                "cold_recall_at_10": _mean(one.cold_recall_at_10 for one in same),
                "cold_user_ndcg_at_10": _mean(one.cold_user_ndcg_at_10 for one in same),
                "cold_user_recall_at_10": _mean(one.cold_user_recall_at_10 for one in same),
                "ahead_low": first.ours_ahead_low,
                "ahead_high": first.ours_ahead_high,
            }
        )
    return rows


def missed(name: str, rows: list[dict[str, Any]], by_chance: float) -> list[str]:
    """What was wanted and not reached."""
    ours, sources = rows[-1], sorted(rows[:-1], key=lambda row: -row["ndcg_at_10"])
    found = [
        f"{name}: ours is not ahead of {row['model']} in {figure}"
        for row in sources
        for figure in ("ndcg_at_10", "recall_at_10")
        if ours[figure] <= row[figure]
    ]
    found += [f"{name}: ours is not surely ahead of {row['model']}" for row in sources[1:] if row["ahead_low"] <= 0]
    if ours["cold_recall_at_10"] < TIMES_RANDOM * by_chance:
        found.append(f"{name}: cold items {ours['cold_recall_at_10']:.4f}, wanted {TIMES_RANDOM} times {by_chance:.4f}")
    popularity = next(row for row in rows if row["model"] == "popularity")
    found += [
        f"{name}: cold users {ours[figure]:.4f} in {figure}, wanted {TIMES_POPULARITY} times {popularity[figure]:.4f}"
        for figure in ("cold_user_ndcg_at_10", "cold_user_recall_at_10")
        if ours[figure] < TIMES_POPULARITY * popularity[figure]
    ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cold-share", type=float, default=0.2)
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=list(SETS))
    parser.add_argument("--json", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    folder = os.environ.get("REJOINDER_DATA")
    if not folder or not all(Path(folder, name).is_dir() for name in ("ml_latest_small", "amazon_small_5core")):
        print("REJOINDER_DATA does not name a folder with ml_latest_small/ and amazon_small_5core/: nothing measured")
        return
    encoder = Remembering(load_encoder())
    results: dict[str, Any] = {}
    problems: list[str] = []
    for name in arguments.sets:
        with TemporaryDirectory() as made:
            ratings, items = SETS[name](Path(folder))
            files = (
                _write(Path(made, "ratings.csv"), RATINGS, ratings),
                _write(Path(made, "items.csv"), (*ITEMS, *ATTRIBUTES[name]), items),
            )
            reports = [
                evaluate_recommend(*files, encoder=encoder, seed=seed, cold_share=arguments.cold_share)
                for seed in range(arguments.seeds)
            ]
        rows = summarise(reports)
        by_chance = _mean(report.random_cold_recall_at_10 for report in reports)
        results[name] = {
            "models": rows,
            "random_cold_recall_at_10": by_chance,
            "seconds": [one.seconds for one in reports],
        }
        problems += missed(name, rows, by_chance)
        print(f"\n{name}: {reports[0].tested} users, {reports[0].items} items; random cold recall {by_chance:.4f}")
        for row in rows:
            ahead = "" if row["ahead_low"] is None else f"  ahead {row['ahead_low']:+.4f} to {row['ahead_high']:+.4f}"
            figures = "  ".join(f"{row[figure]:.4f}" for figure in FIGURES)
            print(f"{row['model']:<14}{figures}{ahead}")
    for problem in problems:
        print(problem)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({"sets": results, "missed": problems}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
