"""Which questions a person should label: those whose label would teach the model the most.

A question counts the more, the less sure the model is of it (margin), the more others are like it (density), and the further it is from
those that are chosen already (diversity): a batch of the merely most uncertain ones asks the same thing twice, and finds oddities that
nobody asks again.

Source: Scheffer, Decomain & Wrobel 2001, for the margin; Settles & Craven 2008, An analysis of active learning strategies for sequence
labeling tasks (D08-1112), section 3.3, for information density; Sener & Savarese 2018 (arXiv:1708.00489), for the greedy k-center, here
weighted by the product of the two. benchmarks/review.py compares it with chance, with the margin alone and with BADGE (Ash et al. 2020,
arXiv:1906.03671).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rejoinder.models.learner import FloatArray, Prediction

NEIGHBOURS: Final = 10
"""A question's density is its mean cosine to so many others, the nearest."""

_LEAST: Final = 1e-3


def choose_questions(vectors: FloatArray, doubt: NDArray[np.float64], limit: int) -> list[int]:
    """Return the rows to ask about, the most useful first, at most `limit`.

    Args:
        vectors: (n, dim) float32 of the base encoder, L2-normalised, one for each different text.
        doubt: (n,) how unsure the model is of each, in [0, 1].
        limit: >= 0.

    Raises:
        InvalidInputError: the two are not equally many, or `limit` is below 0.

    Example:
        >>> texts = np.float32([[1, 0], [0.96, 0.28], [0, 1], [0.28, 0.96]])
        >>> choose_questions(texts, np.array([0.9, 0.8, 0.5, 0.1]), 2)
        [1, 2]
    """
    if limit < 0 or len(vectors) != len(doubt):
        raise InvalidInputError(
            f"{len(vectors)} vectors, {len(doubt)} doubts and a limit of {limit} do not fit together"
        )
    count = len(vectors)
    if count == 0:
        return []
    cosines = vectors @ vectors.T
    worth = np.maximum(doubt, _LEAST) * _density(cosines)
    distance = np.ones(count)
    chosen: list[int] = []
    for _ in range(min(limit, count)):
        best = int(np.argmax(worth * distance))
        chosen.append(best)
        distance = np.minimum(distance, np.maximum(1.0 - cosines[:, best], _LEAST))
        worth[best] = -1.0
    return chosen


def doubts(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """Return how unsure a model is: 1 less what lies between the probabilities of its two best labels, (n,) in [0, 1].

    What a person settled is not in doubt.
    """
    return np.array([_doubt(one) for one in predictions])


def _doubt(prediction: Prediction) -> float:
    if prediction.source == "memory":
        return 0.0
    best, second = [*(share for _, share in prediction.ranking), 0.0, 0.0][:2]
    return float(np.clip(1.0 - (best - second), 0.0, 1.0))


def _density(cosines: FloatArray) -> NDArray[np.float64]:
    """Return the mean cosine of each row to its nearest others, above 0; 1 where there is no other."""
    count = min(NEIGHBOURS, len(cosines) - 1)
    if count == 0:
        return np.ones(1)
    nearest = np.partition(cosines, len(cosines) - 1 - count, axis=1)[:, -1 - count :]  # itself among them
    mean: NDArray[np.float64] = np.maximum((nearest.sum(axis=1, dtype=np.float64) - 1.0) / count, _LEAST)
    return mean
