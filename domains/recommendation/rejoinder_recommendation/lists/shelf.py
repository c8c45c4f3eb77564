"""What is known of a tenant's items at one moment: their texts, who had them with what, how often of late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from rejoinder_recommendation.histories import Floats, Histories, Ints
from rejoinder_recommendation.lists.nearest import NearestItems
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
        price: (items), NaN where there is none.
        published: (items), seconds since the epoch, NaN where it is not known.

    Args:
        strength: how much an event speaks for its item, by kind and data.
    """

    def __init__(self, catalogue: Catalogue, log: BehaviourLog, strength: Callable[[str, Any], float]) -> None:
        self.catalogue, self.log = catalogue, log
        self.text = _centred(catalogue.vectors)
        self.nearest = NearestItems(self.text)
        self.available = np.array([item.available for item in catalogue.items], dtype=bool)
        self.price = np.array([item.data.get("price", np.nan) for item in catalogue.items], dtype=np.float64)
        self.published = np.array([_seconds(item.data.get("published")) for item in catalogue.items])
        by_tag: defaultdict[str, list[int]] = defaultdict(list)
        for number, item in enumerate(catalogue.items):
            for tag in item.data.get("tags", ()):
                by_tag[tag.casefold()].append(number)
        self._by_tag = {tag: np.array(numbers) for tag, numbers in by_tag.items()}
        events = liked_items(catalogue, log, strength)
        self.popularity = _popularity(events)
        self.by_popularity = np.argsort(-self.popularity, kind="stable")
        self._together = ItemKnn(events, neighbours=_NEIGHBOURS, shrinkage=_SHRINKAGE) if len(events.items) else None
        self.factors = np.hstack([_text_factors(self.text), _behaviour_factors(events)])

    def __len__(self) -> int:
        return len(self.catalogue)

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


def _popularity(events: Histories) -> Floats:
    if not len(events.items):
        return np.zeros(events.n_items)
    weights = np.exp2((events.seconds - events.seconds.max()) / _HALF_LIFE_S)
    counts = np.log1p(np.bincount(events.items, weights, events.n_items))
    return np.asarray(counts / counts.max())


def _centred(vectors: Any) -> Any:
    some = np.linalg.norm(vectors, axis=1) > 0 if vectors.size else np.zeros(len(vectors), dtype=bool)
    if some.sum() < 2:
        return vectors
    return _unit(np.where(some[:, None], vectors - vectors[some].mean(axis=0), 0).astype(np.float32))


def _text_factors(text: Any) -> Any:
    if not text.size:
        return np.zeros((len(text), 0), dtype=np.float32)
    _, directions = np.linalg.eigh(text.T @ text)
    return _unit(text @ directions[:, ::-1][:, :_FACTORS])


def _behaviour_factors(events: Histories) -> Any:
    people = len(events)
    if min(people, events.n_items) <= 2 * _FACTORS:
        return np.zeros((events.n_items, 0), dtype=np.float32)
    matrix = events.matrix()
    damped = sparse.diags((matrix.sum(axis=1).A1 + 1) ** -0.5) @ matrix
    damped = damped @ sparse.diags((np.asarray(matrix.sum(axis=0)).ravel() + 1) ** -0.25)
    start = np.ones(min(matrix.shape))
    _, values, directions = svds(damped.astype(np.float64), k=_FACTORS, v0=start)
    return _unit((directions.T * values).astype(np.float32))


def _unit(vectors: Any) -> Any:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-9)


def _seconds(moment: object) -> float:
    return datetime.fromisoformat(moment).timestamp() if isinstance(moment, str) else float("nan")
