"""The space of a catalogue's texts: what all have in common, and the main directions in which they differ."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

__all__ = ["TextSpace", "unit_rows"]

_FACTORS: Final = 32


class TextSpace:
    """What is learned of the vectors of texts once, and used for those that come later too.

    Attributes:
        dim: of the vectors.

    Args:
        vectors: (items, dim) float32, rows of length 1, or 0 for an item without a vector.
    """

    def __init__(self, vectors: Any) -> None:
        self.dim = vectors.shape[1]
        some = _some(vectors)
        self._centre = vectors[some].mean(axis=0) if some.sum() > 1 else np.zeros(self.dim, dtype=np.float32)
        text = self.rows(vectors)
        self._directions = np.zeros((self.dim, 0), dtype=np.float32)
        if text.size:
            _, directions = np.linalg.eigh(text.T @ text)
            self._directions = directions[:, ::-1][:, :_FACTORS]

    def rows(self, vectors: Any) -> Any:
        """Return (items, dim) float32 without what the texts have in common, rows of length 1 or 0.

        Vectors of another encoder, which have another dimension, come back as they are until the space is learned anew.
        """
        if vectors.shape[1] != self.dim:
            return vectors
        return unit_rows(np.where(_some(vectors)[:, None], vectors - self._centre, 0).astype(np.float32))

    def factors(self, text: Any) -> Any:
        """Return (items, factors) float32, rows of length 1 or 0: what `rows` gave, in the main directions."""
        if text.shape[1] != self.dim:
            return np.zeros((len(text), self._directions.shape[1]), dtype=np.float32)
        return unit_rows(text @ self._directions)


def unit_rows(vectors: Any) -> Any:
    """Return vectors with rows of length 1, or 0 where they were (nearly) 0."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-9)


def _some(vectors: Any) -> Any:
    return np.linalg.norm(vectors, axis=1) > 0 if vectors.size else np.zeros(len(vectors), dtype=bool)
