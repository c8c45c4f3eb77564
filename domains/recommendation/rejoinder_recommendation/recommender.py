"""All sources, and one learned ranker on top of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rejoinder.errors import InvalidInputError

from rejoinder_recommendation.candidates import Settings, choose_settings, fit_sources, slices
from rejoinder_recommendation.conditional_logit import NO_CONTEXT, ConditionalLogit, Lists, fit_conditional_logit
from rejoinder_recommendation.features import CONTENT, CONTENT_COLUMNS, FEATURES, SIGNS, Evidence, add_content, gather
from rejoinder_recommendation.histories import Bools, Floats, Histories, Ints
from rejoinder_recommendation.hold_out import HoldOut, hold_out_beginnings, hold_out_last
from rejoinder_recommendation.item_content import ItemContent
from rejoinder_recommendation.journal import Journal
from rejoinder_recommendation.sources.source import Source

__all__ = ["Recommender", "fit_recommender"]

_LEAST_USERS: Final = 10
_LEAST_EVENTS: Final = 3
"""One held out, and one transition to learn from."""
_MOST_LISTS: Final = 2000
"""So many users' held-out items are enough for some thirty weights."""
_BEST: Final = 40
_DRAWN: Final = 200
_NEW_SHARE: Final = 0.2
"""Of so many users the sources learn nothing at first, so that the ranker sees what they say of new ones; 10 users are left."""
_FIRST: Final = (1, 2, 3, 5, 8, 13)
"""Lists of a new user are learned from after so many events."""
_SHORT: Final = 6.0
"""With so many events more, a history is half as short."""
_CANDIDATES: Final = 200
"""So many of each source are ranked for a list."""


@dataclass(frozen=True, slots=True, eq=False)
class Recommender:
    """Scores of all items for users, better first.

    Attributes:
        evidence: what the events say.
        settings: chosen for each kind of source.
        content: the ranker of items that nobody has touched, by text and attributes; its score is an input of the other.
        ranker: of all items.
    """

    evidence: Evidence
    settings: Mapping[str, Settings]
    content: ConditionalLogit
    ranker: ConditionalLogit

    @property
    def sources(self) -> Mapping[str, Source]:
        """The sources by kind, each a recommender of its own."""
        return self.evidence.sources

    @property
    def weights(self) -> dict[str, float]:
        """The ranker's weights by feature, for a long history, and as `<feature>_short` for one of a single event."""
        long, short = self.ranker.weights.tolist()
        names = (*FEATURES, *(f"{name}_short" for name in FEATURES))
        return dict(zip(names, [*long, *short], strict=True))

    def scores(self, queries: Histories, ranked: Bools) -> Floats:
        """Return (queries, items); scores of items that are not ranked mean nothing.

        Args:
            queries: what users did, whether or not they are known from training.
            ranked: (queries, items), the items to choose from.
        """
        scores = self.evidence.scores(queries)
        everything = np.arange(queries.n_items)
        found = np.zeros(ranked.shape)
        for row in range(len(queries)):
            of_row = {name: one[row] for name, one in scores.items()}
            found[row] = self._ranked(of_row, queries.take(np.array([row])), ranked[row], everything)
        return found

    def best(self, query: Histories, ranked: Bools, count: int) -> tuple[Ints, Floats]:
        """Return the best items for one user and their scores, best first; only the best 200 of each source are looked at.

        Args:
            query: one user's history.
            ranked: (items), those to choose from.
            count: at most so many, >= 1.
        """
        items = np.flatnonzero(ranked)
        if not len(items):
            return items, np.zeros(0)
        scores = {name: one[0] for name, one in self.evidence.scores(query).items()}
        keep = max(count, _CANDIDATES)
        if len(items) > keep:
            best = [items[np.argpartition(-one[items], keep)[:keep]] for one in scores.values() if one[items].any()]
            items = np.unique(np.concatenate(best)) if best else items[:keep]
        found = self._ranked(scores, query, ranked, items)
        order = np.argsort(-found, kind="stable")[:count]
        return items[order], found[order]

    def _ranked(self, scores: Mapping[str, Floats], query: Histories, ranked: Bools, items: Ints) -> Floats:
        features = self.evidence.features(scores, float(query.now[0]), ranked, items)
        add_content(features, self.content)
        return self.ranker.scores(features, _contexts(query)[0])


def fit_recommender(
    events: Histories, content: ItemContent, *, seed: int, journal: Journal | None = None
) -> Recommender:
    """Choose the settings of all sources, train the ranker, and fit the sources on all events.

    Meanwhile the sources are fitted without every user's last event, and without a fifth of the users altogether. Settings and ranker are
    learned on the last events, the ranker on the first events of that fifth besides, and its weights depend on the length of the
    history: what the sources say of somebody new means something else than what they say of somebody whom they know. It sees
    the best items of each source and some drawn ones, each of which stands for many (sampled softmax with the proposal's correction:
    Bengio & Senecal 2003, Quick Training of Probabilistic Neural Nets by Importance Sampling). Its input for items that nobody has
    touched comes from a ranker of its own, which sees texts and attributes only and is trained as if nobody had touched any item.

    Args:
        events: of all users.
        content: of all items.
        seed: of what is drawn.
        journal: see `choose_settings`.

    Raises:
        InvalidInputError: fewer than 10 users have 3 events.
    """
    known = int((events.lengths >= _LEAST_EVENTS).sum())
    if known < _LEAST_USERS:
        raise InvalidInputError(
            f"{known} users have {_LEAST_EVENTS} or more different items left to learn from, and a ranker needs {_LEAST_USERS}; "
            "bring more ratings"
        )
    begun = np.flatnonzero(events.lengths > min(_FIRST))
    spared = min(int(len(begun) * _NEW_SHARE), known - _LEAST_USERS)
    new = np.random.default_rng(seed).permutation(begun)[:spared]
    inner = hold_out_last(events.keep(~np.isin(events.users, new)), least=_LEAST_EVENTS)
    chosen = choose_settings(inner, content, seed=seed, journal=journal)
    evidence = gather(inner.training, content, {name: one.source for name, one in chosen.items()})
    beginnings = hold_out_beginnings(events, new, _FIRST, inner.training)
    by_content, ranker = _train(evidence, (inner, beginnings), seed)
    settings = {name: one.settings for name, one in chosen.items()}
    sources = fit_sources(events, content, settings, seed=seed, journal=journal)
    return Recommender(gather(events, content, sources), settings, by_content, ranker)


def _train(evidence: Evidence, hold_outs: Sequence[HoldOut], seed: int) -> tuple[ConditionalLogit, ConditionalLogit]:
    """Return the ranker of texts and attributes, and the ranker of everything."""
    random = np.random.default_rng(seed)
    content_lists, lists = _Builder(), _Builder()
    for hold_out in hold_outs:
        asked = np.zeros(len(hold_out), dtype=bool)
        asked[random.permutation(len(hold_out))[:_MOST_LISTS]] = True
        for rows, queries, ranked in slices(hold_out):
            scores = evidence.scores(queries)
            contexts = _contexts(queries)
            for row in np.flatnonzero(asked[rows]):
                of_row = {name: one[row] for name, one in scores.items()}
                target = int(hold_out.targets[rows][row])
                items = np.flatnonzero(ranked[row])
                for builder, names, context in (
                    (content_lists, CONTENT, NO_CONTEXT),
                    (lists, tuple(of_row), contexts[row]),
                ):
                    chosen, offsets = _sample([of_row[name] for name in names], items, target, random)
                    features = evidence.features(of_row, float(queries.now[row]), ranked[row], chosen)
                    builder.add(features, offsets, context)
    by_content = content_lists.lists(CONTENT_COLUMNS)
    content = fit_conditional_logit(by_content, signs=SIGNS[CONTENT_COLUMNS], seed=seed)
    everything = lists.lists(range(len(FEATURES)))
    add_content(everything.features, content)
    return content, fit_conditional_logit(everything, signs=SIGNS, seed=seed)


def _contexts(queries: Histories) -> Floats:
    """Return (queries, 2): how long and how short each history is, which add up to 1; as short as can be is one event, or none."""
    short = np.exp2(-np.maximum(queries.lengths - 1, 0) / _SHORT)
    return np.stack([1 - short, short], axis=1)


class _Builder:
    """Collects lists."""

    def __init__(self) -> None:
        self._features: list[Floats] = []
        self._offsets: list[Floats] = []
        self._contexts: list[Floats] = []

    def add(self, features: Floats, offsets: Floats, context: Floats) -> None:
        """Add one list: (items, features), (items), and what the weights depend on."""
        self._features.append(features)
        self._offsets.append(offsets)
        self._contexts.append(context)

    def lists(self, columns: Sequence[int]) -> Lists:
        """Return what was added, with only these features."""
        starts = np.cumsum([0, *(len(one) for one in self._offsets)])[:-1]
        features = np.concatenate(self._features)[:, list(columns)]
        return Lists(features, np.concatenate(self._offsets), starts, np.array(self._contexts))


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
