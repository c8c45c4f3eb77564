"""How well messages are understood as people type them: slips, several intents at once, and what is out of scope.

    REJOINDER_DATA=<folder of data sets> python benchmarks/understanding.py [--parts slips,several,scope] [--seed 0] [--json OUT]

slips: banking77's official test with one random edit (letter exchanged, left out, put in, or swapped with its neighbour) in each text, read
as typed and as mended; and the milliseconds that mending takes.
several: texts of the test splits of banking77, clinc150 and bitext_support, each with one intent, and how many are cut, as they are and
with courtesies after them ("can you help me?"); pairs with different intents,
joined by ". ", "? ", " and ", ", also ", " and also ", " then ", ", " or "; ", and how often both are found.
scope: models of banking77, hwu64 and clinc150 (without its out-of-scope rows) get 600 messages of traffic that nobody labelled, a share of
them clinc150's out-of-scope questions; then what they judge right of others, before and after `learn_scope`.

Wanted: slips cost at most 3 points; under 1% of single intents are cut.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import json
import os
import random
import string
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder.models.learner import Prediction
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example
from rejoinder_plugins.intent.settings import IntentSettings
from rejoinder_plugins.intent.several import several_intents, sizeable_clauses

Rows = list[tuple[str, str]]
OUT = "oos"
JOINS = (". ", "? ", " and ", ", also ", " and also ", " then ", ", ", "; ")
COURTESIES = (
    ". Can you help me?",
    ", please tell me how.",
    ". Thanks!",
    ". How can I do that?",
    ", what should I do?",
    ". Please let me know, thank you in advance.",
)
COURTEOUS = 400
TRAFFIC = 600
SHARES = (0.05, 0.2, 0.4)
MOST_CUT = 0.01
MOST_LOST = 0.03


class Reader:
    """Encodes each text once."""

    def __init__(self) -> None:
        self._encoder = load_encoder("default", threads=os.cpu_count() or 1)
        self._known: dict[str, NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n_texts, dim)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def fitted(self, rows: Rows, seed: int) -> TextClassifier:
        """Return a model of rows."""
        classifier = TextClassifier(oos_label=OUT)
        examples = [Example(id=str(n), task="intent", text=text, label=label) for n, (text, label) in enumerate(rows)]
        classifier.fit(examples, self.encode([text for text, _ in rows]), seed=seed)
        return classifier

    def said(self, classifier: TextClassifier, texts: Sequence[str], *, mended: bool = True) -> list[Prediction]:
        """Return what a model says of texts as it serves."""
        asked = [classifier.spelled(text) if mended else text for text in texts]
        return classifier.predict_batch(asked, self.encode(asked))


def splits(folder: Path) -> dict[str, dict[str, Rows]]:
    """Return train and test rows by data set, and clinc150's out-of-scope ones."""

    def csv_rows(path: Path, label: str, text: str = "text") -> Rows:
        opened: Any = gzip.open if path.suffix == ".gz" else Path.open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            return [(row[text], row[label]) for row in csv.DictReader(file)]

    with gzip.open(folder / "clinc150" / "data_full.json.gz", "rt", encoding="utf-8") as file:
        clinc = {name: [(text, label) for text, label in rows] for name, rows in json.load(file).items()}
    return {
        "banking77": {
            part: csv_rows(folder / "banking77" / f"{part}.csv.gz", "category") for part in ("train", "test")
        },
        "hwu64": {
            "train": csv_rows(folder / "hwu64" / "train.csv.gz", "intent"),
            "test": csv_rows(folder / "hwu64" / "test.csv", "intent"),
        },
        "clinc150": clinc,
        "bitext_support": {
            "train": csv_rows(folder / "bitext_support" / "intent_train.csv.gz", "intent", "utterance"),
            "test": csv_rows(folder / "bitext_support" / "intent_test.csv", "intent", "utterance"),
        },
    }


def with_edit(text: str, rng: random.Random) -> str:
    """Return a text with one random edit."""
    place, letter = rng.randrange(len(text)), rng.choice(string.ascii_lowercase)
    kind = rng.choice(("exchange", "leave out", "put in", "swap"))
    if kind == "exchange":
        return text[:place] + letter + text[place + 1 :]
    if kind == "leave out" and len(text) > 1:
        return text[:place] + text[place + 1 :]
    if kind == "swap" and len(text) > 1:
        place = min(place, len(text) - 2)
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return text[:place] + letter + text[place:]


def slips(data: dict[str, dict[str, Rows]], reader: Reader, seed: int) -> dict[str, float]:
    """Measure what slips cost."""
    test = data["banking77"]["test"]
    classifier = reader.fitted(data["banking77"]["train"], seed)
    rng = random.Random(seed)
    edited = [with_edit(text, rng) for text, _ in test]

    def accuracy(texts: Sequence[str], *, mended: bool) -> float:
        said = reader.said(classifier, texts, mended=mended)
        return float(np.mean([one.label == label for one, (_, label) in zip(said, test, strict=True)]))

    def milliseconds(texts: Sequence[str]) -> float:
        taken = []
        for text in texts:
            started = time.perf_counter()
            classifier.spelled(text)
            taken.append((time.perf_counter() - started) * 1e3)
        return float(np.median(taken))

    plain = [text for text, _ in test]
    return {
        "as_typed": accuracy(plain, mended=False),
        "mended": accuracy(plain, mended=True),
        "edited_as_typed": accuracy(edited, mended=False),
        "edited_mended": accuracy(edited, mended=True),
        "ms_p50": milliseconds(plain),
        "ms_p50_edited": milliseconds(edited),
    }


async def several(
    train: Rows, test: Rows, reader: Reader, seed: int, *, singles: int = 1500, pairs: int = 400
) -> dict[str, float]:
    """Measure how often one intent is cut, and how often two are found."""
    classifier = reader.fitted(train, seed)
    rng = random.Random(seed)
    confidence = IntentSettings().several_confidence

    async def predict(task: str, text: str) -> Prediction:
        return reader.said(classifier, [text])[0]

    async def labels(text: str) -> set[str]:
        whole = await predict("intent", text)
        parts = await several_intents(
            SimpleNamespace(predict=predict), "intent", text, sizeable_clauses(text), confidence, whole=whole
        )
        return {part.prediction.label for part in parts}

    asked = [text for text, _ in rng.sample(test, min(singles, len(test)))]
    cut = [bool(await labels(text)) for text in asked]
    polite = [bool(await labels(text.rstrip(" .") + rng.choice(COURTESIES))) for text in asked[:COURTEOUS]]
    found: list[bool] = []
    exact: list[bool] = []
    while len(found) < pairs:
        (first, one), (second, other) = rng.sample(test, 2)
        if one != other and min(len(first.split()), len(second.split())) > 2:
            said = await labels(first.rstrip(" .?!") + rng.choice(JOINS) + second)
            found.append({one, other} <= said)
            exact.append({one, other} == said)
    return {
        "single_cut": float(np.mean(cut)),
        "courteous_cut": float(np.mean(polite)),
        "pairs_found": float(np.mean(found)),
        "pairs_exactly": float(np.mean(exact)),
    }


def scope(train: Rows, test: Rows, strange: Rows, reader: Reader, seed: int) -> dict[str, dict[str, float]]:
    """Measure what is judged right before and after traffic: in scope with the right label, or out of scope and refused."""
    rng = random.Random(seed)
    report = {}
    for share in SHARES:
        classifier = reader.fitted(train, seed)
        inside, outside = rng.sample(test, len(test)), rng.sample(strange, len(strange))
        n_out = int(TRAFFIC * share)
        n_in = min(TRAFFIC - n_out, len(inside) // 2)
        traffic = [text for text, _ in inside[:n_in] + outside[:n_out]]

        def right(model: TextClassifier, asked: Rows, others: Rows, share: float = share) -> float:
            known = reader.said(model, [text for text, _ in asked])
            unknown = reader.said(model, [text for text, _ in others])
            good = np.mean([p.accepted and p.label == label for p, (_, label) in zip(known, asked, strict=True)])
            return float((1 - share) * good + share * np.mean([not p.accepted for p in unknown]))

        before = right(classifier, inside[n_in:], outside[n_out:])
        mended = [classifier.spelled(text) for text in traffic]
        learned = classifier.learn_scope(mended, reader.encode(mended))
        after = right(classifier, inside[n_in:], outside[n_out:])
        report[str(share)] = {"before": before, "after": after, "share_found": learned.get("share_outside", -1.0)}
    return report


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--parts", default="slips,several,scope")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    folder = os.environ.get("REJOINDER_DATA")
    if not folder:
        print("skipped: set REJOINDER_DATA to the folder that holds banking77/, clinc150/ and hwu64/")
        sys.exit(0)
    data, reader = splits(Path(folder)), Reader()
    parts = set(asked.parts.split(","))
    report: dict[str, Any] = {"seed": asked.seed}
    missed = []
    if "slips" in parts:
        report["slips"] = found = slips(data, reader, asked.seed)
        print("slips (banking77): " + ", ".join(f"{name} {value:.4f}" for name, value in found.items()), flush=True)
        missed += ["slips"] if found["as_typed"] - found["edited_mended"] > MOST_LOST else []
    if "several" in parts:
        for name in ("banking77", "clinc150", "bitext_support"):
            rows = asyncio.run(several(data[name]["train"], data[name]["test"], reader, asked.seed))
            report[f"several_{name}"] = rows
            print(f"several ({name}): " + ", ".join(f"{key} {value:.4f}" for key, value in rows.items()), flush=True)
            worst = max(rows["single_cut"], rows["courteous_cut"])
            missed += [f"several, {name}"] if worst > MOST_CUT else []
    if "scope" in parts:
        for name in ("banking77", "hwu64", "clinc150"):
            found_by = scope(data[name]["train"], data[name]["test"], data["clinc150"]["oos_test"], reader, asked.seed)
            report[f"scope_{name}"] = found_by
            for share, one in found_by.items():
                print(
                    f"scope ({name}), {share} out: right before {one['before']:.3f}, after {one['after']:.3f}, "
                    f"share found {one['share_found']:.2f}",
                    flush=True,
                )
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print("missed: " + ", ".join(missed) if missed else "all as wanted")


if __name__ == "__main__":
    main()
