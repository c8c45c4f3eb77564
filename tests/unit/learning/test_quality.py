"""How well versions serve, from what people said: each figure by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rejoinder.learning.quality import of_versions
from rejoinder.store.quality import RatedDecision

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def rated(decision: str, **changes: Any) -> RatedDecision:
    values: dict[str, Any] = {
        "decision_id": decision,
        "version": "intent-1",
        "label": "card",
        "confidence": 0.9,
        "kind": "thumbs",
        "value": 1,
        "reward": 1.0,
        "at": NOON,
    }
    return RatedDecision(**{**values, **changes})


def test_accuracy_counts_each_decision_once_by_all_that_was_said_of_it():
    weak = {"kind": "behaviour", "value": "rephrased", "reward": 0.0, "weight": 0.05}
    overruled = rated("b", value=-1, reward=None, weight=0.0)
    found = [
        rated("a"),
        overruled,
        rated("b"),
        rated("b", **weak),
        rated("c", value=-1, reward=0.0),
        rated("d", **weak),
    ]
    (quality,) = of_versions({"intent-1": 10}, found)
    assert (quality.decisions, quality.rated) == (10, 3)
    assert quality.accuracy == pytest.approx(2 / 3)


def test_middling_ratings_tell_nothing_of_right_and_wrong_but_count_for_contentment():
    found = [rated("a", kind="rating", value=3, reward=0.5), rated("b", kind="rating", value=4, reward=0.75)]
    (quality,) = of_versions({"intent-1": 2}, found)
    assert (quality.rated, quality.accuracy, quality.csat) == (1, 1.0, 0.5)


def test_recall_is_of_the_labels_that_were_asked_for():
    wrong = {"kind": "corrected_intent", "value": "rate", "reward": 0.0}
    found = [rated("a"), rated("b"), rated("c", **wrong), rated("d", label="rate")]
    (quality,) = of_versions({"intent-1": 4}, found)
    assert quality.recall == pytest.approx((1.0 + 0.5) / 2)


def test_calibration_is_of_confidences_against_what_was_right():
    found = [rated("a", confidence=1.0), rated("b", confidence=1.0, value=-1, reward=0.0)]
    (quality,) = of_versions({"intent-1": 2}, found)
    assert quality.ece == pytest.approx(0.5)


def test_versions_are_apart_and_silence_is_none():
    found = [rated("a", version="intent-10"), rated("b", version="intent-2", value=-1, reward=0.0)]
    qualities = of_versions({"intent-2": 1, "intent-10": 1, "intent-9": 5}, found)
    assert [one.version for one in qualities] == ["intent-2", "intent-9", "intent-10"]
    assert [one.accuracy for one in qualities] == [0.0, None, 1.0]
    silent = qualities[1]
    assert (silent.rated, silent.recall, silent.csat, silent.ece) == (0, None, None, None)


def test_containment_is_of_a_versions_conversations_and_the_reward_a_mean():
    found = [rated("a"), rated("b", value=-1, reward=0.0), rated("c", kind="rating", value=3, reward=0.5)]
    (quality,) = of_versions({"intent-1": 9}, found, ends={"intent-1": (8, 2), "intent-9": (1, 1)})
    assert quality.containment == pytest.approx(0.75)
    assert quality.reward == pytest.approx(0.5)
    assert quality.drift is None


def test_drift_is_how_far_the_mean_reward_fell():
    pytest.importorskip("river", reason="needs the extra rejoinder[workers]")
    steady = [rated(f"a{n}", reward=float(n % 10 != 0)) for n in range(400)]
    worse = [rated(f"b{n}", reward=float(n % 10 < 3)) for n in range(400)]
    (quality,) = of_versions({"intent-1": 800}, steady, drift_error=0.002)
    assert quality.drift == 0.0
    (quality,) = of_versions({"intent-1": 800}, [*steady, *worse], drift_error=0.002)
    assert quality.drift is not None
    assert -0.75 < quality.drift < -0.4
