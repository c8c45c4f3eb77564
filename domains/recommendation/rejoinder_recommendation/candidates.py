"""All sources, each with the settings that suit the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rejoinder_recommendation.histories import Bools, Floats, Histories, Ints
from rejoinder_recommendation.hold_out import HoldOut
from rejoinder_recommendation.item_content import ItemContent
from rejoinder_recommendation.journal import Journal, Settings
from rejoinder_recommendation.ranking_metrics import ndcg, ranks
from rejoinder_recommendation.sources.ease import Ease
from rejoinder_recommendation.sources.graph_paths import GraphPaths
from rejoinder_recommendation.sources.implicit_als import ImplicitAls
from rejoinder_recommendation.sources.item_knn import ItemKnn
from rejoinder_recommendation.sources.popularity import Popularity
from rejoinder_recommendation.sources.source import Source
from rejoinder_recommendation.sources.text_interest import TextInterest
from rejoinder_recommendation.sources.transitions import Transitions

__all__ = [
    "SETTINGS",
    "SOURCES",
    "Chosen",
    "Settings",
    "choose_settings",
    "fit_sources",
    "places",
    "slices",
    "source_types",
]

_Fit = Callable[..., Source]

_QUERIES: Final = 64
"""So many users are scored at once."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How to fit one kind of source, and the settings to choose among: as many for each kind."""

    fit: _Fit
    settings: tuple[Settings, ...]


def _popularity(events: Histories, content: ItemContent, seed: int, **settings: Any) -> Source:
    return Popularity(events, **settings)


def _item_knn(events: Histories, content: ItemContent, seed: int, **settings: Any) -> Source:
    return ItemKnn(events, **settings)


def _ease(events: Histories, content: ItemContent, seed: int, **settings: Any) -> Source:
    return Ease(events, **settings)


def _implicit_als(events: Histories, content: ItemContent, seed: int, **settings: Any) -> Source:
    return ImplicitAls(events, regularisation=1.0, seed=seed, **settings)


def _text(events: Histories, content: ItemContent, seed: int, **settings: Any) -> Source:
    return TextInterest(content.vectors, **settings)


def _paths(events: Histories, content: ItemContent, seed: int, **settings: Any) -> Source:
    return GraphPaths(content, **settings)


def _transitions(events: Histories, content: ItemContent, seed: int, **settings: Any) -> Source:
    return Transitions(events, **settings)


def _sequence(events: Histories, content: ItemContent, seed: int, **settings: Any) -> Source:
    from rejoinder_recommendation.sources.sequence import Sequence  # PyTorch takes seconds to import

    return Sequence(events, content.vectors, dim=64, length=50, seed=seed, **settings)


_KINDS: Final[Mapping[str, _Kind]] = {
    "popularity": _Kind(_popularity, tuple({"half_life_days": days} for days in (30.0, 180.0, 1000.0, 1e6))),
    "item_knn": _Kind(
        _item_knn,
        tuple({"neighbours": near, "shrinkage": by} for near, by in ((20, 5.0), (100, 0.0), (100, 20.0), (500, 5.0))),
    ),
    "ease": _Kind(_ease, tuple({"regularisation": by} for by in (30.0, 100.0, 300.0, 1000.0))),
    "implicit_als": _Kind(
        _implicit_als,
        tuple({"factors": n, "confidence": by} for n, by in ((16, 5.0), (32, 2.0), (32, 10.0), (64, 5.0))),
    ),
    "text": _Kind(_text, tuple({"half_life": items} for items in (1.0, 3.0, 10.0, 100.0))),
    "paths": _Kind(
        _paths,
        tuple({"half_life": items, "link": by} for items, by in ((1.0, 0.3), (3.0, 0.1), (3.0, 1.0), (30.0, 0.3))),
    ),
    "transitions": _Kind(
        _transitions,
        tuple(
            {"decay": by, "window": n, "half_life_days": days}
            for by, n, days in ((0.5, 5, 1000.0), (0.7, 8, 300.0), (0.85, 15, 1000.0), (0.85, 15, 1e5))
        ),
    ),
    "sequence": _Kind(
        _sequence,
        tuple(
            {"layers": n, "dropout": by, "steps": k}
            for n, by, k in ((1, 0.2, 300), (1, 0.2, 1000), (1, 0.5, 1000), (2, 0.3, 600))
        ),
    ),
}

SOURCES: Final = tuple(_KINDS)
"""The names of all kinds of sources."""

SETTINGS: Final[Mapping[str, tuple[Settings, ...]]] = {name: kind.settings for name, kind in _KINDS.items()}


def source_types() -> dict[str, type[Source]]:
    """Return the class of each kind."""
    from rejoinder_recommendation.sources.sequence import Sequence  # PyTorch takes seconds to import

    return {
        "popularity": Popularity,
        "item_knn": ItemKnn,
        "ease": Ease,
        "implicit_als": ImplicitAls,
        "text": TextInterest,
        "paths": GraphPaths,
        "transitions": Transitions,
        "sequence": Sequence,
    }


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings of one kind, and the source that was fitted with them."""

    settings: Settings
    source: Source


def choose_settings(
    hold_out: HoldOut, content: ItemContent, *, seed: int, journal: Journal | None = None
) -> dict[str, Chosen]:
    """Choose for each kind the settings that find held-out items best by NDCG@10; every kind has the same number to choose from.

    Args:
        journal: knows what was chosen before the work was interrupted, and is told what is chosen.
    """
    journal = journal or Journal()
    chosen = {}
    for name, kind in _KINDS.items():
        best = -1.0
        for settings in (journal.chosen[name],) if name in journal.chosen else kind.settings:
            source = kind.fit(hold_out.training, content, seed, **settings)
            journal.fitted()
            found = float(ndcg(places(hold_out, source.scores)).mean())
            if found > best:
                best, chosen[name] = found, Chosen(settings, source)
        journal.choose(name, chosen[name].settings)
    return chosen


def fit_sources(
    events: Histories,
    content: ItemContent,
    chosen: Mapping[str, Settings],
    *,
    seed: int,
    journal: Journal | None = None,
) -> dict[str, Source]:
    """Fit a source of each kind."""
    journal = journal or Journal()
    sources = {}
    for name, kind in _KINDS.items():
        sources[name] = kind.fit(events, content, seed, **chosen[name])
        journal.fitted()
    return sources


def places(hold_out: HoldOut, scores: Callable[[Histories], Floats]) -> Ints:
    """Return the place of each held-out item among the items ranked for its user."""
    found = [np.zeros(0, dtype=np.int64)]
    for rows, queries, ranked in slices(hold_out):
        found.append(ranks(scores(queries), ranked, hold_out.targets[rows]))
    return np.concatenate(found)


def slices(hold_out: HoldOut) -> Iterator[tuple[slice, Histories, Bools]]:
    """Yield the queries in portions that fit into memory: which rows, their histories, and what is ranked for each."""
    for start in range(0, len(hold_out), _QUERIES):
        rows = slice(start, min(start + _QUERIES, len(hold_out)))
        yield rows, hold_out.queries.take(np.arange(rows.start, rows.stop)), hold_out.ranked(rows)
