"""What the ranker sees of each item: what the sources say of it, and what is known of the item itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from rejoinder_recommendation.candidates import SOURCES
from rejoinder_recommendation.conditional_logit import NO_CONTEXT, ConditionalLogit
from rejoinder_recommendation.histories import Bools, Floats, Histories, Ints
from rejoinder_recommendation.item_content import ItemContent
from rejoinder_recommendation.sources.source import Source
from rejoinder_recommendation.text_neighbours import TextNeighbours

__all__ = ["CONTENT", "CONTENT_COLUMNS", "FEATURES", "SIGNS", "Evidence", "add_content", "gather"]

_VIEWS: Final = 3
"""A score is seen by the ranker in so many forms."""
_DAY_S: Final = 86_400

CONTENT: Final = ("text", "paths", "lift")
"""The scores that items have which nobody has touched."""

FEATURES: Final = (
    *(f"{name}_{view}" for name in (*SOURCES, "lift") for view in ("z", "share", "place")),
    "neighbours_popularity",
    "popularity",
    "recency",
    "content",
    "untouched",
    "untouched_content",
)
_COLUMN: Final = {name: number for number, name in enumerate(FEATURES)}

CONTENT_COLUMNS: Final = [
    number
    for number, name in enumerate(FEATURES)
    if name.rpartition("_")[0] in CONTENT or name == "neighbours_popularity"
]

SIGNS: Final = np.array(
    [name not in ("popularity", "recency", "untouched", "neighbours_popularity") for name in FEATURES]
)
"""True for a feature of which more never counts against an item."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What one set of events says: its sources, and what is known of each item.

    Attributes:
        sources: by kind.
        neighbours: by text.
        neighbours_popularity: (items), mean logarithm of 1 + events of each item's neighbours.
        counts: (items), events of each.
        last: (items), seconds of each item's last event, minus infinity for one without.
    """

    sources: Mapping[str, Source]
    neighbours: TextNeighbours
    neighbours_popularity: Floats
    counts: Floats
    last: Floats

    def scores(self, queries: Histories) -> dict[str, Floats]:
        """Return (queries, items) by kind, and `lift`: what the item-based sources say of an item's neighbours by text."""
        found = {name: source.scores(queries) for name, source in self.sources.items()}
        return {**found, "lift": self.neighbours.lift(found["implicit_als"])}

    def features(self, scores: Mapping[str, Floats], now: float, ranked: Bools, items: Ints) -> Floats:
        """Return (chosen, features) for one query; those of the content ranker are still 0.

        Args:
            scores: by kind, each (all items).
            now: seconds.
            ranked: (all items), those that scores are seen in relation to.
            items: (chosen), whose features are wanted.
        """
        found = np.zeros((len(items), len(FEATURES)))
        others = np.flatnonzero(ranked)
        for number, name in enumerate((*SOURCES, "lift")):
            views = _views(scores[name][others], scores[name][items])
            found[:, number * _VIEWS : (number + 1) * _VIEWS] = views
        counts, last = self.counts[items], self.last[items]
        untouched = counts == 0
        days = np.abs(now - np.where(untouched, 0.0, last)) / _DAY_S
        found[:, _COLUMN["neighbours_popularity"]] = self.neighbours_popularity[items]
        found[:, _COLUMN["popularity"]] = np.log1p(counts)
        found[:, _COLUMN["recency"]] = np.where(untouched, 0.0, -np.log1p(days))
        found[:, _COLUMN["untouched"]] = untouched
        return found


def gather(events: Histories, content: ItemContent, sources: Mapping[str, Source]) -> Evidence:
    """Return what events say, given the sources fitted on them."""
    last = np.full(events.n_items, -np.inf)
    np.maximum.at(last, events.items, events.seconds)
    counts = events.counts
    neighbours = TextNeighbours(content.vectors, counts > 0)
    return Evidence(sources, neighbours, neighbours.lift(np.log1p(counts)), counts, last)


def add_content(features: Floats, content: ConditionalLogit) -> None:
    """Write the content ranker's score into (..., features), and again for items that nobody has touched.

    Of these, its score alone says what their neighbours' popularity means: for touched items that is read against their own.
    """
    score = content.scores(features[..., CONTENT_COLUMNS], NO_CONTEXT)
    untouched = features[..., _COLUMN["untouched"]]
    features[..., _COLUMN["content"]] = score
    features[..., _COLUMN["untouched_content"]] = score * untouched
    features[..., _COLUMN["neighbours_popularity"]] *= 1 - untouched


def _views(ranked: Floats, scores: Floats) -> Floats:
    """Return (chosen, 3): the score in standard deviations, as a share of the best, and its place: minus log2(place), ties last.

    Args:
        ranked: (any), the scores to see it in relation to.
        scores: (chosen).
    """
    spread, best = ranked.std(), ranked.max()
    place = len(ranked) - np.searchsorted(np.sort(ranked), scores)
    z = (scores - ranked.mean()) / spread if spread > 0 else np.zeros_like(scores)
    share = scores / best if best > 0 else np.zeros_like(scores)
    return np.stack([z, np.clip(share, -1, 1), -np.log2(np.maximum(place, 1))], axis=1)
