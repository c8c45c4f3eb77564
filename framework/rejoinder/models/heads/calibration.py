"""Scores to probabilities that mean what they say.

Source: Guo et al. 2017, On calibration of modern neural networks (arXiv:1706.04599): one temperature, fitted on scores of examples the
model was not fitted on; Platt 1999 for the two-class case, with his smoothed targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import optimize, special

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_SHARPNESS: Final = 8.0
"""Used where there are too few examples to fit one; ridge scores of the right and the wrong labels differ by some 0.3 to 0.8."""

_FEWEST_ROWS: Final = 10


def probabilities(scores: NDArray[np.float32], sharpness: float) -> NDArray[np.float32]:
    """Return softmax(`sharpness` * `scores`) along the last axis."""
    scaled = sharpness * (scores - scores.max(axis=-1, keepdims=True))
    powers = np.exp(scaled)
    result: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def fit_sharpness(scores: NDArray[np.float32], truth: NDArray[np.intp]) -> float:
    """Return the inverse temperature in [1, 100] under which held-out scores (n, n_labels) explain the true columns best.

    Fewer than ten rows or fewer than two labels say nothing: `DEFAULT_SHARPNESS`.
    """
    if len(scores) < _FEWEST_ROWS or scores.shape[1] < 2:
        return DEFAULT_SHARPNESS
    rows = np.arange(len(truth))

    def loss(log_sharpness: float) -> float:
        scaled = np.exp(log_sharpness) * scores.astype(np.float64)
        return float((special.logsumexp(scaled, axis=1) - scaled[rows, truth]).mean())

    found = optimize.minimize_scalar(loss, bounds=(0.0, np.log(100.0)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def fit_logistic(positive: NDArray[np.float32], negative: NDArray[np.float32]) -> tuple[float, float]:
    """Return slope > 0 and offset such that sigmoid(slope * x + offset) tells positive from negative scores, both sides weighted alike.

    Empty sides say nothing: a gentle slope through the middle of what is there.
    """
    if not len(positive) or not len(negative):
        middle = float(np.mean(np.concatenate([positive, negative]))) if len(positive) + len(negative) else 0.0
        return 4.0, -4.0 * (middle - 0.25 if len(positive) else middle + 0.25)
    values = np.concatenate([positive, negative]).astype(np.float64)
    target = np.concatenate(
        [
            np.full(len(positive), (len(positive) + 1) / (len(positive) + 2)),
            np.full(len(negative), 1 / (len(negative) + 2)),
        ]
    )
    weight = np.concatenate([np.full(len(positive), 0.5 / len(positive)), np.full(len(negative), 0.5 / len(negative))])

    def loss(parameters: NDArray[np.float64]) -> float:
        z = np.exp(parameters[0]) * values + parameters[1]
        return float((weight * (np.logaddexp(0.0, z) - target * z)).sum())

    found = optimize.minimize(loss, np.array([np.log(4.0), -4.0 * values.mean()]), method="Nelder-Mead")
    return float(np.exp(min(found.x[0], 6.0))), float(found.x[1])
