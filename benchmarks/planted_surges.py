"""Surges of real texts planted in real streams: how many are found, how soon, and how many false alarms there are.

    REJOINDER_DATA=<folder of data sets> python benchmarks/planted_surges.py [--surges 200] [--seed 0] [--json OUT] [--curve PNG]

stocknet: tweets by company; counts of those that name it. djia_reddit_news: headlines by topic (words, as a tenant declares them), shares
of all headlines, since there are 25 a day by the way they were collected. Each series in the shortest bucket of a day, two days or a week
with 5 documents on average; series with fewer are left out. All else is as a tenant has it that sets nothing.

Near-duplicates are folded first, in the stream and among what is planted: see `rejoinder_finance_sentiment.surge.planted`.

Wanted at three times the usual: recall at least 0.9, median delay at most 2 buckets, at most one false alarm in 30 days and series.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from rejoinder_finance_sentiment.reading.topics import TopicWords
from rejoinder_finance_sentiment.settings import TopicSettings
from rejoinder_finance_sentiment.surge.planted import (
    Document,
    PlantedFigures,
    SeriesOfTexts,
    TextStream,
    find_planted,
)
from rejoinder_finance_sentiment.surge.settings import SurgeSettings

DAY_MINUTES: Final = 1440
BUCKETS_MINUTES: Final = (DAY_MINUTES, 2 * DAY_MINUTES, 7 * DAY_MINUTES)
LEAST: Final = 5.0
FEWEST_BUCKETS: Final = 60

Measure = Literal["count", "share"]
Read = Callable[[Path], tuple[list[Document], dict[str, list[int]]]]

TOPICS: Final = {
    "middle east": "Israel*, Gaza, Palestin*, Hamas, Hezbollah, West Bank",
    "iran": "Iran*, Tehran, Ahmadinejad, Khamenei",
    "iraq and syria": "Iraq*, Syria*, Baghdad, Damascus, Assad, ISIS, Islamic State",
    "afghanistan and pakistan": "Afghan*, Pakistan*, Taliban, Kabul",
    "russia and ukraine": "Russia*, Ukrain*, Putin, Kremlin, Moscow, Crimea*",
    "china": "China, Chinese, Beijing, Hong Kong, Tibet*",
    "korea and japan": "Korea*, Japan*, Pyongyang, Seoul, Tokyo",
    "europe": "EU, European, Euro, eurozone, Germany, German, France, French, Greece, Greek",
    "britain": "UK, Britain, British, London, Scotland",
    "money": "bank*, economy, economic, financial, billion, debt, tax*, IMF",
    "crime and law": "court*, police, arrest*, prison*, trial, jail*, sentenced",
    "terror": "terror*, bomb*, suicide, al-Qaeda, attack*, killed",
    "surveillance": "NSA, Snowden, surveillance, WikiLeaks, Assange, spy*, spying",
    "religion": "church*, pope, Catholic*, Muslim*, Islam*, Vatican",
    "nature": "climate, whale*, oil, energy, environment*, Arctic, nuclear, species",
}


def stocknet(folder: Path) -> tuple[list[Document], dict[str, list[int]]]:
    """Return all tweets in the order of their dates, and which are of each company."""
    found = []
    for path in sorted((folder / "stocknet" / "tweets").glob("*.tsv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file][1:]
        name = path.name.partition(".")[0]
        found += [
            (Document(datetime.strptime(row[1], "%a %b %d %H:%M:%S %z %Y").timestamp(), row[2]), name)
            for row in rows
            if len(row) > 2
        ]
    companies_of: dict[Document, list[str]] = {}
    for document, name in sorted(found):
        companies_of.setdefault(document, []).append(name)
    rows_of: dict[str, list[int]] = {}
    for row, names in enumerate(companies_of.values()):
        for name in names:
            rows_of.setdefault(name, []).append(row)
    return list(companies_of), rows_of


def reddit(folder: Path) -> tuple[list[Document], dict[str, list[int]]]:
    """Return all headlines in the order of their dates, and which are of each topic."""
    with gzip.open(folder / "djia_reddit_news" / "RedditNews.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    documents = sorted(
        Document(datetime.fromisoformat(row["Date"]).replace(tzinfo=UTC).timestamp(), row["News"]) for row in rows
    )
    words = TopicWords({name: TopicSettings(words=tuple(own.split(", "))) for name, own in TOPICS.items()})
    rows_of: dict[str, list[int]] = {}
    for row, document in enumerate(documents):
        for name in words.found(document.text):
            rows_of.setdefault(name, []).append(row)
    return documents, rows_of


def stream_of(documents: Sequence[Document], rows_of: Mapping[str, Sequence[int]], measure: Measure) -> TextStream:
    """Fold near-duplicates and return the stream with the series that have enough documents, each in its shortest buckets."""
    stream, kept = TextStream.of(documents)
    place_of = {place: row for row, place in enumerate(kept)}
    series = []
    for name, places in sorted(rows_of.items()):
        rows = tuple(place_of[place] for place in places if place in place_of)
        span_s = stream.documents[-1].at - stream.documents[0].at
        for minutes in BUCKETS_MINUTES:
            buckets = span_s / (60 * minutes)
            if buckets >= FEWEST_BUCKETS and len(rows) / buckets >= LEAST:
                settings = SurgeSettings(bucket_minutes=minutes, measure=measure)
                series.append(SeriesOfTexts(name=name, rows=rows, settings=settings))
                break
    return replace(stream, series=series)


def table(name: str, stream: TextStream, found: PlantedFigures, all_documents: int) -> str:
    """Return what was found as text."""
    busiest = max(found.series, key=lambda one: found.series[one])
    lines = [
        f"\n{name}: {len(stream.series)} series, {len(stream.documents)} of {all_documents} documents, the others near-duplicates",
        f"false alarms, nothing planted: {found.false_alarms:.2f} in 30 days and series ({found.false_alarms / 30:.4f} a day); "
        f"most of one series {found.series[busiest]:.2f} ({busiest})",
        f"planted: {found.documents} documents, {found.folded} of them folded",
        "size  recall  median delay  false alarms a day after it",
    ]
    for size, recall in found.recall.items():
        delay = found.median_delay[size]
        lines.append(
            f"{size:4.1f}  {recall:6.3f}  {'-' if delay is None else f'{delay:.1f}':>12}  {found.false_after[size]:8.4f}"
        )
    return "\n".join(lines)


def draw(report: Mapping[str, PlantedFigures], path: Path) -> None:
    """Draw recall, delay and false alarms by size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    recall, delay, false = figure.subplots(1, 3)
    for name, found in report.items():
        recall.plot(list(found.recall), list(found.recall.values()), marker="o", label=name)
        known = {size: one for size, one in found.median_delay.items() if one is not None}
        delay.plot(list(known), list(known.values()), marker="o", label=name)
        false.plot(list(found.false_after), list(found.false_after.values()), marker="o", label=name)
    recall.axhline(0.9, linestyle=":", color="gray")
    for axes, title in (
        (recall, "recall"),
        (delay, "median delay, buckets"),
        (false, "false alarms a day, 30 buckets after"),
    ):
        axes.set_xlabel("size, times the usual")
        axes.set_title(title)
        axes.set_ylim(bottom=0)
    recall.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Print a table for each data set; write JSON and a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surges", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--curve", type=Path, help="draw the curves into this PNG")
    chosen = parser.parse_args()
    if "REJOINDER_DATA" not in os.environ:
        print("skipped: set REJOINDER_DATA to the folder of data sets")
        return 0
    folder = Path(os.environ["REJOINDER_DATA"])
    report = {}
    sets: Sequence[tuple[str, Read, Measure]] = (
        ("stocknet", stocknet, "count"),
        ("djia_reddit_news", reddit, "share"),
    )
    for name, read, measure in sets:
        documents, rows_of = read(folder)
        stream = stream_of(documents, rows_of, measure)
        found = report[f"{name}, {measure}s"] = find_planted(stream, surges=chosen.surges, seed=chosen.seed)
        print(table(f"{name}, {measure}s", stream, found, len(documents)), flush=True)
    if chosen.json is not None:
        told = {name: asdict(found) for name, found in report.items()}
        chosen.json.write_text(json.dumps({"seed": chosen.seed, "surges": chosen.surges, **told}, indent=1))
    if chosen.curve is not None:
        draw(report, chosen.curve)
    return 0


if __name__ == "__main__":
    sys.exit(main())
