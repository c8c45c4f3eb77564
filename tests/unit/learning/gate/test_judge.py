"""The verdict: who is let through, who is not, who must wait, and whether the reasons say so."""

from __future__ import annotations

import pytest
from rejoinder.errors import InvalidInputError
from rejoinder.learning.gate import Scored, attempt_number, judge
from rejoinder.learning.gate.spending import error_of_attempt
from rejoinder.settings import GateSettings


def scored(right: int, wrong: int, *, first: int = 0, **more: float) -> Scored:
    """Rows named by number; the first `right` of them are right."""
    rows = range(first, first + right + wrong)
    return Scored(scores={f"row-{n:04}": float(n - first < right) for n in rows}, **more)


def test_a_clear_gain_is_promoted_and_the_reason_has_the_figures():
    verdict = judge(scored(400, 100), scored(440, 60))
    assert verdict.decision == "promote"
    assert "gains 40 and loses 0 of 500" in verdict.reason
    assert (verdict.live, verdict.candidate, verdict.rows, verdict.attempt) == (0.8, 0.88, 500, 1)


def test_the_same_again_is_rejected():
    verdict = judge(scored(400, 100), scored(400, 100))
    assert verdict.decision == "reject"
    assert "not shown to be better" in verdict.reason
    assert verdict.rows_needed == 0


def test_too_few_rows_wait_and_say_how_many_more_it_takes():
    verdict = judge(scored(16, 4), scored(18, 2))
    assert verdict.decision == "wait"
    assert verdict.rows_needed > 20
    assert f"about {verdict.rows_needed:,} more held-back rows" in verdict.reason


def test_without_rows_nothing_is_promoted():
    verdict = judge(Scored(scores={}), Scored(scores={}))
    assert verdict.decision == "wait"
    assert "no held-back examples" in verdict.reason
    assert verdict.rows_needed > 100


def test_a_loss_on_the_regression_set_outweighs_a_gain():
    frozen = (scored(700, 100), scored(640, 160))
    verdict = judge(scored(400, 100), scored(440, 60), regression=frozen)
    assert verdict.decision == "reject"
    assert "regression set of 800 rows: -7.5%" in verdict.reason
    kept = judge(scored(400, 100), scored(440, 60), regression=(frozen[0], scored(705, 95)))
    assert kept.decision == "promote"


def test_worse_calibration_and_a_slower_model_are_rejected():
    better = {"ece": 0.02, "latency_ms": 1.0}
    worse = judge(scored(400, 100, **better), scored(440, 60, ece=0.09, latency_ms=1.0))
    assert (worse.decision, "calibration error 0.090" in worse.reason) == ("reject", True)
    slow = judge(scored(400, 100, **better), scored(440, 60, ece=0.02, latency_ms=3.0))
    assert (slow.decision, "3.00 ms" in slow.reason) == ("reject", True)
    noise = judge(scored(400, 100, ece=0.02, latency_ms=0.01), scored(440, 60, ece=0.02, latency_ms=0.03))
    assert noise.decision == "promote"


def test_scores_between_right_and_wrong_are_compared_by_their_means():
    before = {f"row-{n}": 0.4 + (n % 5) / 10 for n in range(200)}
    after = {row: min(1.0, score + 0.05 + (int(row[4:]) % 3) / 50) for row, score in before.items()}
    verdict = judge(Scored(scores=before), Scored(scores=after))
    assert verdict.decision == "promote"
    assert "mean score" in verdict.reason


def test_other_rows_are_refused():
    with pytest.raises(InvalidInputError, match=r"not scored on the same held-back examples: 2 rows"):
        judge(scored(10, 0), scored(10, 0, first=1))


def test_each_attempt_spends_a_part_and_all_together_no_more_than_the_error():
    parts = [error_of_attempt(attempt, error=0.05) for attempt in range(1, 5000)]
    assert parts == sorted(parts, reverse=True)
    assert 0.04 < sum(parts) < 0.05
    borderline = (scored(400, 100), scored(406, 94))  # six gains and no loss: p = 1 / 64
    assert judge(*borderline, attempt=1).decision == "promote"
    assert judge(*borderline, attempt=2).decision != "promote"


@pytest.mark.parametrize(("attempt", "error"), [(0, 0.05), (1, 0.0), (1, 1.0)])
def test_impossible_spending_is_refused(attempt: int, error: float):
    with pytest.raises(ValueError, match="attempt must be"):
        error_of_attempt(attempt, error=error)


def test_attempts_count_anew_when_half_of_the_rows_are_fresh():
    rows = [frozenset(f"{n}" for n in range(count)) for count in (100, 120, 150, 310)]
    assert attempt_number([], rows[0]) == 1
    assert attempt_number(rows[:1], rows[1]) == 2
    assert attempt_number(rows[:2], rows[2]) == 3
    assert attempt_number(rows[:3], rows[3]) == 1
    assert attempt_number(rows, rows[3]) == 2


def test_the_rules_are_told_with_the_verdict():
    verdict = judge(scored(4, 1), scored(5, 0), settings=GateSettings(error=0.01), seed=3)
    assert verdict.rules == {
        "error": 0.01,
        "regression_margin": 0.03,
        "regression_error": 0.05,
        "ece_margin": 0.02,
        "latency_ratio": 1.5,
        "seed": 3,
    }
