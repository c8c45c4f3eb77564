"""Learning from what a text is not: its label is one of those that nobody rejected.

Such a text gets soft targets: what a model that was fitted without it says, with the rejected labels taken out and the others made to add
up to 1 again. It counts as much as that model is sure of the best of them, so that a guess moves little, and grows with every fit.

Source: Jin & Ghahramani 2002, Learning with multiple labels (one step of their EM over the labels that may be right); a rejected label is
a complementary one in the sense of Ishida et al. 2017 (arXiv:1705.07541) and Yu et al. 2018 (arXiv:1711.09535).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rejoinder.models.heads.calibration import probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


class Candidates(NamedTuple):
    """`targets` (n, n_columns): rows add up to 1, or are 0 where every label was rejected; `certainty` (n,): the largest of each row."""

    targets: Floats
    certainty: Floats


def candidate_targets(scores: Floats, sharpness: float, rejected: NDArray[np.bool_]) -> Candidates:
    """Return what texts with rejected labels should be taught as.

    Args:
        scores: (n, n_columns) of a model that was not told of these rejections.
        sharpness: of the model, see `rejoinder.models.heads.calibration`.
        rejected: (n, n_columns) the labels that a text is not.

    Example:
        >>> candidate_targets(np.array([[3.0, 0.0, 0.0]]), 1.0, np.array([[True, False, False]])).targets
        array([[0. , 0.5, 0.5]])
    """
    left = np.where(rejected, -np.inf, scores)
    some = np.isfinite(left).any(axis=1)
    targets = np.zeros_like(scores)
    targets[some] = probabilities(left[some], sharpness)
    return Candidates(targets, targets.max(axis=1))
