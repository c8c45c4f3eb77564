"""All sources, and one learned ranker on top of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from rejoinder.errors import InvalidInputError

from rejoinder_recommendation.candidates import SOURCES, Settings, choose_settings, fit_sources, slices
from rejoinder_recommendation.conditional_logit import ConditionalLogit, Lists, fit_conditional_logit
from rejoinder_recommendation.histories import Bools, Floats, Histories, Ints
from rejoinder_recommendation.hold_out import HoldOut, hold_out_last
from rejoinder_recommendation.sources.source import Source
from rejoinder_recommendation.text_neighbours import TextNeighbours

__all__ = ["Recommender", "fit_recommender"]

_LEAST_USERS: Final = 10
_LEAST_EVENTS: Final = 3
"""One held out, and one transition to learn from."""
_MOST_LISTS: Final = 2000
"""So many users' held-out items are enough for some thirty weights."""
_BEST: Final = 40
_DRAWN: Final = 200
_VIEWS: Final = 3
"""A score is seen by the ranker in so many forms."""
_DAY_S: Final = 86_400
_CONTENT: Final = ("text", "lift")
_FEATURES: Final = (
    *(f"{name}_{view}" for name in (*SOURCES, "lift") for view in ("z", "share", "place")),
    "neighbours_popularity",
    "popularity",
    "recency",
    "content",
    "untouched",
    "untouched_content",
)
_COLUMN: Final = {name: number for number, name in enumerate(_FEATURES)}
_CONTENT_COLUMNS: Final = [
    number
    for number, name in enumerate(_FEATURES)
    if name.rpartition("_")[0] in _CONTENT or name == "neighbours_popularity"
]
_SIGNS: Final = np.array(
    [name not in ("popularity", "recency", "untouched", "neighbours_popularity") for name in _FEATURES]
)


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """What one set of events says: its sources, and what is known of each item.

    Attributes:
        sources: by kind.
        neighbours: by text.
        counts: (items), events of each.
        last: (items), seconds of each item's last event, minus infinity for one without.
    """

    sources: Mapping[str, Source]
    neighbours: TextNeighbours
    counts: Floats
    last: Floats

    def scores(self, queries: Histories) -> dict[str, Floats]:
        """Return (queries, items) by kind, and `lift`: what the item-based sources say of an item's neighbours by text."""
        found = {name: source.scores(queries) for name, source in self.sources.items()}
        return {**found, "lift": self.neighbours.lift(found["implicit_als"])}

    def features(self, scores: Mapping[str, Floats], now: Floats, ranked: Bools) -> Floats:
        """Return (queries, items, features); those of the content ranker are still 0.

        Args:
            scores: by kind, each (queries, items).
            now: (queries), seconds.
            ranked: (queries, items); scores are seen in relation to those of the ranked items.
        """
        found = np.zeros((*ranked.shape, len(_FEATURES)))
        for number, name in enumerate((*SOURCES, "lift")):
            for row in range(len(ranked)):
                found[row, :, number * _VIEWS : (number + 1) * _VIEWS] = _views(scores[name][row], ranked[row])
        untouched = self.counts == 0
        days = np.abs(now[:, None] - np.where(untouched, 0.0, self.last)) / _DAY_S
        found[..., _COLUMN["neighbours_popularity"]] = self.neighbours.lift(np.log1p(self.counts))
        found[..., _COLUMN["popularity"]] = np.log1p(self.counts)
        found[..., _COLUMN["recency"]] = np.where(untouched, 0.0, -np.log1p(days))
        found[..., _COLUMN["untouched"]] = untouched
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Recommender:
    """Scores of all items for users, better first.

    Attributes:
        evidence: what the events say.
        settings: chosen for each kind of source.
        content: the ranker of items that nobody has touched, by text; its score is an input of the other.
        ranker: of all items.
    """

    evidence: _Evidence
    settings: Mapping[str, Settings]
    content: ConditionalLogit
    ranker: ConditionalLogit

    @property
    def sources(self) -> Mapping[str, Source]:
        """The sources by kind, each a recommender of its own."""
        return self.evidence.sources

    @property
    def weights(self) -> dict[str, float]:
        """The ranker's weights by feature."""
        return dict(zip(_FEATURES, self.ranker.weights.tolist(), strict=True))

    def scores(self, queries: Histories, ranked: Bools) -> Floats:
        """Return (queries, items); scores of items that are not ranked mean nothing.

        Args:
            queries: what users did, whether or not they are known from training.
            ranked: (queries, items), the items to choose from.
        """
        features = self.evidence.features(self.evidence.scores(queries), queries.now, ranked)
        _add_content(features, self.content)
        return self.ranker.scores(features)


def fit_recommender(events: Histories, vectors: Floats, *, seed: int) -> Recommender:
    """Choose the settings of all sources, train the ranker, and fit the sources on all events.

    Settings and ranker are learned on every user's last event, held out from what the sources are fitted on meanwhile. The ranker sees
    the best items of each source and some drawn ones, each of which stands for many (sampled softmax with the proposal's correction:
    Bengio & Senecal 2003, Quick Training of Probabilistic Neural Nets by Importance Sampling). Its input for items that nobody has
    touched comes from a ranker of its own, which sees texts only and is trained as if nobody had touched any item.

    Args:
        events: of all users.
        vectors: (items, dim) of texts, rows of length 1, or 0 for an item without text.
        seed: of what is drawn.

    Raises:
        InvalidInputError: fewer than 10 users have 3 events.
    """
    inner = hold_out_last(events, least=_LEAST_EVENTS)
    if len(inner) < _LEAST_USERS:
        raise InvalidInputError(
            f"{len(inner)} users have {_LEAST_EVENTS} or more different items left to learn from, and a ranker needs {_LEAST_USERS}; "
            "bring more ratings"
        )
    settings = choose_settings(inner, vectors, seed=seed)
    evidence = _gather(inner.training, vectors, settings, seed)
    content, ranker = _train(evidence, inner, seed)
    return Recommender(_gather(events, vectors, settings, seed), settings, content, ranker)


def _gather(events: Histories, vectors: Floats, settings: Mapping[str, Settings], seed: int) -> _Evidence:
    last = np.full(events.n_items, -np.inf)
    np.maximum.at(last, events.items, events.seconds)
    counts = events.counts
    sources = fit_sources(events, vectors, settings, seed=seed)
    return _Evidence(sources, TextNeighbours(vectors, counts > 0), counts, last)


def _train(evidence: _Evidence, inner: HoldOut, seed: int) -> tuple[ConditionalLogit, ConditionalLogit]:
    """Return the ranker of texts and the ranker of everything."""
    random = np.random.default_rng(seed)
    asked = np.zeros(len(inner), dtype=bool)
    asked[random.permutation(len(inner))[:_MOST_LISTS]] = True
    content_lists, lists = _Builder(), _Builder()
    for rows, queries, ranked in slices(inner):
        scores = evidence.scores(queries)
        features = evidence.features(scores, queries.now, ranked)
        for row in np.flatnonzero(asked[rows]):
            target = int(inner.targets[rows][row])
            items = np.flatnonzero(ranked[row])
            by_text = _sample([scores[name][row] for name in _CONTENT], items, target, random)
            content_lists.add(features[row][:, _CONTENT_COLUMNS], *by_text)
            lists.add(features[row], *_sample([one[row] for one in scores.values()], items, target, random))
    content = fit_conditional_logit(content_lists.lists(), signs=_SIGNS[_CONTENT_COLUMNS], seed=seed)
    everything = lists.lists()
    _add_content(everything.features, content)
    return content, fit_conditional_logit(everything, signs=_SIGNS, seed=seed)


class _Builder:
    """Collects lists."""

    def __init__(self) -> None:
        self._features: list[Floats] = []
        self._offsets: list[Floats] = []

    def add(self, features: Floats, items: Ints, offsets: Floats) -> None:
        """Add one list: these items of (items, features)."""
        self._features.append(features[items])
        self._offsets.append(offsets)

    def lists(self) -> Lists:
        starts = np.cumsum([0, *(len(one) for one in self._offsets)])[:-1]
        return Lists(np.concatenate(self._features), np.concatenate(self._offsets), starts)


def _sample(scores: list[Floats], items: Ints, target: int, random: np.random.Generator) -> tuple[Ints, Floats]:
    """Return items to learn from, the target first, and the logarithm of how many items each stands for.

    Args:
        scores: (items) of each source; its best are taken.
        items: those that are ranked; of the others of them some are drawn.
    """
    best = [items[np.argpartition(-one[items], min(_BEST, len(items)) - 1)[:_BEST]] for one in scores]
    taken = np.setdiff1d(np.concatenate(best), [target])
    others = np.setdiff1d(items, [*taken, target])
    drawn = random.choice(others, size=min(_DRAWN, len(others)), replace=False)
    offsets = np.zeros(1 + len(taken) + len(drawn))
    if len(drawn):
        offsets[1 + len(taken) :] = np.log(len(others) / len(drawn))
    return np.concatenate([[target], taken, drawn]), offsets


def _views(scores: Floats, ranked: Bools) -> Floats:
    """Return (items, 3): the score in standard deviations, as a share of the best, and its place: minus log2(place), ties last."""
    own = scores[ranked]
    spread, best = own.std(), own.max()
    ordered = np.sort(own)
    place = len(own) - np.searchsorted(ordered, scores)
    z = (scores - own.mean()) / spread if spread > 0 else np.zeros_like(scores)
    share = scores / best if best > 0 else np.zeros_like(scores)
    return np.stack([z, np.clip(share, -1, 1), -np.log2(np.maximum(place, 1))], axis=1)


def _add_content(features: Floats, content: ConditionalLogit) -> None:
    """Write the content ranker's score into (..., features), and again for items that nobody has touched.

    Of these, its score alone says what their neighbours' popularity means: for touched items that is read against their own.
    """
    score = content.scores(features[..., _CONTENT_COLUMNS])
    untouched = features[..., _COLUMN["untouched"]]
    features[..., _COLUMN["content"]] = score
    features[..., _COLUMN["untouched_content"]] = score * untouched
    features[..., _COLUMN["neighbours_popularity"]] *= 1 - untouched
