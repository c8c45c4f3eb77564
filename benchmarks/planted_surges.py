"""Surges planted in real streams: how many are found, how soon, and how many false alarms there are.

    REJOINDER_DATA=<folder of data sets> python benchmarks/planted_surges.py [--surges 200] [--seed 0] [--json OUT]

stocknet: tweets by company, counts in the shortest of 1, 2, 4 and 7 days with 5 tweets on average; companies with fewer are left out.
djia_reddit_news: headlines by word (those that many days have), shares of all headlines, in the shortest of the same with 5 on average.

Planted are numbers of documents, since the detector sees no text; texts that stand in a bucket twice are counted once.

Wanted at three times the usual: recall at least 0.9, median delay at most 2 buckets, at most one false alarm in 30 days and series.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rejoinder_finance_sentiment.surge.counts import CountSettings
from rejoinder_finance_sentiment.surge.planted import CountedStream, find_planted

DAY_S = 86_400
BUCKET_DAYS = (1, 2, 4, 7)
LEAST = 5.0
WORDS = 40
STOP = 4
"""Words of fewer letters are no topics."""


def stocknet(folder: Path) -> dict[str, list[tuple[float, str]]]:
    """Return moment and text of each tweet, by company."""
    found = {}
    for path in sorted((folder / "stocknet" / "tweets").glob("*.tsv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file][1:]
        found[path.name.partition(".")[0]] = [
            (datetime.strptime(row[1], "%a %b %d %H:%M:%S %z %Y").timestamp(), row[2]) for row in rows if len(row) > 2
        ]
    return found


def reddit(folder: Path) -> list[tuple[float, str]]:
    """Return day and text of each headline."""
    with gzip.open(folder / "djia_reddit_news" / "RedditNews.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [(datetime.fromisoformat(row["Date"]).replace(tzinfo=UTC).timestamp(), row["News"]) for row in rows]


def counted(rows: Iterable[tuple[float, str]], days: int, first: int, end: int) -> np.ndarray:
    """Return how many different texts there are in each bucket."""
    texts: defaultdict[int, set[str]] = defaultdict(set)
    for at, text in rows:
        texts[int(at // (days * DAY_S)) - first].add(re.sub(r"\W+", " ", text.casefold()))
    return np.array([len(texts[number]) for number in range(end - first)], dtype=np.int64)


def streams_of(
    series: Mapping[str, list[tuple[float, str]]], everything: list[tuple[float, str]] | None
) -> list[CountedStream]:
    """Return the series that have enough documents, each in its shortest buckets."""
    found = []
    for name, rows in series.items():
        for days in BUCKET_DAYS:
            span = everything or rows
            first = int(min(at for at, _ in span) // (days * DAY_S))
            end = int(max(at for at, _ in span) // (days * DAY_S))  # the last bucket may not be whole
            if end - first < 60:
                break
            counts = counted([row for row in rows if row[0] < end * days * DAY_S], days, first, end)
            if counts.mean() < LEAST:
                continue
            totals = None if everything is None else counted(everything, days, first, end)
            found.append(CountedStream(name=name, bucket_s=days * DAY_S, first=first, counts=counts, totals=totals))
            break
    return found


def topics(rows: list[tuple[float, str]]) -> dict[str, list[tuple[float, str]]]:
    """Return the headlines with each of the most frequent words that are no function words."""
    words = [set(re.findall(r"[A-Z][a-z]+", text)) for _, text in rows]
    counts = Counter(word for some in words for word in some if len(word) >= STOP)
    lower = Counter(word for _, text in rows for word in set(re.findall(r"\b[a-z]+\b", text)))
    names = [word for word, count in counts.most_common() if lower[word.lower()] < count / 20][:WORDS]
    return {name: [row for row, some in zip(rows, words, strict=True) if name in some] for name in names}


def main() -> int:
    """Print a table for each data set; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surges", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if "REJOINDER_DATA" not in os.environ:
        print("skipped: set REJOINDER_DATA to the folder of data sets")
        return 0
    folder = Path(os.environ["REJOINDER_DATA"])
    headlines = reddit(folder)
    sets = {
        "stocknet, counts": streams_of(stocknet(folder), None),
        "djia_reddit_news, shares": streams_of(topics(headlines), headlines),
    }
    report = {}
    for name, streams in sets.items():
        found = find_planted(streams, CountSettings(), surges=chosen.surges, seed=chosen.seed)
        report[name] = {**asdict(found), "streams": len(streams)}
        print(
            f"\n{name}: {len(streams)} series, {chosen.surges} surges, {found.false_alarms:.2f} false alarms in 30 days and series"
        )
        print(
            f"(in one day and series: {found.false_alarms / 30:.4f}; most in 30 days of one series: {max(found.series.values()):.2f})"
        )
        print("size  recall  median delay")
        for size, recall in found.recall.items():
            print(f"{size:4.1f}  {recall:6.3f}  {found.median_delay[size]}")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps({"seed": chosen.seed, "surges": chosen.surges, **report}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
