"""Tests on pairs: their size where nothing is better, their power where something is, and figures from the literature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rejoinder.learning.gate.paired import Pairs, mcnemar, not_worse, paired_bootstrap, rows_needed


def test_pairs_count_where_models_differ():
    pairs = Pairs.of([True, True, False, False, True], [True, False, True, True, True])
    assert (pairs.rows, pairs.gained, pairs.lost) == (5, 2, 1)
    assert pairs.difference == pytest.approx(0.2)
    assert pairs.disagreement == pytest.approx(0.6)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        Pairs.of([True], [])


def test_mcnemar_is_the_exact_sign_test():
    # 2 ** -5 for five gains and no loss; P(B(10, 1/2) >= 8) = (45 + 10 + 1) / 1024
    assert mcnemar(Pairs(rows=5, gained=5, lost=0)) == pytest.approx(1 / 32)
    assert mcnemar(Pairs(rows=99, gained=8, lost=2)) == pytest.approx(56 / 1024)
    assert mcnemar(Pairs(rows=99, gained=0, lost=0)) == 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_more_gains_never_raise_the_p_value(gained: int, lost: int):
    few, more = (mcnemar(Pairs(rows=200, gained=gained + extra, lost=lost)) for extra in (0, 1))
    assert 0 < more <= few <= 1


def test_of_models_no_better_one_in_twenty_passes_at_most():
    random = np.random.default_rng(1)
    drawn = random.multinomial(500, [0.06, 0.06, 0.88], size=2000)
    passed = sum(mcnemar(Pairs(rows=500, gained=int(g), lost=int(lost))) <= 0.05 for g, lost, _ in drawn)
    assert passed <= 123  # the 99% quantile of a binomial with 2,000 tries and 5%


def test_not_worse_is_tangos_test():
    # Tango 1998, table I: 44 pairs, none gained and one lost, margin 0.1: z = 1.709
    assert not_worse(Pairs(rows=44, gained=0, lost=1), margin=0.1) == pytest.approx(0.0437, abs=2e-4)


def test_not_worse_holds_its_error_where_the_loss_is_the_margin():
    random = np.random.default_rng(2)
    drawn = random.multinomial(800, [0.02, 0.05, 0.93], size=2000)
    passed = sum(not_worse(Pairs(rows=800, gained=int(g), lost=int(lost)), margin=0.03) <= 0.05 for g, lost, _ in drawn)
    assert 50 <= passed <= 130


def test_not_worse_at_the_edges():
    assert not_worse(Pairs(rows=0, gained=0, lost=0), margin=0.02) == 1.0
    assert not_worse(Pairs(rows=1000, gained=0, lost=0), margin=0.02) < 0.001
    assert not_worse(Pairs(rows=100, gained=0, lost=100), margin=0.02) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="margin"):
        not_worse(Pairs(rows=1, gained=0, lost=0), margin=0.0)


def test_the_bootstrap_holds_its_error_and_sees_a_gain():
    random = np.random.default_rng(3)
    passed = seen = 0
    for seed in range(200):
        before = random.random(120)
        passed += paired_bootstrap(before, before + random.normal(0.0, 0.1, 120), seed=seed) <= 0.05
        seen += paired_bootstrap(before, before + random.normal(0.03, 0.1, 120), seed=seed) <= 0.05
    assert passed <= 18  # the 99% quantile of a binomial with 200 tries and 5%
    assert seen >= 170


def test_the_bootstrap_at_the_edges():
    assert paired_bootstrap([], [], seed=0) == 1.0
    assert paired_bootstrap([0.5, 0.5], [0.5, 0.5], seed=0) == 1.0
    assert paired_bootstrap([0.1, 0.1, 0.1], [0.4, 0.4, 0.4], seed=0) < 0.001
    assert paired_bootstrap([0.5] * 50, [0.49] * 50, seed=0, margin=0.05) < 0.001
    assert paired_bootstrap([0.2, 0.4, 0.1], [0.3, 0.8, 0.1], seed=7) == paired_bootstrap(
        [0.2, 0.4, 0.1], [0.3, 0.8, 0.1], seed=7
    )
    with pytest.raises(ValueError, match="margin"):
        paired_bootstrap([0.1], [0.2], seed=0, margin=-0.1)


def test_as_many_rows_as_needed_give_the_power_asked_for():
    rows = rows_needed(difference=0.05, disagreement=0.12, error=0.02, power=0.8)
    random = np.random.default_rng(4)
    drawn = random.multinomial(rows, [0.085, 0.035, 0.88], size=2000)
    seen = np.mean([mcnemar(Pairs(rows=rows, gained=int(g), lost=int(lost))) <= 0.02 for g, lost, _ in drawn])
    assert 0.72 <= seen <= 0.86  # the exact test is a little more careful than the formula


@pytest.mark.parametrize(
    "values",
    [
        {"difference": 0.0, "disagreement": 0.1, "error": 0.05},
        {"difference": 0.2, "disagreement": 0.1, "error": 0.05},
        {"difference": 0.1, "disagreement": 0.1, "error": 0.0},
        {"difference": 0.1, "disagreement": 0.1, "error": 0.05, "power": 1.0},
    ],
)
def test_impossible_plans_are_refused(values: dict[str, float]):
    with pytest.raises(ValueError, match="not"):
        rows_needed(**values)
