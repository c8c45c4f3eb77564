"""Lists that change with every click against a ranker that stands still, on replayed sessions of ml-latest-small.

    REJOINDER_DATA=<folder of data sets> python benchmarks/session_learning.py [--seeds 3] [--users 100] [--json OUT]

A fifth of the users (drawn by the seed, with 30 or more films) are strangers: nothing they did is in the behaviour that the shelf knows. A
stranger's first film is known; all later ones are what they would turn to. At each of 20 interactions a list of 10 is shown; films of the
stranger's in it are the reward (their number), and the first of them is clicked. Three rankers see the same strangers:

- `static`: the list that the shelf gives for the first film, the same weights throughout; what was clicked is not shown again.
- `static, on and on`: likewise, and nothing that was shown is shown again.
- `session`: `make_list` as it serves, with what was clicked and shown so far, chance included.

Wanted: after 20 interactions `session` has at least 1.3 times the reward of `static`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rejoinder.cli.runtime import load_encoder
from rejoinder.items.catalogue import BehaviourLog, Catalogue, CatalogueItem
from rejoinder.payloads import Decision, Event
from rejoinder_recommendation.lists.person import person_from
from rejoinder_recommendation.lists.ranking import make_list
from rejoinder_recommendation.lists.shelf import Shelf
from rejoinder_recommendation.settings import RecommendationSettings

WANTED = 1.3
INTERACTIONS = 20
LEAST_FILMS = 30
RANKERS = ("static", "static, on and on", "session")
START = datetime(2020, 1, 1, tzinfo=UTC)
STILL = RecommendationSettings(explore=False)


def strength(kind: str, data: Any) -> float:
    """Every event speaks for its film."""
    return 1.0


def load(folder: Path) -> tuple[Catalogue, list[tuple[float, str, str]]]:
    """Films with vectors, and (seconds, user, film) in the order of time."""
    with gzip.open(folder / "movies.csv.gz", "rt", encoding="utf-8") as file:
        films = [(row["movieId"], row["title"], row["genres"].replace("|", ", ")) for row in csv.DictReader(file)]
    vectors = load_encoder().encode([f"{title}. {genres}" for _, title, genres in films])
    with gzip.open(folder / "ratings.csv.gz", "rt", encoding="utf-8") as file:
        ratings = sorted(
            (float(row["timestamp"]), row["userId"], row["movieId"], number)
            for number, row in enumerate(csv.DictReader(file))
        )
    items = [CatalogueItem(film, title, genres, {}, available=True) for film, title, genres in films]
    return Catalogue(items, vectors), [(second, user, film) for second, user, film, _ in ratings]


def behaviour(ratings: list[tuple[float, str, str]]) -> BehaviourLog:
    """What the shelf may learn from."""
    people = {user: number for number, user in enumerate(dict.fromkeys(user for _, user, _ in ratings))}
    return BehaviourLog(
        np.array([people[user] for _, user, _ in ratings]),
        tuple(film for *_, film in ratings),
        ("click",) * len(ratings),
        (None,) * len(ratings),
        np.array([second for second, *_ in ratings]),
    )


def replay(shelf: Shelf, films: list[str], ranker: str, noise: np.random.Generator) -> list[int]:
    """Return the reward of each interaction."""
    click = Event(id="0", kind="click", at=START, user_id="u", item_id=films[0])
    wanted, events, lists, rewards = set(films[1:]), [click], list[Decision](), []
    allowed = np.ones(len(shelf), dtype=bool)
    for number in range(INTERACTIONS):
        now = START + timedelta(minutes=number + 1)
        serves = ranker == "session"
        person = person_from(shelf, events if serves else events[:1], lists if serves else [], strength)
        listed = make_list(
            shelf,
            person,
            allowed,
            RecommendationSettings() if serves else STILL,
            limit=10,
            now=now.timestamp(),
            explore=serves,
            noise=noise,
        )
        shown = tuple(shelf.catalogue.items[one.place].id for one in listed)
        hits = [film for film in shown if film in wanted]
        rewards.append(len(hits))
        lists.append(Decision(id=str(number), kind="list", task="recommendation", at=now, chosen=shown))
        if ranker == "static, on and on":
            allowed[[one.place for one in listed]] = False
        if hits:
            wanted.discard(hits[0])
            allowed[shelf.catalogue.place[hits[0]]] = False
            events.append(replace(click, id=str(number + 1), at=now + timedelta(seconds=10), item_id=hits[0]))
    return rewards


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=100, help="most strangers a seed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if "REJOINDER_DATA" not in os.environ:
        raise SystemExit("skipped: REJOINDER_DATA names no folder of data sets")
    catalogue, ratings = load(Path(os.environ["REJOINDER_DATA"]) / "ml_latest_small")
    of_user: dict[str, list[str]] = {}
    for _, user, film in ratings:
        of_user.setdefault(user, []).append(film)
    found: dict[str, list[list[int]]] = {ranker: [] for ranker in RANKERS}
    for seed in range(options.seeds):
        noise = np.random.default_rng(seed)
        users = sorted(of_user)
        strangers = set(noise.permutation(users)[: len(users) // 5].tolist())
        shelf = Shelf(catalogue, behaviour([one for one in ratings if one[1] not in strangers]), strength)
        asked = [user for user in sorted(strangers) if len(of_user[user]) >= LEAST_FILMS][: options.users]
        for ranker in RANKERS:
            found[ranker] += [replay(shelf, of_user[user], ranker, noise) for user in asked]
    static = np.array(found["static"]).sum(axis=1).mean()
    rows = []
    for ranker in RANKERS:
        rewards = np.array(found[ranker])
        total = float(rewards.sum(axis=1).mean())
        rows.append(
            {
                "ranker": ranker,
                "reward": round(total, 3),
                "last_5": round(float(rewards[:, -5:].sum(axis=1).mean()), 3),
                "times_static": round(total / static, 3),
            }
        )
    print(f"{'ranker':<20}{'reward':>10}{'last 5':>10}{'x static':>10}")
    for row in rows:
        print(f"{row['ranker']:<20}{row['reward']:>10}{row['last_5']:>10}{row['times_static']:>10}")
    ok = rows[-1]["times_static"] >= WANTED
    print(f"{len(found['static'])} sessions; wanted {WANTED}: {'reached' if ok else 'NOT reached'}")
    if options.json is not None:
        options.json.write_text(
            json.dumps({"sessions": len(found["static"]), "rankers": rows, "reached": ok}, indent=1)
        )


if __name__ == "__main__":
    main()
