"""Time of a list of 10 from a large catalogue, in one thread: candidates, chance, diversity, reasons left out.

    python benchmarks/list_speed.py [--items 100000] [--lists 200] [--trained [--folder FOLDER]] [--json OUT]

Items are drawn: vectors of 384 numbers around 200 centres, and 200,000 events of 5,000 people, who keep to a few centres. Each list is for
somebody with five clicks and three lists before. Wanted: a median of at most 25 ms.

With `--trained`, a trained recommender serves as well. Its sources are fitted on these events, each with the first of its settings, and its
weights are all 1, since neither settings nor weights change what a list costs. That takes minutes; `--folder` keeps it for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rejoinder.items.attributes import attributes_of
from rejoinder.items.catalogue import BehaviourLog, Catalogue, CatalogueItem
from rejoinder.payloads import Decision, Event
from rejoinder_recommendation.candidates import SETTINGS, fit_sources
from rejoinder_recommendation.conditional_logit import ConditionalLogit
from rejoinder_recommendation.features import CONTENT_COLUMNS, FEATURES, gather
from rejoinder_recommendation.item_content import ItemContent, attribute_graph
from rejoinder_recommendation.lists.person import person_from
from rejoinder_recommendation.lists.ranking import make_list
from rejoinder_recommendation.lists.shelf import Shelf, liked_items
from rejoinder_recommendation.lists.trained_part import TrainedOnShelf
from rejoinder_recommendation.lists.wish import Wish, allowed_items
from rejoinder_recommendation.recommender import Recommender
from rejoinder_recommendation.settings import RecommendationSettings
from rejoinder_recommendation.trained import TrainedRecommender

WANTED_MS = 25.0
CENTRES, DIM, PEOPLE, EACH = 200, 384, 5000, 40
START = datetime(2026, 1, 1, tzinfo=UTC)


def resident_mb() -> float:
    """Return what of this process is in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def trained_on(shelf: Shelf, log: BehaviourLog, folder: Path | None) -> TrainedOnShelf:
    """Return a recommender of the drawn events, read from the folder where one is there."""
    if folder is not None and folder.exists():
        return TrainedOnShelf(TrainedRecommender.load(folder), shelf)
    catalogue = shelf.catalogue
    events = liked_items(catalogue, log, lambda kind, data: 1.0)
    tags = attribute_graph([attributes_of(item.data) for item in catalogue.items], catalogue.place)
    content = ItemContent(catalogue.vectors.astype(np.float64), *tags)
    settings = {name: some[0] for name, some in SETTINGS.items()}
    evidence = gather(events, content, fit_sources(events, content, settings, seed=0))
    rankers = [ConditionalLogit(np.ones(size), 1.0) for size in ((1, len(CONTENT_COLUMNS)), (2, len(FEATURES)))]
    ids = tuple(item.id for item in catalogue.items)
    made = TrainedRecommender(Recommender(evidence, settings, *rankers), ids, "drawn", 0, "drawn")
    if folder is not None:
        made.save(folder)
    return TrainedOnShelf(made, shelf)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--lists", type=int, default=200)
    parser.add_argument("--trained", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    noise = np.random.default_rng(0)
    centre = noise.integers(CENTRES, size=options.items)
    vectors = noise.normal(size=(CENTRES, DIM))[centre] + noise.normal(size=(options.items, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    items = [
        CatalogueItem(
            str(number), f"Item {number}", "", {"price": 1.0, "tags": [f"tag {centre[number]}"]}, available=True
        )
        for number in range(options.items)
    ]
    of_centre = [np.flatnonzero(centre == one) for one in range(CENTRES)]
    deeds = np.concatenate([noise.choice(of_centre[noise.integers(CENTRES)], EACH) for _ in range(PEOPLE)])
    log = BehaviourLog(
        np.repeat(np.arange(PEOPLE), EACH),
        tuple(str(item) for item in deeds),
        ("click",) * len(deeds),
        (None,) * len(deeds),
        np.arange(len(deeds), dtype=np.float64),
    )
    catalogue_mb = resident_mb()
    started = time.perf_counter()
    shelf = Shelf(Catalogue(items, vectors), log, lambda kind, data: 1.0)
    made_s = time.perf_counter() - started
    grown_mb = resident_mb() - catalogue_mb
    trained = trained_on(shelf, log, options.folder) if options.trained else None
    rules, times = RecommendationSettings(), []
    for _ in range(options.lists):
        mine = [str(one) for one in noise.choice(of_centre[noise.integers(CENTRES)], 30)]
        lists = [
            Decision(
                id=str(n),
                kind="list",
                task="recommendation",
                at=START + timedelta(hours=n),
                chosen=tuple(mine[n * 10 :][:10]),
            )
            for n in range(3)
        ]
        events = [
            Event(id=str(n), kind="click", at=START + timedelta(hours=n, minutes=1), item_id=mine[n * 10 % 30 + n // 3])
            for n in range(5)
        ]
        started = time.perf_counter()
        person = person_from(shelf, events, lists, lambda kind, data: 1.0)
        allowed = allowed_items(shelf, Wish(), rules)
        said = None if trained is None else trained.says(person, allowed)
        made = make_list(shelf, person, allowed, rules, limit=10, now=0.0, trained=said, explore=True, noise=noise)
        times.append((time.perf_counter() - started) * 1000)
        if len(made) != 10:
            raise SystemExit("a list is too short")
    p50, p95 = np.percentile(times, [50, 95])
    ok = bool(p50 <= WANTED_MS)
    kind = f"{options.items} items{', trained' if trained else ''}"
    print(f"{kind}: shelf made in {made_s:.1f} s; a list of 10: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    print(
        f"memory: {grown_mb:.0f} MB for the shelf beside {catalogue_mb:.0f} MB of the items, their vectors and events"
    )
    print(f"wanted p50 {WANTED_MS} ms: {'reached' if ok else 'NOT reached'}")
    if options.json is not None:
        report = {
            "items": options.items,
            "trained": options.trained,
            "shelf_s": made_s,
            "shelf_mb": grown_mb,
            "p50_ms": p50,
            "p95_ms": p95,
            "reached": ok,
        }
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
