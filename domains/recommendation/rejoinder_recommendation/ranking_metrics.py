"""Figures of ranked lists in which one item is right."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from rejoinder_recommendation.histories import Bools, Floats, Ints

__all__ = ["CUT", "bootstrap_interval", "ndcg", "ranks", "recall"]

CUT: Final = 10
_RESAMPLES: Final = 10_000
_CHUNK: Final = 500


def ranks(scores: Floats, ranked: Bools, targets: Ints) -> Ints:
    """Return the place of each row's target among the items ranked for it, from 1; who ties with the target stands before it.

    Args:
        scores: (rows, items).
        ranked: (rows, items); the targets are among them.
        targets: (rows).
    """
    own = np.take_along_axis(scores, targets[:, None], axis=1)
    return np.asarray(((scores >= own) & ranked).sum(axis=1))


def ndcg(places: Ints) -> Floats:
    """Return NDCG@10 of each list: 1 / log2(1 + place) up to place 10, else 0 (with one right item the ideal is 1)."""
    return np.where(places <= CUT, 1 / np.log2(1.0 + places), 0.0)


def recall(places: Ints) -> Floats:
    """Return Recall@10 of each list: 1 where the right item is among the first 10, else 0."""
    return (places <= CUT).astype(np.float64)


def bootstrap_interval(ours: Floats, theirs: Floats, *, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `ours - theirs`, by resampling the pairs 10,000 times.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval).
    """
    differences = ours - theirs
    random = np.random.default_rng(seed)
    means = [
        differences[random.integers(0, len(differences), size=(_CHUNK, len(differences)))].mean(axis=1)
        for _ in range(math.ceil(_RESAMPLES / _CHUNK))
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)
