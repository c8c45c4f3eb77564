"""What a list is wanted for, out of a query; and which items may be in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rejoinder_recommendation.histories import Bools
from rejoinder_recommendation.lists.filters import Filters, texts_of
from rejoinder_recommendation.settings import RecommendationSettings

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.shelf import Shelf

__all__ = ["Wish", "allowed_items", "wish_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The filters of a query of the kind `recommendation`.

    Attributes:
        like, dislike: ids of items that the list should be like, and unlike; none of them is in it.
        filters: what its items must be like.
    """

    like: tuple[str, ...] = ()
    dislike: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)

    def to_json(self) -> dict[str, Any]:
        """Return the filters of a query."""
        named = {"like": list(self.like), "dislike": list(self.dislike)}
        return {**{name: ids for name, ids in named.items() if ids}, **self.filters.to_json()}


def wish_of(filters: Mapping[str, Any]) -> Wish:
    """Return what a query's filters say: `like`, `dislike`, and those of `Filters`.

    Raises:
        InvalidInputError: a filter is unknown or of the wrong kind.
    """
    others = {name: value for name, value in filters.items() if name not in ("like", "dislike")}
    return Wish(
        like=texts_of("like", filters.get("like", ())),
        dislike=texts_of("dislike", filters.get("dislike", ())),
        filters=Filters.from_json(others),
    )


def allowed_items(shelf: Shelf, wish: Wish, settings: RecommendationSettings) -> Bools:
    """Return (items) which may be listed by the wish and the tenant's rules."""
    allowed = wish.filters.allow(shelf)
    if settings.in_stock_only:
        allowed &= shelf.available
    allowed[shelf.tagged(settings.exclude)] = False
    allowed[shelf.places((*wish.like, *wish.dislike))] = False
    return np.asarray(allowed)
