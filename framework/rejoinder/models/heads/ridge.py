"""Kernel ridge regression on one-hot targets, and its closed-form cross-validation.

With K the kernel and G = (K + R)^-1 (R diagonal), the weights are A = G Y, and leaving any block B of rows out gives, without a new fit,
predictions Y_B - (G_BB)^-1 A_B (for one row: y - a / g). So honest predictions for every example cost one inverse.

Source: Saunders, Gammerman & Vovk 1998, Ridge regression learning algorithm in dual variables; Cawley & Talbot 2003, Efficient
leave-one-out cross-validation of kernel Fisher discriminant classifiers (blocks: An, Liu & Venkatesh 2007, Fast cross-validation
algorithms for least squares support vector machine and kernel ridge regression).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def factor(kernel: Floats, ridge: Floats) -> Floats:
    """Return the lower Cholesky factor of `kernel` + diag(`ridge`); `kernel` (n, n) float32 is overwritten."""
    kernel[np.diag_indices(len(kernel))] += ridge
    # The transpose of a symmetric matrix is itself, but in the order that LAPACK works on without a copy.
    lower: Floats = linalg.cholesky(kernel.T, lower=True, overwrite_a=True, check_finite=False)
    return lower


def solve(lower: Floats, targets: Floats) -> Floats:
    """Return the weights (n, n_columns) for targets of that shape, given `factor`'s result."""
    weights: Floats = linalg.cho_solve((lower, True), targets, check_finite=False)
    return weights


def extend(lower: Floats, between: Floats, within: Floats, ridge: Floats) -> Floats:
    """Add m rows to an n-row factor in O(n^2 m): `between` (n, m) and `within` (m, m) are kernels old-new and new-new."""
    old, new = between.shape
    cross = linalg.solve_triangular(lower, between, lower=True, check_finite=False)
    corner = linalg.cholesky(within + np.diag(ridge) - cross.T @ cross, lower=True, check_finite=False)
    grown = np.zeros((old + new, old + new), dtype=np.float32)
    grown[:old, :old] = lower
    grown[old:, :old] = cross.T
    grown[old:, old:] = corner
    return grown


def inverse(lower: Floats) -> Floats:
    """Return the full inverse (n, n) from `factor`'s result, which is overwritten."""
    result, status = linalg.lapack.spotri(lower, lower=1, overwrite_c=1)
    if status:
        raise np.linalg.LinAlgError(f"spotri: {status}")
    upper = np.tril(result, -1).T
    full: Floats = np.tril(result) + upper
    return full


def leave_one_out(inverted: Floats, weights: Floats, targets: Floats) -> Floats:
    """Return for every row the prediction of a model fitted without it: (n, n_columns)."""
    result: Floats = targets - weights / np.diag(inverted)[:, None]
    return result


def leave_block_out(
    inverted: Floats, weights: Floats, targets: Floats, block: Sequence[int] | NDArray[np.intp]
) -> Floats:
    """Return the predictions for the rows of `block` of a model fitted without all of them: (n_block, n_columns)."""
    rows = np.asarray(block)
    result: Floats = targets[rows] - np.linalg.solve(inverted[np.ix_(rows, rows)], weights[rows])
    return result
