"""What is known of a tenant's items at one moment: their texts, who had them with what, how often of late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from rejoinder_recommendation.histories import Floats, Histories, Ints
from rejoinder_recommendation.item_facts import facts_of
from rejoinder_recommendation.lists.filters import MEASURES
from rejoinder_recommendation.lists.nearest import NearestItems
from rejoinder_recommendation.lists.text_space import TextSpace, unit_rows
from rejoinder_recommendation.sources.item_knn import ItemKnn

if TYPE_CHECKING:
    from rejoinder.items.catalogue import BehaviourLog, Catalogue

__all__ = ["Shelf", "liked_items"]

_NEIGHBOURS: Final = 50
_SHRINKAGE: Final = 5.0
_HALF_LIFE_S: Final = 30 * 86_400.0
_FACTORS: Final = 32


class Shelf:
    """A catalogue with what people did with it. Never changed.

    Attributes:
        text: (items, dim) float32, what their texts have in common taken out, rows of length 1 or 0.
        nearest: finds items by their text.
        popularity: (items), 0 to 1: events of late, those of a month ago for half, on a logarithmic scale.
        by_popularity: (items), places, the most popular first.
        factors: (items, n) float32, rows of length 1 or 0 in each half: main directions of the texts, and of who had what.
        available: (items).
        settled: whether all statistics were made of these very items; see `with_catalogue`.
        counts: (items), events of late, those of a month ago for half.
        published: (items), seconds since the epoch, NaN where it is not known.

    Args:
        strength: how much an event speaks for its item, by kind and data.
    """

    def __init__(self, catalogue: Catalogue, log: BehaviourLog, strength: Callable[[str, Any], float]) -> None:
        self.log, self.settled = log, True
        self._read(catalogue)
        self._space = TextSpace(catalogue.vectors)
        self.text = self._space.rows(catalogue.vectors)
        events = liked_items(catalogue, log, strength)
        self.counts = _counts(events)
        self._together = ItemKnn(events, neighbours=_NEIGHBOURS, shrinkage=_SHRINKAGE) if len(events.items) else None
        self._of_behaviour = _behaviour_factors(events)
        self._finish()

    def with_catalogue(self, catalogue: Catalogue) -> Shelf:
        """Return a shelf of the same shop's items as they are now, with this one's statistics: nobody did anything with new ones yet."""
        made = object.__new__(Shelf)
        made.log, made.settled, made._space = self.log, False, self._space
        made._read(catalogue)
        before, place = self.catalogue.items, self.catalogue.place
        came = np.array([place.get(item.id, -1) for item in catalogue.items], dtype=np.int64)
        known = np.flatnonzero(came >= 0)
        same = np.array([came[row] >= 0 and before[came[row]] is item for row, item in enumerate(catalogue.items)])
        same &= self._space.dim == catalogue.vectors.shape[1]
        made.text = np.zeros((len(came), catalogue.vectors.shape[1]), dtype=np.float32)
        made.text[same] = self.text[came[same]]
        made.text[~same] = self._space.rows(catalogue.vectors[~same])
        made.counts = np.zeros(len(came))
        made.counts[known] = self.counts[came[known]]
        made._of_behaviour = np.zeros((len(came), self._of_behaviour.shape[1]), dtype=np.float32)
        made._of_behaviour[known] = self._of_behaviour[came[known]]
        made._together = None if self._together is None else self._together.moved(came)
        made._finish()
        return made

    def _read(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.available = np.array([item.available for item in catalogue.items], dtype=bool)
        self._price = np.array([item.data.get("price", np.nan) for item in catalogue.items], dtype=np.float64)
        self.published = np.array([_seconds(item.data.get("published")) for item in catalogue.items])
        by_tag: defaultdict[str, list[int]] = defaultdict(list)
        for number, item in enumerate(catalogue.items):
            for tag in item.data.get("tags", ()):
                by_tag[tag.casefold()].append(number)
        self._by_tag = {tag: np.array(numbers) for tag, numbers in by_tag.items()}

    def _finish(self) -> None:
        self.nearest = NearestItems(self.text)
        self.popularity = np.log1p(self.counts) / max(float(np.log1p(self.counts.max(initial=0.0))), 1e-9)
        self.by_popularity = np.argsort(-self.popularity, kind="stable")
        self.factors = np.hstack([self._space.factors(self.text), self._of_behaviour])

    def __len__(self) -> int:
        return len(self.catalogue)

    def measure(self, name: str) -> Floats:
        """Return (items) their price, minutes or year, NaN where it is not known."""
        return self._price if name == "price" else self._facts[name]

    @cached_property
    def _facts(self) -> dict[str, Floats]:
        facts = [facts_of(item) for item in self.catalogue.items]
        values = {name: [getattr(one, name) for one in facts] for name in MEASURES if name != "price"}
        return {name: np.array(those, dtype=np.float64) for name, those in values.items()}

    def together(self, items: Ints) -> Floats:
        """Return (given, items) how often other people had an item with each of those given, as a cosine."""
        if self._together is None:
            return np.zeros((len(items), len(self)))
        starts = np.arange(len(items) + 1)
        return self._together.scores(Histories(starts, items, np.zeros(len(items)), len(self)))

    def tagged(self, tags: Iterable[str]) -> Ints:
        """Return the places of items with one of these tags or ids."""
        nothing = np.zeros(0, dtype=np.int64)
        found = [nothing, *(self._by_tag.get(tag.casefold(), nothing) for tag in tags)]
        return np.unique(np.concatenate([*found, self.places(tags)]))

    def places(self, ids: Iterable[str]) -> Ints:
        """Return the places of those of the ids that there are."""
        place = self.catalogue.place
        return np.array([place[one] for one in ids if one in place], dtype=np.int64)


def liked_items(catalogue: Catalogue, log: BehaviourLog, strength: Callable[[str, Any], float]) -> Histories:
    """Return what people liked: each item once a person, at its last moment, without what they took back by a dislike."""
    last: dict[tuple[int, int], tuple[float, bool]] = {}
    for row, (item, kind, data) in enumerate(zip(log.items, log.kinds, log.data, strict=True)):
        number = catalogue.place.get(item)
        if number is None:
            continue
        value, moment = strength(kind, data), float(log.seconds[row])
        key = (int(log.people[row]), number)
        if value and moment >= last.get(key, (-np.inf, True))[0]:
            last[key] = (moment, value > 0)
    rows = sorted((person, moment, item) for (person, item), (moment, liked) in last.items() if liked)
    numbers = {person: number for number, person in enumerate(dict.fromkeys(person for person, *_ in rows))}
    lengths = (
        np.bincount([numbers[person] for person, *_ in rows], minlength=len(numbers)) if rows else np.zeros(0, int)
    )
    return Histories(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([item for *_, item in rows], dtype=np.int64),
        np.array([moment for _, moment, _ in rows], dtype=np.float64),
        len(catalogue),
    )


def _counts(events: Histories) -> Floats:
    if not len(events.items):
        return np.zeros(events.n_items)
    weights = np.exp2((events.seconds - events.seconds.max()) / _HALF_LIFE_S)
    return np.asarray(np.bincount(events.items, weights, events.n_items), dtype=np.float64)


def _behaviour_factors(events: Histories) -> Any:
    people = len(events)
    if min(people, events.n_items) <= 2 * _FACTORS:
        return np.zeros((events.n_items, 0), dtype=np.float32)
    matrix = events.matrix()
    damped = sparse.diags((matrix.sum(axis=1).A1 + 1) ** -0.5) @ matrix
    damped = damped @ sparse.diags((np.asarray(matrix.sum(axis=0)).ravel() + 1) ** -0.25)
    start = np.ones(min(matrix.shape))
    _, values, directions = svds(damped.astype(np.float64), k=_FACTORS, v0=start)
    return unit_rows((directions.T * values).astype(np.float32))


def _seconds(moment: object) -> float:
    return datetime.fromisoformat(moment).timestamp() if isinstance(moment, str) else float("nan")
