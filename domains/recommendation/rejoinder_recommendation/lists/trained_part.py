"""What a trained recommender says of the items on a shelf, for one person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from rejoinder_recommendation.histories import Bools, Floats, Histories

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.person import Person
    from rejoinder_recommendation.lists.shelf import Shelf
    from rejoinder_recommendation.trained import TrainedRecommender

__all__ = ["TrainedOnShelf"]

_BEST: Final = 200
_SPAN: Final = 8.0
"""An item whose score, a logarithm, is by so much lower than the best one's counts 0."""


class TrainedOnShelf:
    """A trained recommender, and where its items stand on a shelf, which may have others by now."""

    def __init__(self, trained: TrainedRecommender, shelf: Shelf) -> None:
        self.trained, self.shelf = trained, shelf
        place = shelf.catalogue.place
        self._places = np.array([place.get(item, -1) for item in trained.items], dtype=np.int64)
        self._numbers = np.full(len(shelf), -1, dtype=np.int64)
        there = self._places >= 0
        self._numbers[self._places[there]] = np.flatnonzero(there)

    def says(self, person: Person, allowed: Bools) -> Floats | None:
        """Return (items on the shelf) from 1 for the best item down to 0, NaN of those that it does not know or the person has.

        All but its best 200 items count as much as the last of these. None: it knows no item that the person turned to.

        Args:
            allowed: (items on the shelf), those of interest; what the person was shown is of interest besides.
        """
        known = [(int(self._numbers[place]), moment) for place, moment in person.history if self._numbers[place] >= 0]
        known.sort(key=lambda one: one[1])
        if not known:
            return None
        items = np.array([item for item, _ in known], dtype=np.int64)
        seconds = np.array([moment for _, moment in known])
        query = Histories(np.array([0, len(known)]), items, seconds, len(self._places))
        wanted = allowed.copy()
        wanted[person.shown] = True
        ranked = (self._places >= 0) & wanted[self._places]
        ranked[items] = False
        best, scores = self.trained.recommender.best(query, ranked, _BEST)
        said = np.full(len(self.shelf), np.nan)
        if len(best):
            parts = np.clip(1 + (scores - scores[0]) / _SPAN, 0, 1)
            said[self._places[ranked]] = parts[-1]
            said[self._places[best]] = parts
        return said
