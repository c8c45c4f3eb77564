"""How sure to be: the threshold from which enough is right, with a margin for how much groups of examples differ.

Enough: the lower end of a one-sided 95% interval of the precision reaches what is wanted; where none does, the precision itself. The
variance is that of a ratio of sums over groups (Cochran 1977, Sampling Techniques, section 6.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["choose_threshold"]

_FEWEST: Final = 20.0
"""Least weight of held-out pairs above a threshold that says anything of its precision."""
_ONE_SIDED_95: Final = 1.645
"""Standard errors from the precision to the lower end of its interval."""
_UNSURE: Final = 0.5
"""Threshold where there are too few examples to learn one."""


def choose_threshold(
    likely: Floats, right: NDArray[np.bool_], weight: Floats, group: NDArray[np.intp], precision: float
) -> dict[str, float]:
    """Return the lowest probability above which enough is right.

    Args:
        likely: (n,) probabilities of what was held out.
        right: (n,) whether it holds.
        weight: (n,) importance of each, > 0.
        group: (n,) numbers from 0 on: what is wrong in one of a group is mostly wrong in all.
        precision: wanted, in (0, 1).
    Returns:
        `threshold`; `precision` and `recall` there, 0 where there are too few examples to say anything.
    """
    order = np.argsort(-likely, kind="stable")
    said = weight[order].astype(np.float64)
    hits = said * right[order]
    total_said, total_hits = np.cumsum(said), np.cumsum(hits)
    share = total_hits / total_said
    own_said, own_hits = _running(said, group[order]), _running(hits, group[order])
    squares = _growth(own_hits, own_hits, hits, hits)
    mixed = _growth(own_hits, own_said, hits, said)
    squares_said = _growth(own_said, own_said, said, said)
    error = np.sqrt(np.maximum(0.0, squares - 2 * share * mixed + share**2 * squares_said)) / total_said
    for margin in (_ONE_SIDED_95, 0.0):
        good = np.flatnonzero((share - margin * error >= precision) & (total_said >= _FEWEST))
        if len(good):
            last = good[-1]
            return {
                "threshold": float(likely[order][last]),
                "precision": float(share[last]),
                "recall": float(total_hits[last] / total_hits[-1]),
            }
    return {"threshold": _UNSURE, "precision": 0.0, "recall": 0.0}


def _running(amounts: NDArray[np.float64], group: NDArray[np.intp]) -> NDArray[np.float64]:
    """The sum of each row's group up to and with the row."""
    order = np.argsort(group, kind="stable")
    summed = np.cumsum(amounts[order])
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    before = np.concatenate([[0.0], summed])[first]
    found = np.empty_like(summed)
    found[order] = summed - np.repeat(before, np.diff(np.append(first, len(order))))
    return found


def _growth(
    left: NDArray[np.float64], right: NDArray[np.float64], to_left: NDArray[np.float64], to_right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The sum over groups of the product of two running sums, after each row; the last two say what the row added to each."""
    found: NDArray[np.float64] = np.cumsum(left * right - (left - to_left) * (right - to_right))
    return found
