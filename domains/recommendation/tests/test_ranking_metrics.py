"""Figures of ranked lists, against what comes out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from rejoinder_recommendation.ranking_metrics import bootstrap_interval, ndcg, ranks, recall


def test_ties_count_against_us_and_items_that_are_not_ranked_do_not_count() -> None:
    scores = np.array([[3.0, 1.0, 1.0, 1.0, 9.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    ranked = np.array([[True, True, True, True, False], [True, True, False, True, True]])

    assert ranks(scores, ranked, np.array([2, 0])).tolist() == [4, 4]
    assert ranks(scores, ranked, np.array([0, 1])).tolist() == [1, 4]


def test_ndcg_and_recall() -> None:
    places = np.array([1, 3, 10, 11])

    assert ndcg(places) == pytest.approx([1, 0.5, 1 / np.log2(11), 0])
    assert recall(places).tolist() == [1, 1, 1, 0]


def test_the_interval_of_the_difference() -> None:
    random = np.random.default_rng(0)
    theirs = random.normal(size=400)
    ours = theirs + random.normal(0.3, 1.0, size=400)

    low, high = bootstrap_interval(ours, theirs, seed=1)
    half = 1.96 * (ours - theirs).std() / 20

    assert low == pytest.approx((ours - theirs).mean() - half, abs=0.01)
    assert high == pytest.approx((ours - theirs).mean() + half, abs=0.01)
    assert bootstrap_interval(theirs, theirs, seed=1) == (0, 0)
    assert bootstrap_interval(ours, theirs, seed=1) == (low, high)
