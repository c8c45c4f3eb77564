"""New topics: is a topic that a tenant does not declare proposed?

    REJOINDER_DATA=<folder of data sets> python benchmarks/new_topics.py [--documents 3000] [--seed 0] [--json OUT]

Of the shipped topics one at a time is left out, and the headlines of SEntFiN and tweets of Twitter Financial News Sentiment that no other
one's words fit are grouped as `rejoinder monitor topics list --find` does. What is about the left-out topic is told by its words, so that
the figures are rough: `documents` are about it alone, `covered` is the share of them in proposals that are mostly about it, `purity` the
share of such proposals' documents that are. `proposals` are all, about whatever.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rejoinder.learning.clusters_grouping import groups_of
from rejoinder.learning.clusters_naming import names_of, phrases_of
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder.monitoring.new_topics import plain_text
from rejoinder.settings import LearningSettings
from rejoinder_finance_sentiment.data_sets import sentfin, twitter
from rejoinder_finance_sentiment.reading.topics import TopicWords
from rejoinder_finance_sentiment.settings import TOPICS

MOSTLY = 0.5


def documents(folder: Path, count: int, seed: int) -> list[str]:
    """Return so many different texts."""
    rows = [
        *sentfin(folder / "sentfin_half" / "SEntFiN_half.csv.gz"),
        *twitter(folder / "twitter_fin_sentiment" / "sent_train.csv.gz"),
    ]
    texts = list(dict.fromkeys(plain_text(row.text) for row in rows))
    random.Random(seed).shuffle(texts)
    return texts[:count]


def main() -> int:
    """Print a line for each topic; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if "REJOINDER_DATA" not in os.environ:
        print("skipped: set REJOINDER_DATA to the folder of data sets")
        return 0
    encoder = load_encoder()
    texts = documents(Path(os.environ["REJOINDER_DATA"]), chosen.documents, chosen.seed)
    vectors = encoder.encode(texts)
    about = [TopicWords(TOPICS).found(text) for text in texts]
    least = LearningSettings().cluster_size
    report: dict[str, Any] = {}
    print("left out     documents  covered  purity  proposals  the largest one about it")
    for topic in TOPICS:
        rows = [row for row, found in enumerate(about) if not found - {topic}]
        mine = np.array([topic in about[row] for row in rows])
        open_texts = [texts[row] for row in rows]
        groups = groups_of(vectors[rows], least=least)
        its = [group for group in groups if mine[list(group.rows)].mean() >= MOSTLY]
        held = [row for group in its for row in group.rows]
        title = ""
        if its:
            phrases = phrases_of(open_texts, its)
            each = list(dict.fromkeys(phrase for own in phrases for phrase in own))
            named = names_of(open_texts, its, phrases, dict(zip(each, encoder.encode(each), strict=True)))
            title = f"{named[0].title} ({', '.join(named[0].keywords)})"
        report[topic] = {
            "documents": int(mine.sum()),
            "covered": float(mine[held].sum() / max(1, mine.sum())),
            "purity": float(mine[held].mean()) if held else None,
            "proposals": len(groups),
            "title": title,
        }
        one = report[topic]
        purity = "     -" if one["purity"] is None else f"{one['purity']:6.2f}"
        print(
            f"{topic:<12}{one['documents']:>10}  {one['covered']:7.2f}  {purity}  {one['proposals']:>9}  {title}",
            flush=True,
        )
    if chosen.json is not None:
        chosen.json.write_text(json.dumps({"seed": chosen.seed, "topics": report}, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
