"""Metrics on small cases worked out by hand."""

from __future__ import annotations

import pytest
from rejoinder.learning import metrics
from rejoinder.models.learner import Prediction


def said(label: str, *, accepted: bool = True, in_scope: float = 0.9, confidence: float = 0.8) -> Prediction:
    return Prediction(
        label=label, confidence=confidence, ranking=((label, confidence),), in_scope=in_scope, accepted=accepted
    )


def test_accuracy_and_macro_f1() -> None:
    assert metrics.accuracy(["a", "b", "b"], ["a", "b", "a"]) == pytest.approx(2 / 3)
    assert metrics.macro_f1(["a", "b", "b"], ["a", "b", "a"]) == pytest.approx(2 / 3)
    assert metrics.accuracy([], []) == metrics.macro_f1([], []) == 0.0


def test_a_calibrated_forecast_has_no_calibration_error() -> None:
    assert metrics.ece([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert metrics.ece([1.0] * 4, [True, True, True, False]) == pytest.approx(0.25)
    assert metrics.ece([], []) == 0.0


def test_a_rejected_in_scope_row_counts_as_wrong() -> None:
    assert metrics.in_scope_accuracy(["a", "a", "o"], ["a", "a", "a"], [True, False, True], oos_label="o") == 0.5


def test_out_of_scope_recall_and_auroc() -> None:
    assert metrics.oos_recall(["a", "o", "o"], [True, False, True], oos_label="o") == 0.5
    assert metrics.oos_auroc(["a", "a", "o"], [0.9, 0.2, 0.5], oos_label="o") == 0.5
    assert metrics.oos_auroc(["a"], [0.9], oos_label="o") is None


def test_a_report_without_out_of_scope_rows_ignores_rejection_in_accuracy() -> None:
    found = metrics.report(["a", "b"], [said("a", accepted=False), said("b")], oos_label=None)
    assert found["accuracy"] == 1.0
    assert found["in_scope_accuracy"] == 0.5
    assert "oos_recall" not in found


def test_a_report_with_out_of_scope_rows_takes_rejection_for_the_label() -> None:
    found = metrics.report(["a", "o"], [said("a"), said("a", accepted=False, in_scope=0.1)], oos_label="o")
    assert found["accuracy"] == found["oos_recall"] == found["oos_auroc"] == 1.0
