"""Landmarks stand in for many examples, and say nearly the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rejoinder.models.heads.kernel import KernelMachine
from rejoinder.models.heads.landmarks import choose_landmarks, fit_landmarks
from rejoinder.models.heads.scoring import KernelSpec
from rejoinder.models.heads.words import inverse_document_frequency, word_row, word_rows
from rejoinder.models.tasks import text_classification
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

LABELS, EACH, DIM = 12, 150, 24
SPEC = KernelSpec(1.0, 0.15, 0.15)
Floats = NDArray[np.float32]


def drawn(each: int, seed: int) -> tuple[Floats, NDArray[np.intp], list[str]]:
    """Vectors around a few centres for each label, and texts with a word of the label and words of chance."""
    centres = np.random.default_rng(7).normal(size=(LABELS, 3, DIM))
    rng = np.random.default_rng(seed)
    columns = np.repeat(np.arange(LABELS), each)
    vectors = centres[columns, rng.integers(3, size=len(columns))] + rng.normal(scale=0.6, size=(len(columns), DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [f"label{column} word{rng.integers(50)} word{rng.integers(50)}" for column in columns]
    return vectors.astype(np.float32), columns, texts


def test_landmarks_score_as_all_examples_do() -> None:
    vectors, columns, texts = drawn(EACH, 0)
    idf = inverse_document_frequency(texts)
    words, targets = word_rows(texts, idf), np.eye(LABELS, dtype=np.float32)[columns]
    ridges = np.full(len(vectors), SPEC.ridge, dtype=np.float32)
    near = np.ones(len(vectors), dtype=np.bool_)
    exact = KernelMachine.build(SPEC, vectors, words, targets, ridges, near, keep=False)
    landmarks = choose_landmarks(vectors, columns, LABELS, np.random.default_rng(0), outside=None)
    scorer = fit_landmarks(SPEC, landmarks, vectors, words, targets, ridges, outside=None)
    asked, _, asked_texts = drawn(20, 1)
    rows = [word_row(text, idf) for text in asked_texts]
    one, two = exact.scores(asked, rows), scorer.scores(asked, rows)
    assert len(landmarks.vectors) < len(vectors)
    assert np.abs(one.labels - two.labels).max() < 0.1
    assert (one.labels.argmax(axis=1) == two.labels.argmax(axis=1)).mean() > 0.98


@pytest.mark.parametrize(("each", "wanted"), [(1000, 600), (150, 1414), (75, 900)])
def test_the_fewer_the_examples_the_more_of_them_are_landmarks(each: int, wanted: int) -> None:
    vectors, columns, _ = drawn(each, 0)
    landmarks = choose_landmarks(vectors, columns, LABELS, np.random.default_rng(0), outside=None)
    assert len(landmarks.vectors) == wanted


def test_every_label_has_landmarks_and_strangers_stay_themselves() -> None:
    vectors, columns, _ = drawn(EACH, 0)
    landmarks = choose_landmarks(vectors, columns, LABELS, np.random.default_rng(0), outside=3)
    assert set(landmarks.columns) == set(range(LABELS))
    assert np.allclose(np.linalg.norm(landmarks.vectors, axis=1), 1, atol=1e-5)
    strangers = {tuple(row) for row in vectors[columns == 3]}
    assert {tuple(row) for row in landmarks.vectors[landmarks.columns == 3]} == strangers


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> TextClassifier:
    """A classifier of more examples than are kept one by one."""
    monkeypatch.setattr(text_classification, "EXACT_ROWS", 500)
    vectors, columns, texts = drawn(EACH, 0)
    made = TextClassifier(oos_label="label 5")
    made.fit([example(text, column) for text, column in zip(texts, columns, strict=True)], vectors, seed=0)
    return made


def example(text: str, column: int) -> Example:
    return Example(id=text, task="intent", text=text, label=f"label {column}")


def test_a_large_model_is_right_takes_corrections_and_is_small(large: TextClassifier) -> None:
    vectors, columns, texts = drawn(20, 1)
    inside = columns != 5
    said = large.predict_batch(texts, vectors)
    assert np.mean([one.label == f"label {column}" for one, column in zip(said, columns, strict=True)]) > 0.85
    assert np.mean([not one.accepted for one, known in zip(said, inside, strict=True) if not known]) > 0.7
    assert large.size() < 600_000
    large.update([example(texts[0], 9)], vectors[:1])
    assert large.predict_batch(texts[:1], vectors[:1])[0].label == "label 9"
    assert large.remove([texts[0]]) == 1
    again = large.predict_batch(texts[:1], vectors[:1])[0]
    assert again.label == said[0].label
    assert again.confidence == pytest.approx(said[0].confidence, abs=1e-5)


def test_a_large_model_survives_the_disk_and_new_labels(large: TextClassifier, tmp_path: Path) -> None:
    vectors, _, texts = drawn(20, 1)
    large.update([Example(id="n", task="intent", text=texts[0], label="new")], vectors[:1])
    large.save(tmp_path)
    again = TextClassifier.load(tmp_path)
    for one, two in zip(large.predict_batch(texts, vectors), again.predict_batch(texts, vectors), strict=True):
        assert one.label == two.label
        assert one.confidence == pytest.approx(two.confidence, abs=1e-4)
    assert again.predict_batch(texts[:1], vectors[:1])[0].label == "new"
