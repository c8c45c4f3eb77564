"""Find groups of questions that are about one thing.

Groups: average-linkage clustering of sentence vectors, cut where the mean cosine of two groups falls below `LIKENESS`; what is in no group
of the wanted size stays alone. On clinc150 with withheld intents 93 % of its groups are about one of these, and 60 % of those of HDBSCAN
(McInnes, Healy & Astels 2017), which finds 78 % of the withheld intents in place of 73 %: see benchmarks/review.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.models.learner import FloatArray

LIKENESS: Final = 0.45
"""Two groups are one where the questions of the one have this mean cosine to those of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of questions about one thing, the one nearest to the middle first, and the mean of their vectors, L2-normalised."""

    rows: tuple[int, ...]
    centroid: FloatArray


def groups_of(vectors: FloatArray, *, least: int, likeness: float = LIKENESS) -> list[Group]:
    """Return groups of at least `least` questions, the largest first.

    Args:
        vectors: (n, dim) float32, L2-normalised, one for each different question; zeros for one without a word, which is in no group.
        least: >= 2.
        likeness: mean cosine in (0, 1) from which on two groups are one.

    Example:
        >>> found = groups_of(np.float32([[1, 0], [0.99, 0.14], [0.97, 0.24], [0, 1]]), least=3)
        >>> [group.rows for group in found]
        [(1, 2, 0)]
    """
    worded = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0)
    if len(worded) < max(2, least):
        return []
    from sklearn.cluster import AgglomerativeClustering

    clusters = AgglomerativeClustering(
        n_clusters=None, distance_threshold=1.0 - likeness, metric="cosine", linkage="average"
    )
    of_row: NDArray[np.int64] = clusters.fit_predict(vectors[worded])
    found = []
    for number in range(int(of_row.max()) + 1):
        rows = worded[of_row == number]
        if len(rows) < least:
            continue
        middle = vectors[rows].mean(axis=0)
        centroid = (middle / max(float(np.linalg.norm(middle)), 1e-12)).astype(np.float32)
        order = np.argsort(-(vectors[rows] @ centroid), kind="stable")
        found.append(Group(rows=tuple(rows[order].tolist()), centroid=centroid))
    return sorted(found, key=lambda group: (-len(group.rows), group.rows))
