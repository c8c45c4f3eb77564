"""Lists that a trained version serves beside those of the untrained parts, on what held-back people of ml-latest-small turned to last.

    REJOINDER_DATA=<folder of data sets> python benchmarks/served_recommendations.py [--users 0] [--seed 0] [--json OUT]

A tenant gets the films (title, genres as tags) and each rating as a click, through a store. A worker's run trains task `recommend` on all
people but one in three, and the gate judges it beside the untrained parts: of each person who is held back, where the film that they
turned to last stands in the list of ten that would have been made a moment before (NDCG@10), and whether the difference is chance (paired
bootstrap). `--users N`: only N people, drawn by the seed, and the films that they rated.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import hashlib
import json
import os
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rejoinder.application import Application
from rejoinder.documents.encoding import PassageEncoder
from rejoinder.host import Host, Plugins
from rejoinder.items.loading import ItemLoading
from rejoinder.learning.adaptation import run_adaptation
from rejoinder.payloads import Event
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.store.events import NewEvent, add_events
from rejoinder.store.models import list_evaluations, list_versions
from rejoinder.store.runs import create_run
from rejoinder.store.trials import list_model_decisions
from rejoinder_recommendation import RecommendationPlugin

AT_ONCE = 5000


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    films, events = read(Path(os.environ["REJOINDER_DATA"]) / "ml_latest_small", chosen.users, chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), films, events, chosen.seed))
    for name, value in found.items():
        print(f"{name:>20} {value}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2))


def read(folder: Path, users: int, seed: int) -> tuple[list[dict[str, Any]], list[Event]]:
    """Return films as they are sent, and ratings as clicks."""
    with gzip.open(folder / "ratings.csv.gz", "rt", encoding="utf-8") as file:
        ratings = list(csv.DictReader(file))
    if users:
        everybody = sorted({row["userId"] for row in ratings}, key=int)
        drawn = set(random.Random(seed).sample(everybody, users))
        ratings = [row for row in ratings if row["userId"] in drawn]
    rated = {row["movieId"] for row in ratings}
    with gzip.open(folder / "movies.csv.gz", "rt", encoding="utf-8") as file:
        films = [
            {"id": row["movieId"], "title": row["title"], "tags": row["genres"].split("|")}
            for row in csv.DictReader(file)
            if not users or row["movieId"] in rated
        ]
    events = [
        Event(
            id=f"{row['userId']}-{row['movieId']}",
            kind="click",
            at=datetime.fromtimestamp(int(row["timestamp"]), UTC),
            user_id=row["userId"],
            item_id=row["movieId"],
        )
        for row in ratings
    ]
    return films, events


async def measure(folder: Path, films: list[dict[str, Any]], events: list[Event], seed: int) -> dict[str, Any]:
    """Return the gate's figures."""
    registry = Plugins()
    registry.register(RecommendationPlugin(), "recommendation", "this benchmark")
    settings = DeploymentSettings(
        data_dir=folder,
        learning={"hold_back_every": 3, "seed": seed},
        gate={"canary_share": 0.0},
    )
    with patch("rejoinder.application.load_host", lambda _: Host(registry)):
        async with Application.open(LoadedSettings(settings, tenants_dir=folder / "tenants")) as application:
            await application.tenants.create("films")
            await application.tenants.set_setting("films", ("events", "bot_events_per_minute"), 100_000)
            database = application.database
            encoder = await PassageEncoder.of_service(application.encoder, "films")
            await ItemLoading(database, "films", encoder).take(list(enumerate(films)))
            for start in range(0, len(events), AT_ONCE):
                some = events[start : start + AT_ONCE]
                new = [NewEvent(event=one, sha256=hashlib.sha256(one.id.encode()).hexdigest()) for one in some]
                await add_events(database, "films", new)
            started = time.perf_counter()
            run = await create_run(database, "films", task="recommend", reason="benchmark")
            await run_adaptation(application, tenant="films", run_id=run.id, owner="benchmark")
            seconds = time.perf_counter() - started
            trained = (await list_versions(database, "films", task="recommend"))[0]
            (judged, *_) = await list_evaluations(database, "films", trained.id)
            decided = await list_model_decisions(database, "films")
    verdict = judged.verdict or {}
    return {
        "people_trained_on": int(trained.metrics["people"]),
        "people_held_back": int(judged.metrics["people"]),
        "ndcg_at_10_trained": judged.metrics["ndcg_at_10"],
        "train_s": trained.metrics["train_seconds"],
        "run_s": seconds,
        "decision": decided[0].action,
        "reason": decided[0].reason,
        "checks": verdict.get("checks"),
    }


if __name__ == "__main__":
    main()
