"""The linear ranker."""

from __future__ import annotations

import numpy as np
import pytest
from rejoinder_recommendation.conditional_logit import NO_CONTEXT, Lists, _loss, fit_conditional_logit


def drawn_lists(n_lists: int, n_items: int, weights: list[float]) -> Lists:
    """Lists whose right item, the first, is drawn by the softmax of the weighted features."""
    random = np.random.default_rng(0)
    features = random.normal(size=(n_lists, n_items, len(weights)))
    odds = features @ np.array(weights) + random.gumbel(size=(n_lists, n_items))
    for one, chosen in zip(features, odds.argmax(axis=1), strict=True):
        one[[0, chosen]] = one[[chosen, 0]]
    starts = np.arange(n_lists) * n_items
    return Lists(features.reshape(-1, len(weights)), np.zeros(n_lists * n_items), starts, np.ones((n_lists, 1)))


def test_the_weights_that_drew_the_lists_are_found() -> None:
    lists = drawn_lists(1500, 8, [1.0, -0.7, 0.0])

    found = fit_conditional_logit(lists, signs=np.zeros(3, dtype=bool), seed=0)

    assert found.weights[0] == pytest.approx([1.0, -0.7, 0.0], abs=0.12)
    assert found.scores(np.array([[2.0, 1.0, 0.0]]), NO_CONTEXT) == pytest.approx(found.weights @ [2, 1, 0])


def test_weights_follow_the_context_in_which_lists_were_drawn() -> None:
    one, other = drawn_lists(1500, 8, [1.0, 0.2]), drawn_lists(1500, 8, [0.2, 1.0])
    features, offsets = np.concatenate([one.features, other.features]), np.concatenate([one.offsets, other.offsets])
    starts = np.concatenate([one.starts, other.starts + len(one.features)])
    lists = Lists(features, offsets, starts, np.repeat(np.eye(2), 1500, axis=0))

    found = fit_conditional_logit(lists, signs=np.ones(2, dtype=bool), seed=0)

    assert found.weights == pytest.approx(np.array([[1.0, 0.2], [0.2, 1.0]]), abs=0.12)
    between = found.scores(np.eye(2), np.array([0.5, 0.5]))
    assert between == pytest.approx(found.weights.mean(axis=0))


def test_a_weight_with_a_sign_is_never_negative() -> None:
    found = fit_conditional_logit(drawn_lists(200, 8, [1.0, -0.7]), signs=np.array([True, True]), seed=0)

    assert found.weights[0, 1] == 0
    assert found.weights[0, 0] > 0.5


def test_the_gradient_is_the_loss_s() -> None:
    lists = drawn_lists(5, 4, [1.0, 1.0])
    offsets = np.random.default_rng(1).normal(size=20)
    contexts = np.random.default_rng(2).random((5, 2))
    lists = Lists(lists.features, offsets, lists.starts, contexts)
    weights, step = np.array([0.3, -0.4, 0.1, 0.2]), 1e-6

    gradient = _loss(weights, lists, 2.0)[1]

    for number in range(4):
        moved = [_loss(weights + sign * step * np.eye(4)[number], lists, 2.0)[0] for sign in (1, -1)]
        assert gradient[number] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-5)
