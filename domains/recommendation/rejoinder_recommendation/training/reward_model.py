"""A model of rewards for doubly robust estimates: how welcome an item of some score is at some position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rejoinder_recommendation.histories import Floats, Ints

__all__ = ["RewardModel", "fit_by_folds"]

_PENALTY: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RewardModel:
    """Ridge regression of the reward on the item's score and the position's discount, cut to [0, 1]."""

    weights: Floats

    def predict(self, scores: Floats, positions: Ints) -> Floats:
        """Return rewards in [0, 1], one for each score and position (from 0)."""
        return np.asarray(np.clip(_features(scores, positions) @ self.weights, 0.0, 1.0))


def fit_by_folds(scores: Floats, positions: Ints, rewards: Floats, folds: Ints) -> list[RewardModel]:
    """Return two models, the first for fold 0, which it did not see, the second for fold 1 (cross-fitting).

    Args:
        scores, positions, rewards, folds: of items that were shown, the same length; `folds` is 0 or 1, the same for all of a person.
    """
    features = _features(scores, positions)
    found = []
    for fold in (0, 1):
        own = features[folds != fold]
        gram = own.T @ own + _PENALTY * np.eye(features.shape[1])
        found.append(RewardModel(np.linalg.solve(gram, own.T @ rewards[folds != fold])))
    return found


def _features(scores: Floats, positions: Ints) -> Floats:
    discount = 1 / np.log2(positions + 2.0)
    return np.stack([np.ones_like(scores), discount, scores, discount * scores], axis=1)
