"""What changed between two sets of documents: which documents drove it, which topics and words there are more of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rejoinder.graph.common_words import STOP_WORDS
from rejoinder.graph.spans import words_of
from rejoinder.store.trends import Document

__all__ = ["drivers", "more_of", "terms"]

_PRIOR: Final = 0.5
"""Of each word in the prior, beside what both sets have of it."""
_LEAST_Z: Final = 1.0
_LEAST_DOCUMENTS: Final = 2
_LEAST_LETTERS: Final = 3


def drivers(documents: Iterable[Document], *, rose: bool, limit: int) -> list[Document]:
    """Return the documents that pull the mean the most, down or up; none that pulls the other way."""
    sign = -1.0 if rose else 1.0
    pulling = [one for one in documents if one.score is not None and sign * one.score < 0.0]
    return sorted(pulling, key=lambda one: (sign * (one.score or 0.0), one.at, one.id))[:limit]


def terms(now: Sequence[Document], before: Sequence[Document], *, without: Iterable[str], limit: int) -> list[str]:
    """Return the words that are in more of the documents than before, most surprising first.

    Log-odds with an informative Dirichlet prior of how many documents have a word, divided by its standard deviation (Monroe, Colaresi and
    Quinn, "Fightin' Words", Political Analysis 16, 2008, section 3.4.2); those above 1, in two documents at least.

    Args:
        without: names of companies, whose words say nothing.
    """
    left_out = STOP_WORDS | {word.text for name in without for word in words_of(name)}
    here, there = _counted(now, left_out), _counted(before, left_out)
    both = {word: here[word] + there[word] + _PRIOR for word in here.keys() | there.keys()}
    total, all_here, all_there = sum(both.values()), here.total(), there.total()
    scored = []
    for word, count in here.items():
        if count < _LEAST_DOCUMENTS:
            continue
        prior = both[word]
        odds_here = (count + prior) / (all_here + total - count - prior)
        odds_there = (there[word] + prior) / (all_there + total - there[word] - prior)
        deviation = math.sqrt(1.0 / (count + prior) + 1.0 / (there[word] + prior))
        z = (math.log(odds_here) - math.log(odds_there)) / deviation if odds_here > 0 and odds_there > 0 else 0.0
        if z >= _LEAST_Z:
            scored.append((-z, word))
    return [word for _, word in sorted(scored)[:limit]]


def more_of(
    now: Mapping[str, int], all_now: int, before: Mapping[str, int], all_before: int
) -> list[tuple[str, int, int]]:
    """Return the topics with a larger share of the documents than before, largest gain first, with their counts now and before."""
    gains = []
    for topic, count in now.items():
        earlier = before.get(topic, 0)
        gain = count / max(1, all_now) - earlier / max(1, all_before)
        if gain > 0:
            gains.append((-gain, topic, count, earlier))
    return [(topic, count, earlier) for _, topic, count, earlier in sorted(gains)]


def _counted(documents: Sequence[Document], left_out: frozenset[str] | set[str]) -> Counter[str]:
    """Return in how many documents each word is."""
    counted: Counter[str] = Counter()
    for one in documents:
        words = {word.text for word in words_of(one.text[:2000])}
        counted.update(
            word for word in words if len(word) >= _LEAST_LETTERS and word.isalpha() and word not in left_out
        )
    return counted
