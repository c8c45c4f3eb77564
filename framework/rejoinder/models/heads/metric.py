"""A smaller space in which the labels of a large data set lie further apart.

Directions in which examples of one label differ anyway are shrunk, and only the directions that carry most of what is left are kept.
With 10,000 examples of 77 labels this is a little better (banking77: 0.941 against 0.938, hwu64: 0.917 against 0.914) and faster; with
few examples per label there is too little to learn it from, so that it is used for large sets only.

Source: within-class covariance normalisation, Hatch, Kajarekar & Stolcke 2006, here shrunk towards the identity and cut by PCA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FEWEST_ROWS: Final = 3000
"""Fewer examples keep the encoder's own space."""

_DIMENSIONS: Final = 192
_SHRINKAGE: Final = 0.5


def fit_basis(vectors: Floats, columns: NDArray[np.intp]) -> Floats | None:
    """Return (dim, up to 192) float32 to multiply vectors with, or None below `FEWEST_ROWS` rows.

    Args:
        vectors: (n, dim) float32, rows L2-normalised.
        columns: (n,) labels' columns.
    """
    if len(vectors) < FEWEST_ROWS:
        return None
    _, label = np.unique(columns, return_inverse=True)
    sums = np.zeros((label.max() + 1, vectors.shape[1]))
    np.add.at(sums, label, vectors)
    means = sums / np.bincount(label)[:, None]
    rest = vectors - means[label]
    within = rest.T @ rest / len(rest)
    size = len(within)
    shrunk = (1 - _SHRINKAGE) * within + _SHRINKAGE * np.trace(within) / size * np.eye(size)
    values, axes = np.linalg.eigh(shrunk)
    whitening = (axes / np.sqrt(values)) @ axes.T
    whitened = vectors @ whitening
    _, main_axes = np.linalg.eigh(np.cov(whitened, rowvar=False))
    return np.ascontiguousarray(whitening @ main_axes[:, ::-1][:, :_DIMENSIONS], dtype=np.float32)


def project(vectors: Floats, basis: Floats | None) -> Floats:
    """Return vectors in the space of `basis`, rows L2-normalised; unchanged where `basis` is None."""
    if basis is None:
        return vectors
    moved: Floats = vectors @ basis
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    moved /= np.maximum(norms, 1e-12)
    return moved
