"""What people's help is worth: 20 questions a day that active learning chose against 20 drawn, and clusters of what is asked in vain.

    REJOINDER_DATA=<folder of data sets> python benchmarks/review.py [--parts review,clusters] [--seeds 3] [--days 8] [--json OUT]

- review: a bot knows 3 examples each of most intents of banking77 (67 of 77) and clinc150 (135 of 150). Each day 300 new messages
  come, from all intents, and a person labels 20 of what came in the last seven days: those that `rejoinder.learning.review_choice` chooses,
  or drawn at random, or with the smallest margin, or by BADGE (Ash et al. 2020, k-means++ on gradient embeddings, here of the five best
  labels). The head is fitted anew each night. Accuracy on a test of all intents, mean of the seeds.
- clusters: a bot knows 15 examples each of 135 intents of clinc150; 15 are withheld. Customers ask 8 to 39 questions of each withheld
  intent, 1,500 of the known, and 200 out of scope. `rejoinder.learning.clusters_grouping` groups those of which the bot is in doubt.
  `purity`: mean share of a cluster's commonest intent; `new`: share of the clusters whose commonest intent is a withheld one; `found`:
  share of the withheld intents with a cluster; `covered`: share of their questions in it. HDBSCAN for comparison. `named`: share of the
  clusters whose name holds a word of their commonest intent's name.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import re
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rejoinder.documents.words import STOP_WORDS, stem
from rejoinder.learning.clusters import CONFIDENT
from rejoinder.learning.clusters_grouping import Group, groups_of
from rejoinder.learning.clusters_naming import names_of, phrases_of
from rejoinder.learning.review_choice import choose_questions, doubts
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.learner import Prediction
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

KNOWN_EACH = 3
WITHHELD = {"banking77": 10, "clinc150": 15}
A_DAY = 300
WINDOW_DAYS = 7
LABELS_A_DAY = 20
MOST_TRAIN = {"banking77": 5000, "clinc150": 7000}
MOST_STRANGE = 800
CLUSTERED_KNOWN_EACH = 15
CLUSTERED_KNOWN = 1500
CLUSTERED_STRANGE = 200
LEAST = 5

Floats = NDArray[np.float32]
Choice = Callable[[Floats, Sequence[Prediction], np.random.Generator], Sequence[int]]


class Texts(NamedTuple):
    """Texts with labels and vectors."""

    texts: list[str]
    labels: NDArray[np.str_]
    vectors: Floats

    def take(self, rows: Sequence[int]) -> Texts:
        return Texts([self.texts[row] for row in rows], self.labels[list(rows)], self.vectors[list(rows)])

    def head(self) -> TextClassifier:
        """A head fitted on them."""
        examples = [
            Example(id=str(row), task="intent", text=text, label=str(label))
            for row, (text, label) in enumerate(zip(self.texts, self.labels, strict=True))
        ]
        learner = TextClassifier()
        learner.fit(examples, self.vectors, seed=0)
        return learner


def chosen(vectors: Floats, said: Sequence[Prediction], rng: np.random.Generator) -> Sequence[int]:
    return choose_questions(vectors, doubts(said), LABELS_A_DAY)


def drawn(vectors: Floats, said: Sequence[Prediction], rng: np.random.Generator) -> Sequence[int]:
    return rng.choice(len(vectors), min(LABELS_A_DAY, len(vectors)), replace=False).tolist()  # type: ignore[no-any-return]


def smallest_margin(vectors: Floats, said: Sequence[Prediction], rng: np.random.Generator) -> Sequence[int]:
    return np.argsort(-doubts(said), kind="stable")[:LABELS_A_DAY].tolist()  # type: ignore[no-any-return]


def badge(vectors: Floats, said: Sequence[Prediction], rng: np.random.Generator) -> Sequence[int]:
    """k-means++ on the gradients of the last layer, of which only products are needed: (p - y)(p' - y') times the cosine."""
    column = {label: place for place, label in enumerate(sorted({label for one in said for label, _ in one.ranking}))}
    errors = np.zeros((len(said), len(column)))
    for row, one in enumerate(said):
        for label, share in one.ranking:
            errors[row, column[label]] = share
        errors[row, column[one.ranking[0][0]]] -= 1
    products = (errors @ errors.T) * (vectors @ vectors.T)
    lengths = np.diag(products)
    found = [int(lengths.argmax())]
    distance = np.full(len(said), np.inf)
    while len(found) < min(LABELS_A_DAY, len(said)):
        last = found[-1]
        distance = np.minimum(distance, np.maximum(lengths + lengths[last] - 2 * products[:, last], 0))
        found.append(int(rng.choice(len(said), p=distance / distance.sum())))
    return found


WAYS: dict[str, Choice] = {"chosen": chosen, "drawn": drawn, "margin": smallest_margin, "badge": badge}


def reviewed(train: Texts, test: Texts, withheld: int, way: str, *, seed: int, days: int) -> list[float]:
    """Return the accuracy at the start and after each day."""
    rng = np.random.default_rng(seed)
    new = set(rng.choice(np.unique(train.labels), withheld, replace=False).tolist())
    known: list[int] = []
    counts: Counter[str] = Counter()
    order = rng.permutation(len(train.texts)).tolist()
    for row in order:
        label = str(train.labels[row])
        if label not in new and counts[label] < KNOWN_EACH:
            counts[label] += 1
            known.append(row)
    stream = [row for row in order if row not in set(known)]
    chance = np.random.default_rng(seed + 1000)
    head, accuracies = train.take(known).head(), []
    for day in range(days + 1):
        said = head.predict_batch(test.texts, test.vectors)
        accuracies.append(float(np.mean([one.label == label for one, label in zip(said, test.labels, strict=True)])))
        if day == days:
            break
        pool = [
            row for row in stream[max(0, day + 1 - WINDOW_DAYS) * A_DAY : (day + 1) * A_DAY] if row not in set(known)
        ]
        asked = train.take(pool)
        rows = WAYS[way](asked.vectors, head.predict_batch(asked.texts, asked.vectors), chance)
        known += [pool[row] for row in rows]
        head = train.take(known).head()
    return accuracies


def clustered(train: Texts, strange: Texts, encoder: Encoder, *, seed: int) -> dict[str, dict[str, Any]]:
    """Return for each way of grouping what it found."""
    rng = np.random.default_rng(seed)
    labels = np.unique(train.labels)
    new = sorted(rng.choice(labels, WITHHELD["clinc150"], replace=False).tolist())
    wanted = {label: int(rng.integers(8, 40)) for label in new}
    known: list[int] = []
    asked: list[int] = []
    counts: Counter[str] = Counter()
    usual = 0
    for row in rng.permutation(len(train.texts)).tolist():
        label = str(train.labels[row])
        counts[label] += 1
        if label in wanted:
            if counts[label] <= wanted[label]:
                asked.append(row)
        elif counts[label] <= CLUSTERED_KNOWN_EACH:
            known.append(row)
        elif usual < CLUSTERED_KNOWN:
            usual += 1
            asked.append(row)
    strangers = strange.take(rng.choice(len(strange.texts), CLUSTERED_STRANGE, replace=False).tolist())
    mine = train.take(asked)
    texts = [*mine.texts, *strangers.texts]
    of = np.array([*mine.labels.tolist(), *[""] * len(strangers.texts)])
    vectors = np.concatenate([mine.vectors, strangers.vectors])
    said = train.take(known).head().predict_batch(texts, vectors)
    rows = [row for row, one in enumerate(said) if not one.accepted or one.confidence < CONFIDENT]
    total = sum(str(label) in wanted for label in of)
    found = {}
    for name, group in (("average linkage", groups_of), ("hdbscan", _hdbscan)):
        groups = group(vectors[rows], least=LEAST)
        found[name] = _judged(groups, of[rows], set(new), total) | {"doubted": len(rows)}
        if name == "average linkage":
            doubted = [texts[row] for row in rows]
            phrases = phrases_of(doubted, groups)
            each = list(dict.fromkeys(phrase for own in phrases for phrase in own))
            titles = names_of(doubted, groups, phrases, dict(zip(each, encoder.encode(each), strict=True)))
            commonest = [Counter(of[rows][list(group.rows)].tolist()).most_common(1)[0][0] for group in groups]
            found[name]["names"] = [(title.title, label) for title, label in zip(titles, commonest, strict=True)]
            told = [bool(_words(title) & _words(label)) for title, label in found[name]["names"] if label]
            found[name]["named"] = float(np.mean(told)) if told else 0.0
    return found


def _words(name: str) -> set[str]:
    return {stem(word) for word in re.findall(r"[a-z]+", name.casefold()) if word not in STOP_WORDS}


def _hdbscan(vectors: Floats, *, least: int) -> list[Group]:
    from sklearn.cluster import HDBSCAN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        of = HDBSCAN(min_cluster_size=least, min_samples=2).fit_predict(vectors)
    return [
        Group(rows=tuple(np.flatnonzero(of == number).tolist()), centroid=vectors[of == number].mean(axis=0))
        for number in range(int(of.max()) + 1)
    ]


def _judged(groups: Sequence[Group], of: NDArray[np.str_], new: set[str], total: int) -> dict[str, Any]:
    purity, hits, covered = [], 0, 0
    found = set()
    for group in groups:
        label, count = Counter(of[list(group.rows)].tolist()).most_common(1)[0]
        purity.append(count / len(group.rows))
        if label in new:
            hits += 1
            found.add(label)
            covered += count
    return {
        "clusters": len(groups),
        "purity": float(np.mean(purity)) if purity else 0.0,
        "new": hits / len(groups) if groups else 0.0,
        "found": len(found) / len(new),
        "covered": covered / total,
    }


def texts_of(
    name: str, encoder: Encoder, folder: Path, *, most_train: int | None = None, most_test: int = 1500
) -> tuple[Texts, Texts, Texts | None]:
    """Return texts to learn from, to test on, and out of scope (None: there are none), drawn alike each time."""
    rng = np.random.default_rng(1)
    strange: list[tuple[str, str]] = []

    def read(file: str) -> str:
        return gzip.decompress((folder / name / file).read_bytes()).decode()

    if name == "banking77":
        train, test = (
            [(row["text"], row["category"]) for row in csv.DictReader(io.StringIO(read(f"{part}.csv.gz"), newline=""))]
            for part in ("train", "test")
        )
    else:
        content = json.loads(read("data_full.json.gz"))
        train, test = ([(text, label) for text, label in content[part]] for part in ("train", "test"))
        strange = [(text, "") for part in ("oos_train", "oos_val", "oos_test") for text, _ in content[part]]

    def some(rows: list[tuple[str, str]], most: int) -> Texts:
        places = rng.permutation(len(rows))[:most].tolist()
        texts = [rows[place][0] for place in places]
        return Texts(texts, np.array([rows[place][1] for place in places]), encoder.encode(texts))

    return (
        some(train, most_train or MOST_TRAIN[name]),
        some(test, most_test),
        some(strange, MOST_STRANGE) if strange else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="review,clusters")
    parser.add_argument("--ways", default="chosen,drawn,margin,badge")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds banking77/ and clinc150/")
        sys.exit(0)
    parts, seeds = options.parts.split(","), range(options.seeds)
    encoder = Encoder()
    report: dict[str, Any] = {}
    for name in ("banking77", "clinc150"):
        if "review" not in parts and name == "banking77":
            continue
        train, test, strange = texts_of(name, encoder, Path(folder))
        if "review" in parts:
            report[name] = {}
            print(f"{name}: accuracy after days 0, {options.days // 2}, {options.days}; by seed on the last day")
            for way in options.ways.split(","):
                curves = [reviewed(train, test, WITHHELD[name], way, seed=seed, days=options.days) for seed in seeds]
                mean = np.mean(curves, axis=0)
                report[name][way] = {"mean": mean.tolist(), "by_seed": curves}
                last = ", ".join(f"{curve[-1]:.3f}" for curve in curves)
                print(f"  {way:8} {mean[0]:.3f} {mean[options.days // 2]:.3f} {mean[-1]:.3f}   {last}", flush=True)
        if "clusters" in parts and strange is not None:
            runs = [clustered(train, strange, encoder, seed=seed) for seed in seeds]
            means: dict[str, dict[str, float]] = defaultdict(dict)
            print("clinc150: clusters of what is asked in vain")
            for way in runs[0]:
                for figure in ("clusters", "purity", "new", "found", "covered", "doubted", "named"):
                    if figure not in runs[0][way]:
                        continue
                    means[way][figure] = float(np.mean([run[way][figure] for run in runs]))
                print(f"  {way:16} " + ", ".join(f"{key} {value:.3g}" for key, value in means[way].items()), flush=True)
            print("  names: " + "; ".join(f"{title} ({label})" for title, label in runs[0]["average linkage"]["names"]))
            report["clusters"] = {"mean": means, "by_seed": runs}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, default=float), encoding="utf-8")


if __name__ == "__main__":
    main()
