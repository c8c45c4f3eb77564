"""Find groups of questions that are about one thing, and give each a name.

Groups: average-linkage clustering of sentence vectors, cut where the mean cosine of two groups falls below `LIKENESS`; what is in no group
of the wanted size stays alone. On clinc150 with withheld intents 93 % of its groups are about one of these, and 60 % of those of HDBSCAN
(McInnes, Healy & Astels 2017), which finds 78 % of the withheld intents in place of 73 %: see benchmarks/review.py.

Names: class-based TF-IDF, tf * log(1 + A / f), of the words of a group against those of all questions (Grootendorst 2022, BERTopic,
arXiv:2203.05794, section 3.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder.labels import humanised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rejoinder.models.learner import FloatArray

LIKENESS: Final = 0.45
"""Two groups are one where the questions of the one have this mean cosine to those of the other."""

KEYWORDS: Final = 5
_NAMED_BY: Final = 2
_COMMON: Final = 0.3
"""A keyword stands in this share of a group's questions at least, and in two, so that no group is named after one person's words."""

_NOT_OF_A_LABEL: Final = re.compile(r"[^\w]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of questions about one thing, the one nearest to the middle first, and the mean of their vectors, L2-normalised."""

    rows: tuple[int, ...]
    centroid: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """What to call a group: as people read it, and the words that tell it from other questions, the most telling first."""

    title: str
    keywords: tuple[str, ...]


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


def names_of(texts: Sequence[str], groups: Sequence[Group]) -> list[GroupName]:
    """Return a name for each group of questions; one whose questions have no telling word in common is named by the nearest to its middle.

    Args:
        texts: all questions, those in no group among them: they tell which words are common.
    """
    if not groups:
        return []
    from sklearn.feature_extraction.text import CountVectorizer

    alone = set(range(len(texts))) - {row for group in groups for row in group.rows}
    counter = CountVectorizer(ngram_range=(1, 2), stop_words="english")
    try:
        counts = counter.fit_transform(texts)
    except ValueError:  # nothing but stop words
        return [GroupName(title=texts[group.rows[0]], keywords=()) for group in groups]
    words = counter.get_feature_names_out()
    classes = [list(group.rows) for group in groups] + ([sorted(alone)] if alone else [])
    frequency = np.stack([np.asarray(counts[rows].sum(axis=0)).ravel() for rows in classes]).astype(np.float64)
    rarity = np.log1p(frequency.sum(axis=1).mean() / np.maximum(frequency.sum(axis=0), 1.0))
    named = []
    for group, own in zip(groups, frequency, strict=False):
        shared = np.asarray((counts[list(group.rows)] > 0).sum(axis=0)).ravel()
        weight = own / own.sum() * rarity if own.sum() else own
        weight[(shared < 2) | (shared < _COMMON * len(group.rows))] = 0.0
        ranked = [str(words[place]) for place in np.argsort(-weight, kind="stable") if weight[place] > 0]
        keywords = _without_parts(ranked)[:KEYWORDS]
        own_words = dict.fromkeys(" ".join(keywords[:_NAMED_BY]).split())
        title = humanised(" ".join(own_words)) if own_words else texts[group.rows[0]]
        named.append(GroupName(title=title, keywords=tuple(keywords)))
    return named


def label_of(title: str) -> str:
    """Return a title as a label.

    Example:
        >>> label_of("Lost luggage: claim")
        'lost_luggage_claim'
    """
    return _NOT_OF_A_LABEL.sub("_", title.casefold()).strip("_")[:100]


def _without_parts(ranked: Sequence[str]) -> list[str]:
    """Return keywords without those whose words a better one holds, or that hold a better one's: a phrase takes its word's place."""
    kept: list[str] = []
    for one in ranked:
        own = set(one.split())
        inside = [place for place, other in enumerate(kept) if set(other.split()) < own]
        if inside:
            kept[inside[0]] = one
            for place in reversed(inside[1:]):
                del kept[place]
        elif not any(own <= set(other.split()) for other in kept):
            kept.append(one)
    return kept
