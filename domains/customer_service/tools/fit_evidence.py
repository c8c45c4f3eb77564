"""Fit the constants with which `rejoinder_customer_service.faq` reads the evidence of a text.

    REJOINDER_DATA=FOLDER python domains/customer_service/tools/fit_evidence.py

Known questions are 700 rows of banking77's official train split that are neither in `train.csv` nor in `demo_stream.csv`; strangers are
clinc150's out-of-scope rows of train and validation. No test split is read. Prints how much words should count beside meaning, and the
slope and offset of the logistic curves for meaning with words and for words alone.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder_customer_service import faq
from rejoinder_customer_service.catalogue import chosen_examples, entries_of
from sklearn.linear_model import LogisticRegression

SEED = 77
QUESTIONS = 700
WORD_SHARES = (0.0, 0.2, 0.4, 0.6)
DATA = Path(faq.__file__).parent / "data" / "banking77"


def known_questions(source: Path) -> list[tuple[str, str]]:
    """Return text and intent of train rows that the domain does not ship."""
    shipped = set()
    for name in ("train", "demo_stream"):
        with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            shipped |= {row["text"] for row in csv.DictReader(file)}
    with gzip.open(source / "banking77" / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = [(" ".join(row["text"].split()), row["category"]) for row in csv.DictReader(file)]
    return random.Random(SEED).sample([row for row in rows if row[0] not in shipped], QUESTIONS)  # noqa: S311  # no secret


def strangers(source: Path) -> list[str]:
    """Return texts that no entry answers."""
    with gzip.open(source / "clinc150" / "data_full.json.gz", "rt", encoding="utf-8") as file:
        splits = json.load(file)
    return [text for name in ("oos_train", "oos_val") for text, _ in splits[name]]


def main() -> None:
    """Fit and print."""
    if "REJOINDER_DATA" not in os.environ:
        sys.exit("set REJOINDER_DATA to the folder that holds banking77/ and clinc150/")
    source = Path(os.environ["REJOINDER_DATA"])
    asked = [*known_questions(source), *((text, "") for text in strangers(source))]
    entries = entries_of("banking77")
    index = faq.FaqIndex(entries, chosen_examples("banking77", per_intent=None, seed=0))
    encoder = load_encoder()
    index.set_vectors(encoder.encode(index.texts))
    vectors = encoder.encode([text for text, _ in asked])
    words = np.array([index.word_scores(text) for text, _ in asked])
    meaning = np.array([index.meaning_scores(vector) for vector in vectors])
    intents = [entry.intent for entry in entries]

    def right(scores: np.ndarray) -> np.ndarray:
        return np.array([intents[best] == label for best, (_, label) in zip(scores.argmax(1), asked, strict=True)])

    shares = {share: right(meaning + share * words)[:QUESTIONS].mean() for share in WORD_SHARES}
    print("right answers by share of words:", {share: round(float(value), 4) for share, value in shares.items()})  # noqa: T201
    for name, scores in (("with meaning", meaning + faq.WORD_SHARE * words), ("words only", words)):
        best = scores.max(1)
        curve = LogisticRegression(C=1e6).fit(best[:, None], right(scores))
        slope, offset = float(curve.coef_[0, 0]), float(curve.intercept_[0])
        given = 1 / (1 + np.exp(-(slope * best + offset))) >= 0.35
        answered = (given & right(scores))[:QUESTIONS].mean()
        fooled = given[QUESTIONS:].mean()
        print(f"{name}: ({slope:.1f}, {offset:.1f}); at 0.35 right {answered:.1%}, strangers answered {fooled:.1%}")  # noqa: T201


if __name__ == "__main__":
    main()
