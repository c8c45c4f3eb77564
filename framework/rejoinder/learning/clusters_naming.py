"""Give groups of questions names.

Phrases that tell a group from all other questions are found by class-based TF-IDF, tf * log(1 + A / f) (Grootendorst 2022, BERTopic,
arXiv:2203.05794, section 3.3); the one whose vector is nearest to the group's middle becomes its name, as KeyBERT chooses keywords
(Grootendorst 2020). On clinc150 with withheld intents a name so holds a word of the true intent's name more often than the two best words
of the TF-IDF do: see benchmarks/review.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rejoinder.documents.words import STOP_WORDS, stem
from rejoinder.labels import humanised

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rejoinder.learning.clusters_grouping import Group
    from rejoinder.models.learner import FloatArray

__all__ = ["GroupName", "label_of", "names_of", "phrases_of"]

KEYWORDS: Final = 5
MOST_PHRASES: Final = 40
_LONGEST: Final = 3
"""Words of a phrase."""
_COMMON: Final = 0.2
"""A phrase stands in this share of a group's questions at least, and in two, so that no group is named after one person's words."""

_WORD: Final = r"(?u)\b\w[\w']*\b"
_NOT_TELLING: Final = STOP_WORDS | frozenset(
    word
    for words in (
        "all am any ask can't cant could couldn didn doesn don don't get getting give go going got hello help hey hi how's i'd i'll i'm",
        "i've im isn it's know let like ll make many me much need ok okay really s see some t tell thank thanks that's up us ve want",
        "way what's yes",
    )
    for word in words.split()
)
"""Words that say nothing of what a question is about."""
_NOT_OF_A_LABEL: Final = re.compile(r"[^\w]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """What to call a group: as people read it, and the words that tell it from other questions, the most telling first."""

    title: str
    keywords: tuple[str, ...]


def phrases_of(texts: Sequence[str], groups: Sequence[Group]) -> list[tuple[str, ...]]:
    """Return for each group the phrases of up to three words that tell it from other questions, the most telling first.

    Args:
        texts: all questions, those in no group among them: they tell which words are common.
    """
    if not groups:
        return []
    from sklearn.feature_extraction.text import CountVectorizer

    alone = set(range(len(texts))) - {row for group in groups for row in group.rows}
    counter = CountVectorizer(ngram_range=(1, _LONGEST), stop_words=sorted(_NOT_TELLING), token_pattern=_WORD)
    try:
        counts: Any = counter.fit_transform(texts)
    except ValueError:  # nothing but stop words
        return [() for _ in groups]
    phrases = counter.get_feature_names_out()
    classes = [list(group.rows) for group in groups] + ([sorted(alone)] if alone else [])
    frequency = np.stack([np.asarray(counts[rows].sum(axis=0)).ravel() for rows in classes]).astype(np.float64)
    rarity = np.log1p(frequency.sum(axis=1).mean() / np.maximum(frequency.sum(axis=0), 1.0))
    found = []
    for group, own in zip(groups, frequency, strict=False):
        shared: NDArray[np.int64] = np.asarray((counts[list(group.rows)] > 0).sum(axis=0)).ravel()
        weight = own / own.sum() * rarity if own.sum() else own
        weight[(shared < 2) | (shared < _COMMON * len(group.rows))] = 0.0
        order = np.argsort(-weight, kind="stable")
        found.append(tuple(str(phrases[place]) for place in order[:MOST_PHRASES] if weight[place] > 0))
    return found


def names_of(
    texts: Sequence[str],
    groups: Sequence[Group],
    phrases: Sequence[Sequence[str]],
    vectors: Mapping[str, FloatArray],
) -> list[GroupName]:
    """Return a name for each group; one whose questions have no telling words in common is named by the nearest to its middle.

    Args:
        texts: all questions.
        phrases: `phrases_of` these groups.
        vectors: (dim,), L2-normalised, by phrase.
    """
    named = []
    for group, own in zip(groups, phrases, strict=True):
        if not own:
            named.append(GroupName(title=texts[group.rows[0]], keywords=()))
            continue
        central = max(own, key=lambda phrase: float(vectors[phrase] @ group.centroid))
        title = central if " " in central else _with_another(central, own)
        named.append(GroupName(title=humanised(title), keywords=tuple(_without_parts(own)[:KEYWORDS])))
    return named


def label_of(title: str) -> str:
    """Return a title as a label.

    Example:
        >>> label_of("Lost luggage: claim")
        'lost_luggage_claim'
    """
    return _NOT_OF_A_LABEL.sub("_", title.casefold()).strip("_")[:100]


def _with_another(word: str, phrases: Sequence[str]) -> str:
    """Return a word with the most telling other one after it: one word alone says little."""
    others = (one for one in phrases if one.isalpha() and stem(one) != stem(word))
    return " ".join((word, *([other] if (other := next(others, None)) is not None else [])))


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
