"""One list: candidates of every source, scores that the session has changed, chance, diversity, pins; each item with its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder_recommendation.histories import Bools, Floats, Ints
from rejoinder_recommendation.lists.diversity import diverse_orders
from rejoinder_recommendation.lists.preference import learn_preference
from rejoinder_recommendation.settings import RecommendationSettings

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.person import Person
    from rejoinder_recommendation.lists.shelf import Shelf

__all__ = ["PARTS", "ListPlan", "Listed", "make_list", "plan_list"]

PARTS: Final = ("together", "text", "popular")
"""What a score is made of, before what the session teaches."""
_PRIOR: Final = np.array([0.5, 0.25, 0.25])
_TRAINED_PRIOR: Final = np.array([1.0, 0.0, 0.0, 0.0])
_PRIOR_DEVIATION: Final = 0.05
_FACTOR_DEVIATION: Final = 0.15
_NOISE: Final = 0.5
_WIDTH: Final = 0.3
"""Share of the posterior's deviation that exploring takes: with all of it, every fifth list after a first click shows nothing like it."""
_NATS: Final = 4.0
"""By words, an item whose odds are so many powers of e below the best one's counts 1 less: as much as all the rest together can say."""
_OF_EACH: Final = 100
_DRAWS: Final = 32
_SPARE: Final = 4
"""The index is asked for so many times more than is needed, since some of what it finds may not be listed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An item in a list.

    Attributes:
        place: of the item on the shelf.
        score: higher is better; mostly 0 to 1.
        propensity: how likely the item was to stand where it stands.
        parts: by name, what the score is made of; `session` is what the person's answers to lists changed, `rules` what the tenant added.
        because: place of the item that speaks most for it by what others had, or by text; None where nothing does.
    """

    place: int
    score: float
    propensity: float
    parts: dict[str, float]
    because: int | None


@dataclass(frozen=True, slots=True, eq=False)
class ListPlan:
    """All that a list is drawn from.

    Attributes:
        pinned: places of items that stand first.
        pool: (n), places of the candidates.
        orders: (draws, depth), rows of `pool`; each is one draw's list, best first, and as likely as any other.
        names, parts: of each candidate (n, names) what its score is made of before what the session teaches.
        session: (n), what the session changed.
        rules: (n), what the tenant's rules add.
        asked: (n), what the words add, 1 for what fits best; None: nothing was asked for.
        together: see `Shelf.together`, of the person's items.
    """

    pinned: list[int]
    pool: Ints
    orders: Ints
    names: tuple[str, ...]
    parts: Floats
    session: Floats
    rules: Floats
    asked: Floats | None
    together: Floats

    @property
    def scores(self) -> Floats:
        """(n), the candidates' scores, higher is better; mostly 0 to 1."""
        added = self.rules if self.asked is None else self.rules + self.asked
        return np.asarray(self.parts.sum(axis=1) + self.session + added)

    def chances(self, places: list[int]) -> list[float]:
        """Return how likely each of these items is to stand at its position of a list that begins with the first of them."""
        lists = self.pool[self.orders]
        found = []
        for position, place in enumerate(places):
            row = position - len(self.pinned)
            if row < 0:
                found.append(float(self.pinned[position] == place))
            else:
                found.append(float((lists[:, row] == place).mean()) if row < lists.shape[1] else 0.0)
        return found


def plan_list(
    shelf: Shelf,
    person: Person,
    allowed: Bools,
    settings: RecommendationSettings,
    *,
    limit: int,
    now: float,
    asked: Floats | None = None,
    trained: Floats | None = None,
    explore: bool,
    noise: np.random.Generator,
    draws: int = _DRAWS,
) -> ListPlan:
    """Return what a list is drawn from; see `make_list`.

    Args:
        draws: of the weights, with `explore`.
    """
    open_ = allowed if settings.repeat else allowed & ~person.done
    pinned = [place for place in shelf.places(settings.pin).tolist() if open_[place]][:limit]
    together = shelf.together(person.items)
    taste = _taste(shelf, person)
    likes = person.weights @ together / max(person.weights.sum(), 1e-9) if len(person.items) else np.zeros(len(shelf))
    basis = _Basis(shelf, likes, taste, trained)
    prior = _PRIOR if trained is None else _TRAINED_PRIOR
    names = PARTS if trained is None else ("trained", *PARTS)
    unknown = np.zeros(shelf.factors.shape[1])
    spread = np.concatenate([np.full(len(names), _PRIOR_DEVIATION), unknown + _FACTOR_DEVIATION])
    mean = np.concatenate([prior, unknown])
    learned = learn_preference(mean, spread, basis.features(person.shown), person.welcome, noise=_NOISE)
    open_ = open_.copy()
    open_[pinned] = False
    pool = _candidates(shelf, likes, taste, learned.mean[len(names) :], open_, trained)
    if asked is not None:
        pool = np.union1d(pool, _best(np.where(open_, asked, -np.inf), min(_OF_EACH, int(open_.sum()))))
    features = basis.features(pool)
    rules = _added(shelf, settings, pool, now)
    told = None if asked is None else 1 + (asked[pool] - asked[pool].max(initial=-np.inf)) / _NATS
    weights = learned.draws(draws, noise, width=_WIDTH) if explore and settings.explore else learned.mean[None]
    likeness = shelf.text[pool] @ shelf.text[pool].T
    depth = min(limit - len(pinned), len(pool))
    added = rules if told is None else rules + told
    orders = diverse_orders(weights @ features.T + added, np.asarray(likeness), depth, settings.diversity)
    parts = features[:, : len(names)] * prior
    session = features @ learned.mean - parts.sum(axis=1)
    return ListPlan(pinned, pool, orders, names, parts, session, rules, told, np.asarray(together))


def make_list(
    shelf: Shelf,
    person: Person,
    allowed: Bools,
    settings: RecommendationSettings,
    *,
    limit: int,
    now: float,
    asked: Floats | None = None,
    trained: Floats | None = None,
    explore: bool,
    noise: np.random.Generator,
) -> list[Listed]:
    """Return a list, best first.

    With `explore`, the weights are drawn from what is known of them (Thompson sampling) 32 times, each draw makes an order, and one of the
    orders is taken at random: an item's propensity at its place is the share of the orders that have it there, exactly.

    Args:
        allowed: (items), which may be listed; without `settings.repeat`, those that the person is done with are left out besides.
        limit: most items.
        now: seconds since the epoch.
        asked: (items), logarithms of the odds of each by what was asked for in words; None: nothing was.
        trained: (items), what the trained recommender says, 0 to 1, NaN of items that it does not know; None: there is none.
    """
    plan = plan_list(
        shelf,
        person,
        allowed,
        settings,
        limit=limit,
        now=now,
        asked=asked,
        trained=trained,
        explore=explore,
        noise=noise,
    )
    order = plan.orders[noise.integers(len(plan.orders))]
    chances = (plan.orders == order).mean(axis=0)
    found = [Listed(place, 1.0, 1.0, {"pinned": 1.0}, None) for place in plan.pinned]
    for row, chance in zip(order.tolist(), chances.tolist(), strict=True):
        named = {
            **dict(zip(plan.names, plan.parts[row].tolist(), strict=True)),
            "session": float(plan.session[row]),
            "rules": float(plan.rules[row]),
        }
        if plan.asked is not None:
            named["asked"] = float(plan.asked[row])
        place = int(plan.pool[row])
        because = _because(shelf, person, plan.together, place)
        found.append(Listed(place, float(sum(named.values())), chance, named, because))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Basis:
    shelf: Shelf
    likes: Floats
    taste: Floats
    trained: Floats | None

    def features(self, places: Ints) -> Floats:
        """Return (places, features): how often others had it with the person's items, likeness by text, popularity, factors.

        First what the trained recommender says, where there is one; of an item that it does not know, what the three say together.
        """
        shelf = self.shelf
        scale = max(float(self.likes.max(initial=0.0)), 1e-9)
        known = np.stack(
            [self.likes[places] / scale, np.maximum(0, shelf.text[places] @ self.taste), shelf.popularity[places]],
            axis=1,
        )
        if self.trained is not None:
            said = self.trained[places]
            known = np.hstack([np.where(np.isnan(said), known @ _PRIOR, said)[:, None], known])
        return np.hstack([known, shelf.factors[places]])


def _taste(shelf: Shelf, person: Person) -> Floats:
    """Return (dim) of length 1 or 0: what the person's items say."""
    taste = person.weights @ shelf.text[person.items] if len(person.items) else np.zeros(shelf.text.shape[1])
    return np.asarray(taste / max(float(np.linalg.norm(taste)), 1e-9))


def _candidates(shelf: Shelf, likes: Floats, taste: Floats, pull: Floats, open_: Bools, trained: Floats | None) -> Ints:
    near = shelf.nearest.find(taste.astype(np.float32), _SPARE * _OF_EACH)
    near = near[open_[near]]
    if (
        len(near) < _OF_EACH and taste.any()
    ):  # the filters leave little of what the index finds: look at all that is left
        places = np.flatnonzero(open_)
        near = places[_best(np.asarray(shelf.text[places] @ taste), _OF_EACH)]
    liked = np.flatnonzero((likes > 0) & open_)
    popular = shelf.by_popularity
    found = [near[:_OF_EACH], liked[_best(likes[liked], _OF_EACH)], popular[open_[popular]][:_OF_EACH]]
    if pull.any():
        found.append(_best(np.where(open_, shelf.factors @ pull.astype(np.float32), -np.inf), _OF_EACH))
    if trained is not None:
        found.append(_best(np.where(open_ & ~np.isnan(trained), trained, -np.inf), _OF_EACH))
    pool: Ints = np.unique(np.concatenate(found)).astype(np.int64)
    return np.asarray(pool[open_[pool]])


def _best(scores: Floats, count: int) -> Ints:
    count = min(count, len(scores))
    return np.argpartition(-scores, count - 1)[:count] if count else np.zeros(0, dtype=np.int64)


def _added(shelf: Shelf, settings: RecommendationSettings, pool: Ints, now: float) -> Floats:
    """Return (pool) what the tenant's rules add."""
    added = np.zeros(len(shelf))
    for name, by in settings.boost.items():
        added[shelf.tagged((name,))] += by
    found = added[pool]
    if settings.freshness:
        days = np.maximum(0, now - shelf.published[pool]) / 86_400
        found = found + settings.freshness * np.nan_to_num(np.exp2(-days / settings.freshness_days), nan=0.0)
    return found


def _because(shelf: Shelf, person: Person, together: Floats, place: int) -> int | None:
    if not len(person.items):
        return None
    said = person.weights * (together[:, place] + np.maximum(0, shelf.text[person.items] @ shelf.text[place]))
    best = int(np.argmax(said))
    return int(person.items[best]) if said[best] > 0 else None
