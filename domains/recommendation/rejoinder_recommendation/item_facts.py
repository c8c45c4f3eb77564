"""What an item says of itself beside its title and text, read out of the fields in which it was sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rejoinder.items.attributes import TAG, attributes_of

if TYPE_CHECKING:
    from rejoinder.items.catalogue import CatalogueItem

__all__ = ["ItemFacts", "facts_of", "split_year"]

_YEAR: Final = re.compile(r"\s*\((1[89]\d\d|20\d\d)\)\s*$")
_NUMBERS: Final = frozenset({"year", "minutes", "mentions"})


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """An item's fields as filters and reasons need them.

    Attributes:
        tags: kinds that it belongs to, such as genres.
        relations: what else it shares with other items, by the name of the field, such as director or brand.
        price: >= 0, in the shop's currency; None: unknown.
        year: when it came out; None: unknown.
        minutes: how long it takes, >= 0; None: unknown.
        mentions: how often people spoke of it before, >= 0.
    """

    tags: tuple[str, ...] = ()
    relations: tuple[tuple[str, tuple[str, ...]], ...] = ()
    price: float | None = None
    year: int | None = None
    minutes: float | None = None
    mentions: float = 0.0

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """All that links it to other items: its relations, and its tags as the relation `tag`."""
        return {**dict(self.relations), "tag": self.tags} if self.tags else dict(self.relations)


def facts_of(item: CatalogueItem) -> ItemFacts:
    """Return what an item's fields say.

    `year`, `minutes` and `mentions` are read from its `data` (numbers, or texts of digits as CSV has them); a year also from the end of
    the title, or else from `published`. Its other attributes are relations.
    """
    more: Mapping[str, Any] = item.data.get("data") or {}
    attributes = attributes_of(item.data)
    tags = attributes.pop(TAG, ())
    relations = tuple((name, values) for name, values in attributes.items() if name not in _NUMBERS)
    year = _number(more.get("year")) or split_year(item.title)[1] or _year_of(item.data.get("published"))
    return ItemFacts(
        tags=tags,
        relations=relations,
        price=item.data.get("price"),
        year=None if year is None else int(year),
        minutes=_number(more.get("minutes")),
        mentions=_number(more.get("mentions")) or 0.0,
    )


def split_year(title: str) -> tuple[str, int | None]:
    """Return a title without the year at its end, and the year.

    Example:
        >>> split_year("Saw  (2004)"), split_year("Friday")
        (('Saw', 2004), ('Friday', None))
    """
    found = _YEAR.search(title)
    return (title[: found.start()].strip(), int(found.group(1))) if found else (title.strip(), None)


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        return None
    return float(value)


def _year_of(published: Any) -> int | None:
    return datetime.fromisoformat(published).year if isinstance(published, str) else None
