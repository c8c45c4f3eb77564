"""Make what the domain ships: films, generated behaviour, and the weights of the conversation's ranker.

    REJOINDER_DATA=<folder of data sets> python domains/recommendation/tools/build_data.py [--films 600] [--seed 0] [--weights]

Films are those that ReDial's dialogues name most often. Behaviour is generated: no person did any of it. Each of 60 made-up users has two
genres, drawn by the seed, and turns to 12 of the 300 films named most often, eight of ten of them of these genres. With `--weights`, the
ranker is learned on all dialogues over all films of the table (some minutes).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rejoinder_recommendation
from rejoinder.cli.runtime import load_encoder
from rejoinder.items.catalogue import CatalogueItem
from rejoinder_recommendation.conversation.dialogues import Dialogue, as_typed, read_dialogues
from rejoinder_recommendation.conversation.evaluate_dialogues import (
    MODELS,
    cases_of,
    index_of,
    titles_shown,
    with_unknown,
)
from rejoinder_recommendation.conversation.ranker import fit_ranker
from rejoinder_recommendation.conversation.spoken_items import read_spoken_items
from rejoinder_recommendation.item_facts import facts_of, split_year

DATA = Path(rejoinder_recommendation.__file__).parent / "data"
STARS = 4
TYPED = 0.25
USERS, EACH, POPULAR = 60, 12, 300
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Read, learn, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", action="store_true")
    chosen = parser.parse_args()
    folder = Path(os.environ["REJOINDER_DATA"]) / "redial"
    films = read_spoken_items(folder / "movies_id2info.json.gz")
    dialogues, titles = read_dialogues(folder / "valid_data_901.jsonl.gz")
    rows = film_rows(films, dialogues, chosen.films)
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"
    (DATA / "movies.jsonl.gz").write_bytes(gzip.compress(content.encode(), mtime=0))
    events = behaviour(rows[:POPULAR], chosen.seed)
    lines = "\n".join(json.dumps(event) for event in events) + "\n"
    (DATA / "generated_behaviour.jsonl").write_text(lines, encoding="utf-8")
    if chosen.weights:
        weights = learned_weights(films, dialogues, titles, chosen.seed)
        (DATA / "conversation_weights.json").write_text(json.dumps(weights, indent=2) + "\n", encoding="utf-8")


def film_rows(films: list[CatalogueItem], dialogues: list[Dialogue], most: int) -> list[dict[str, Any]]:
    """Return the films that are named most often, as `rejoinder items load` takes them."""
    counts = Counter(id_ for one in dialogues for id_ in {id_ for line in one.lines for id_ in line.items})
    dated = {split_year(film.title)[0] for film in films if split_year(film.title)[1] is not None}
    rows = []
    for film in sorted(films, key=lambda film: (-counts[film.id], film.id)):
        facts, relations = facts_of(film), dict(facts_of(film).relations)
        if facts.year is None and film.title in dated:  # ReDial has it twice
            continue
        if film.text and facts.tags and counts[film.id] and len(rows) < most:
            people = {"director": relations.get("director", ()), "star": relations.get("star", ())[:STARS]}
            data = {name: list(names) for name, names in people.items() if names}
            more = {"year": facts.year, "mentions": counts[film.id]}
            data |= {name: value for name, value in more.items() if value is not None}
            rows.append({"id": film.id, "title": film.title, "text": film.text, "tags": list(facts.tags), "data": data})
    return rows


def behaviour(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Return events of made-up users with films."""
    chance = random.Random(seed)  # noqa: S311  # made-up data, no secret
    genres = sorted({tag for row in rows for tag in row["tags"]})
    events = []
    for user in range(USERS):
        liked = set(chance.sample(genres, 2))
        theirs = [row["id"] for row in rows if liked & set(row["tags"])]
        every = [row["id"] for row in rows]
        for number in range(EACH):
            kind, item = (
                chance.choice(["view", "click", "like"]),
                chance.choice(theirs if chance.random() < 0.8 else every),
            )
            at = (FIRST + timedelta(hours=user * EACH + number)).isoformat()
            whose = {"user_id": f"generated-{user}", "item_id": item}
            events.append({"id": f"generated-{user}-{number}", "source": "generated", "kind": kind, "at": at, **whose})
    return events


def learned_weights(
    films: list[CatalogueItem], dialogues: list[Dialogue], titles: dict[str, str], seed: int
) -> dict[str, float]:
    """Return the ranker's weights by feature."""
    encoder = load_encoder()
    index = index_of(with_unknown(films, titles), encoder)
    shown = titles_shown(index.catalogue.items, titles)
    chance = np.random.default_rng(seed)
    typed = [as_typed(one, shown, share=TYPED, random=chance) for one in dialogues]
    cases, named = cases_of(typed, index, encoder)
    weights = fit_ranker(index, cases, named, MODELS["served"], seed=seed).weights
    return {name: round(value, 4) for name, value in weights.items()}


if __name__ == "__main__":
    main()
