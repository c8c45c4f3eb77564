"""Make the shipped films and the shipped weights from ReDial.

    REJOINDER_DATA=<folder of data sets> python domains/recommendation/tools/build_movies.py [--films 600] [--seed 0]

Writes `data/movies.jsonl.gz`: the films that the dialogues name most often, with what ReDial's table of films says of them; and
`data/conversation_weights.json`: the weights of the ranker, learned on all dialogues over all films of the table.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import rejoinder_recommendation
from rejoinder.cli.runtime import load_encoder
from rejoinder_recommendation.conversation.catalogue import Catalogue, read_catalogue
from rejoinder_recommendation.conversation.dialogues import as_typed, read_dialogues
from rejoinder_recommendation.conversation.evaluate_dialogues import cases_of, encode_all, titles_shown, with_unknown
from rejoinder_recommendation.conversation.ranker import fit_ranker

DATA = Path(rejoinder_recommendation.__file__).parent / "data"
CHARACTERS = 600
STARS = 4
TYPED = 0.25


def main() -> None:
    """Read, learn, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    folder = Path(os.environ["REJOINDER_DATA"]) / "redial"
    films = read_catalogue(folder / "movies_id2info.json.gz")
    dialogues, titles = read_dialogues(folder / "valid_data_901.jsonl.gz")
    counts = Counter(
        item for one in dialogues for item in {id_ for line in one.lines for id_ in line.items} if item in films
    )
    write_films(films, counts, chosen.films)
    random = np.random.default_rng(chosen.seed)
    catalogue = with_unknown(films, titles)
    shown = titles_shown(catalogue, titles)
    typed = [as_typed(one, shown, share=TYPED, random=random) for one in dialogues]
    encoder = load_encoder()
    cases, named = cases_of(typed, catalogue, encoder)
    vectors = encode_all([item.description[:CHARACTERS] for item in catalogue.items], encoder)
    weights = fit_ranker(catalogue, vectors, cases, named, seed=chosen.seed).weights
    rounded = {name: round(value, 4) for name, value in weights.items()}
    (DATA / "conversation_weights.json").write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


def write_films(catalogue: Catalogue, counts: Counter[str], most: int) -> None:
    """Write the films that are named most often."""
    lines = []
    for id_, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        item = catalogue[id_]
        if item.text and item.tags and len(lines) < most:
            row = {
                "id": id_,
                "title": item.title,
                "text": item.text,
                "tags": list(item.tags),
                "director": list(item.relations.get("director", ())),
                "star": list(item.relations.get("star", ())[:STARS]),
                "year": item.year,
                "mentions": count,
            }
            lines.append(
                json.dumps({name: value for name, value in row.items() if value not in (None, [])}, ensure_ascii=False)
            )
    content = "\n".join(lines) + "\n"
    (DATA / "movies.jsonl.gz").write_bytes(gzip.compress(content.encode(), mtime=0))


if __name__ == "__main__":
    main()
