"""What items must be like: bounds on price, length and year, kinds that are wanted and kinds that are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    from rejoinder_recommendation.histories import Bools
    from rejoinder_recommendation.lists.shelf import Shelf

__all__ = ["MEASURES", "Filters", "texts_of"]

MEASURES: Final = ("price", "minutes", "year")
"""What a filter may bound."""
_UNITS: Final = {"price": "", "minutes": " minutes", "year": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Bounds, both included; None: any.

    Attributes:
        tags: an item has at least one of them (or is one of them, by id); none: any.
        without: ids or tags of items that are not wanted.
    """

    price_min: float | None = None
    price_max: float | None = None
    minutes_min: float | None = None
    minutes_max: float | None = None
    year_min: float | None = None
    year_max: float | None = None
    tags: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def allow(self, shelf: Shelf) -> Bools:
        """Return (items), which are so; an item of which a bounded measure is not known is not."""
        allowed = np.ones(len(shelf), dtype=bool)
        if self.tags:
            allowed[:] = False
            allowed[shelf.tagged(self.tags)] = True
        for measure in self.bounded():
            low, high = self.bounds(measure)
            values = shelf.measure(measure)
            allowed &= np.isfinite(values)
            if low is not None:
                allowed &= values >= low
            if high is not None:
                allowed &= values <= high
        allowed[shelf.tagged(self.without)] = False
        return allowed

    def bounds(self, measure: str) -> tuple[float | None, float | None]:
        """Return the least and the most of a measure."""
        return getattr(self, f"{measure}_min"), getattr(self, f"{measure}_max")

    def bounded(self) -> tuple[str, ...]:
        """Return the measures that have a bound."""
        return tuple(name for name in MEASURES if self.bounds(name) != (None, None))

    def unbounded(self, measures: Iterable[str]) -> Self:
        """Return these without bounds on some measures."""
        none: dict[str, Any] = {f"{name}_{end}": None for name in measures for end in ("min", "max")}
        return replace(self, **none)

    def merged(self, newer: Filters) -> Self:
        """Return these with what is said later in their place; tags that are excluded later are wanted no more."""
        changed = {one.name: value for one in fields(newer) if (value := getattr(newer, one.name)) not in (None, ())}
        without = tuple(dict.fromkeys((*(tag for tag in self.without if tag not in newer.tags), *newer.without)))
        tags = tuple(tag for tag in changed.get("tags", self.tags) if tag not in newer.without)
        return replace(self, **{**changed, "tags": tags, "without": without})

    def to_json(self) -> dict[str, Any]:
        """Return what is set, as a query's filters say it."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
            if value not in (None, ())
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Return what a query's filters say: texts or lists of them, and numbers.

        Raises:
            InvalidInputError: a filter is unknown or of the wrong kind.
        """
        names = {one.name for one in fields(cls)}
        if unknown := sorted(set(said) - names):
            every = ", ".join(sorted(names | {"like", "dislike"}))
            raise InvalidInputError(f"there is no filter {unknown[0]!r}: there are {every}")
        read = {"tags": texts_of, "without": texts_of}
        values: dict[str, Any] = {name: read.get(name, _number)(name, value) for name, value in said.items()}
        return cls(**values)

    def in_words(self) -> str:
        """Return the filters as a person would say them; "" where there are none."""
        said = [" or ".join(self.tags)] if self.tags else []
        said += [f"no {tag}" for tag in self.without]
        for measure in self.bounded():
            low, high = self.bounds(measure)
            unit = _UNITS[measure]
            if low is not None and high is not None:
                said.append(f"{'price ' if measure == 'price' else ''}{low:g} to {high:g}{unit}")
            elif high is not None:
                said.append(f"{'until' if measure == 'year' else 'at most'} {high:g}{unit}")
            elif low is not None:
                said.append(f"{'from' if measure == 'year' else 'at least'} {low:g}{unit}")
        return ", ".join(said)


def texts_of(name: str, value: Any) -> tuple[str, ...]:
    """Return a filter's text, or its texts.

    Raises:
        InvalidInputError: it is neither.
    """
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else None
    if found is None or not all(isinstance(one, str) for one in found):
        raise InvalidInputError(f"the filter {name} is a text or a list of texts")
    return found


def _number(name: str, value: Any) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise InvalidInputError(f"the filter {name} is a number")
    return value
