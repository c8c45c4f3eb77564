"""What a text may be when people said what it is not."""

from __future__ import annotations

import numpy as np
import pytest
from rejoinder.models.heads.candidates import candidate_targets
from rejoinder.models.tasks import text_classification
from rejoinder.models.tasks.text_classification import PATCH_ROWS, TextClassifier
from rejoinder.payloads import Example, Polarity

DIM = 16
LABELS = 4


def test_rejected_labels_get_nothing_and_the_others_all() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]], dtype=np.float32)
    rejected = np.array([[True, False, False], [False, False, False]])
    targets, certainty = candidate_targets(scores, 8.0, rejected)
    assert targets[0, 0] == 0
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert targets[0, 1] == certainty[0] > 0.9
    assert targets[1].argmax() == 0


def test_a_text_that_is_nothing_counts_nothing() -> None:
    targets, certainty = candidate_targets(np.zeros((1, 2), np.float32), 8.0, np.ones((1, 2), np.bool_))
    assert not targets.any()
    assert not certainty.any()


def cloud(label: int, number: int, spread: float = 0.6) -> np.ndarray:
    """A point near the label's own axis."""
    vector = np.random.default_rng([label, number]).normal(0, spread / np.sqrt(DIM), DIM)
    vector[label] += 1
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def said(label: int, number: int, name: str, polarity: Polarity = "positive") -> Example:
    return Example(
        id=f"{label}-{number}-{name}-{polarity}", task="t", text=f"t{label} {number}", label=name, polarity=polarity
    )


def fitted(extra: list[tuple[Example, np.ndarray]]) -> TextClassifier:
    base = [(said(label, n, f"l{label}"), cloud(label, n)) for label in range(LABELS) for n in range(4)]
    examples, vectors = zip(*base, *extra, strict=True)
    made = TextClassifier()
    made.fit(examples, np.stack(vectors), seed=0)
    return made


def says(model: TextClassifier, label: int, number: int) -> dict[str, float]:
    return dict(model.predict_batch([f"t{label} {number}"], cloud(label, number)[None])[0].ranking)


def between(first: int, second: int, share: float) -> np.ndarray:
    vector = share * cloud(first, 900) + (1 - share) * cloud(second, 901)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_a_fit_learns_what_a_rejected_text_may_be_instead() -> None:
    vector = between(0, 1, 0.6)
    text = "t0 900"
    before = dict(fitted([]).predict_batch([text], vector[None])[0].ranking)
    assert max(before, key=before.__getitem__) == "l0"
    rejected = [(Example(id="no", task="t", text=text, label="l0", polarity="negative"), vector)]
    after = dict(fitted(rejected).predict_batch([text], vector[None])[0].ranking)
    assert max(after, key=after.__getitem__) == "l1"


def test_what_people_settled_later_stands_above_what_they_rejected() -> None:
    vector = between(0, 1, 0.6)
    rejected = said(0, 900, "l0", "negative")
    settled = said(0, 900, "l2", "correction")
    for order in ((rejected, settled), (settled, rejected)):
        ranking = fitted([(one, vector) for one in order]).predict_batch(["t0 900"], vector[None])[0]
        assert ranking.label == "l2"


def test_a_label_that_was_taken_back_is_learned_no_more() -> None:
    vector = between(0, 1, 0.6)
    both = [(said(0, 900, "l0"), vector), (said(0, 900, "l0", "negative"), vector)]
    assert fitted(both).predict_batch(["t0 900"], vector[None])[0].label == "l1"


def test_a_rejected_label_that_nobody_knows_changes_nothing() -> None:
    unknown = [(said(0, 900, "unheard of", "negative"), between(0, 1, 0.6))]
    assert says(fitted(unknown), 1, 2) == says(fitted([]), 1, 2)


def test_large_sets_learn_from_rejections_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_classification, "EXACT_ROWS", 10)
    test_a_fit_learns_what_a_rejected_text_may_be_instead()


def test_updates_of_a_large_base_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_classification, "EXACT_ROWS", 10)
    monkeypatch.setattr(text_classification, "PATCH_ROWS", 8)
    assert PATCH_ROWS >= 500
    made, sizes = fitted([]), []
    for number in range(100, 130):
        made.update([said(number % LABELS, number, f"l{number % LABELS}")], cloud(number % LABELS, number)[None])
        sizes.append(made.size())
    assert max(sizes[8:]) < sizes[7] + 1000
    made.update([said(0, 500, "new")], cloud(0, 500)[None])
    assert made.predict_batch(["t0 500"], cloud(0, 500)[None])[0].label == "new"
