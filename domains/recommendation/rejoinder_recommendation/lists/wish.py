"""What a list is wanted for, out of a query; and which items may be in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rejoinder.errors import InvalidInputError

from rejoinder_recommendation.histories import Bools
from rejoinder_recommendation.settings import RecommendationSettings

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.shelf import Shelf

__all__ = ["Wish", "allowed_items", "wish_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The filters of a query of the kind `recommendation`.

    Attributes:
        like: ids of items that the list should be like.
        tags: only items with one of these tags; empty: all.
        without: ids or tags of items that are not wanted.
        lowest, highest: bounds of the price, both included; items without a price pass none of them.
    """

    like: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None


def wish_of(filters: Mapping[str, Any]) -> Wish:
    """Return what a query's filters say: `like`, `tags`, `without` (strings or lists of them), `price_min`, `price_max`.

    Raises:
        InvalidInputError: a filter is unknown or of the wrong kind.
    """
    names = {"like", "tags", "without", "price_min", "price_max"}
    if unknown := sorted(set(filters) - names):
        raise InvalidInputError(f"there is no filter {unknown[0]!r}: there are {', '.join(sorted(names))}")

    def words(name: str) -> tuple[str, ...]:
        value = filters.get(name, ())
        found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else None
        if found is None or not all(isinstance(one, str) for one in found):
            raise InvalidInputError(f"the filter {name} is a text or a list of texts")
        return found

    def price(name: str) -> float | None:
        value = filters.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InvalidInputError(f"the filter {name} is a number")
        return value

    return Wish(
        like=words("like"),
        tags=words("tags"),
        without=words("without"),
        lowest=price("price_min"),
        highest=price("price_max"),
    )


def allowed_items(shelf: Shelf, wish: Wish, settings: RecommendationSettings) -> Bools:
    """Return (items) which may be listed by the wish and the tenant's rules."""
    allowed = shelf.available.copy() if settings.in_stock_only else np.ones(len(shelf), dtype=bool)
    if wish.tags:
        wanted = np.zeros(len(shelf), dtype=bool)
        wanted[shelf.tagged(wish.tags)] = True
        allowed &= wanted
    if wish.lowest is not None:
        allowed &= shelf.price >= wish.lowest
    if wish.highest is not None:
        allowed &= shelf.price <= wish.highest
    allowed[shelf.tagged((*wish.without, *settings.exclude))] = False
    allowed[shelf.places(wish.like)] = False
    return allowed
