"""The mathematics of lists, each by a case whose answer is known."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from rejoinder.items.catalogue import BehaviourLog
from rejoinder.store.behaviour import Deed
from rejoinder_recommendation.lists.diversity import diverse_orders
from rejoinder_recommendation.lists.nearest import NearestItems
from rejoinder_recommendation.lists.preference import learn_preference

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_index_finds_nearly_what_comparing_all_finds():
    vectors = np.random.default_rng(0).normal(size=(3000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact, index = NearestItems(vectors), NearestItems(vectors, exact=100)
    shared = [len(set(exact.find(one, 10)) & set(index.find(one, 10))) for one in vectors[:50]]
    assert np.mean(shared) >= 9


def test_a_like_item_goes_down_by_its_likeness():
    likeness = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    scores = np.array([[1.0, 0.8, 0.5]])
    assert diverse_orders(scores, likeness, 3, 0.5).tolist() == [[0, 2, 1]]
    assert diverse_orders(scores, likeness, 3, 0.0).tolist() == [[0, 1, 2]]


def test_the_posterior_is_that_of_one_weight_by_hand():
    found = learn_preference(np.array([0.0]), np.array([1.0]), np.ones((3, 1)), np.array([1.0, 1.0, 0.0]), noise=1.0)
    assert found.mean[0] == pytest.approx(2 / 4)  # precision 1 + 3, pull 2
    assert found.factor[0, 0] == pytest.approx(0.5)
    assert found.draws(4000, np.random.default_rng(0)).std() == pytest.approx(0.5, abs=0.03)


def test_programs_and_whoever_refused_are_left_out_of_the_log():
    deeds = [Deed(n, "click", NOON, "robot", None, "a", {}) for n in range(4)]
    deeds += [Deed(9, "click", NOON, "ann", None, "b", {}), Deed(10, "click", NOON, None, "visit", "c", {})]
    log = BehaviourLog.of(deeds, most_per_minute=3, refused=frozenset({"ann"}))
    assert log.items == ("c",)
    assert len(BehaviourLog.of(deeds, most_per_minute=3, refused=frozenset(), anonymous=False)) == 1
