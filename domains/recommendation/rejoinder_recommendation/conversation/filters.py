"""What an item must be like, read from a message: price, length, year, kinds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from rejoinder_recommendation.conversation.catalogue import Catalogue, CatalogueItem

__all__ = ["COMPARISONS", "Filters", "known", "read_filters", "relative"]

_UNIT: Final = r"(?P<unit>minutes?|mins?|hours?|hrs?|euros?|eur|dollars?|usd|bucks|quid|pounds?|gbp|[$€£])?"
_AMOUNT: Final = rf"(?P<sign>[$€£])?\s?(?P<number>\d+(?:[.,]\d+)?)\s?{_UNIT}"
_MOST: Final = (
    r"under|below|less than|at most|up to|max(?:imum)?|no more than|not more than|cheaper than|within|not over|shorter than|"
    r"not longer than|before|older than|until"
)
_LEAST: Final = r"over|above|more than|at least|longer than|after|since|newer than|min(?:imum)?"
_BOUND: Final = re.compile(
    rf"\b(?:(?P<most>{_MOST})|(?P<least>{_LEAST})) (?:of |about |around )?{_AMOUNT}", re.IGNORECASE
)
_BEHIND: Final = re.compile(
    rf"{_AMOUNT}(?: at)?(?: max(?:imum)?| most| tops| or (?:less|under|cheaper|shorter))\b", re.IGNORECASE
)
_BETWEEN: Final = re.compile(
    rf"\b(?:between|from) (?:[$€£]\s?)?(?P<low>\d+(?:[.,]\d+)?) (?:and|to) {_AMOUNT}", re.IGNORECASE
)
_NOTHING: Final = re.compile(r"\b(?:nothing|none|not)\s$", re.IGNORECASE)
"""Before a bound, it turns it round: nothing before 1990."""
_DECADE: Final = re.compile(r"\b(?P<century>19|20)?(?P<decade>\d0)['’]?s\b")
_EXACT_YEAR: Final = re.compile(r"\b(?:in|from) (?P<year>(?:19|20)\d\d)\b")
_YEARS: Final = (1880, 2099)

COMPARISONS: Final[Mapping[str, tuple[str, int]]] = {
    "shorter": ("minutes", -1),
    "longer": ("minutes", 1),
    "cheaper": ("price", -1),
    "less expensive": ("price", -1),
    "more expensive": ("price", 1),
    "newer": ("year", 1),
    "more recent": ("year", 1),
    "older": ("year", -1),
}
"""Words that compare an item with another: the attribute, and which way."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Bounds, both included unless said otherwise; None: any.

    Attributes:
        tags: an item has at least one of them; none: any.
        without: it has none of these.
    """

    min_price: float | None = None
    max_price: float | None = None
    min_minutes: float | None = None
    max_minutes: float | None = None
    min_year: float | None = None
    max_year: float | None = None
    tags: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def fits(self, item: CatalogueItem) -> bool:
        """Say whether an item is so; one of which a bounded attribute is not known is not."""
        for attribute in ("price", "minutes", "year"):
            low, high = getattr(self, f"min_{attribute}"), getattr(self, f"max_{attribute}")
            value = getattr(item, attribute)
            if (low is not None or high is not None) and value is None:
                return False
            if (low is not None and value < low) or (high is not None and value > high):
                return False
        own = set(item.tags)
        return (not self.tags or not own.isdisjoint(self.tags)) and own.isdisjoint(self.without)

    def merged(self, newer: Filters) -> Filters:
        """Return these with what a later message says in their place; tags that are excluded later are wanted no more."""
        changed = {one.name: value for one in fields(newer) if (value := getattr(newer, one.name)) not in (None, ())}
        without = tuple(dict.fromkeys((*(tag for tag in self.without if tag not in newer.tags), *newer.without)))
        tags = tuple(tag for tag in changed.get("tags", self.tags) if tag not in newer.without)
        return replace(self, **{**changed, "tags": tags, "without": without})

    def bounded(self) -> tuple[str, ...]:
        """Return the attributes that have a bound."""
        names = ("price", "minutes", "year")
        return tuple(
            name for name in names if (getattr(self, f"min_{name}"), getattr(self, f"max_{name}")) != (None, None)
        )

    def unbounded(self, attributes: Iterable[str]) -> Filters:
        """Return these without bounds on some attributes."""
        none: dict[str, Any] = {f"{end}_{name}": None for name in attributes for end in ("min", "max")}
        return replace(self, **none)

    def to_json(self) -> dict[str, Any]:
        """Return what is set."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
            if value not in (None, ())
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Filters:
        """Return what `to_json` gave."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
        }
        return cls(**values)

    def in_words(self) -> str:
        """Return the filters as a person would say them; "" where there are none."""
        said = [f"{' or '.join(self.tags)}"] if self.tags else []
        said += [f"no {tag}" for tag in self.without]
        for attribute, unit in (("price", ""), ("minutes", " minutes"), ("year", "")):
            low, high = getattr(self, f"min_{attribute}"), getattr(self, f"max_{attribute}")
            if low is not None and high is not None:
                said.append(f"{'' if attribute != 'price' else 'price '}{low:g} to {high:g}{unit}")
            elif high is not None:
                said.append(f"{'until' if attribute == 'year' else 'at most'} {high:g}{unit}")
            elif low is not None:
                said.append(f"{'from' if attribute == 'year' else 'at least'} {low:g}{unit}")
        return ", ".join(said)


def read_filters(text: str) -> Filters:
    """Read the bounds that a message sets on price, length and year.

    A number with a unit of time is a length, one with a currency a price, one between 1880 and 2099 without either a year, and any other
    a price.

    Example:
        >>> read_filters("under 30 please").max_price, read_filters("less than 2 hours").max_minutes, read_filters("80s").min_year
        (30.0, 120.0, 1980)
    """
    found: dict[str, Any] = {}
    for match in _BETWEEN.finditer(text):
        attribute, high = _measured(match)
        low = float(match["low"].replace(",", ".")) * (60 if (match["unit"] or "").startswith("h") else 1)
        found |= {f"min_{attribute}": min(low, high), f"max_{attribute}": max(low, high)}
    for match in (*_BOUND.finditer(text), *_BEHIND.finditer(text)):
        attribute, value = _measured(match)
        words = match.groupdict()
        if attribute == "price" and (words.get("most") or "").casefold() in ("shorter than", "not longer than"):
            attribute = "minutes"
        is_least = bool(words.get("least")) != bool(_NOTHING.search(text[: match.start()]))
        found[f"{'min' if is_least else 'max'}_{attribute}"] = value
    for match in _DECADE.finditer(text):
        century = match["century"] or ("20" if int(match["decade"]) < 30 else "19")
        found |= {"min_year": int(century + match["decade"]), "max_year": int(century + match["decade"]) + 9}
    for match in _EXACT_YEAR.finditer(text):
        if "min_year" not in found:
            found |= {"min_year": int(match["year"]), "max_year": int(match["year"])}
    return Filters(**found)


def relative(word: str, to: CatalogueItem) -> Filters | None:
    """Return the bound that a comparison with an item sets; None: the item's own value is not known.

    Args:
        word: one of `COMPARISONS`.
    """
    attribute, sign = COMPARISONS[word]
    value = getattr(to, attribute)
    if value is None:
        return None
    step = 0.01 if attribute == "price" else 1
    return Filters(**{f"{'max' if sign < 0 else 'min'}_{attribute}": value + sign * step})


def known(attribute: str, catalogue: Catalogue) -> bool:
    """Say whether a catalogue knows an attribute of any item."""
    return any(getattr(item, attribute) is not None for item in catalogue.items)


def _measured(match: re.Match[str]) -> tuple[str, float]:
    """Return what a number measures, and it."""
    value = float(match["number"].replace(",", "."))
    unit = (match["unit"] or "").casefold()
    if unit.startswith(("h", "min")):
        return "minutes", value * (60 if unit.startswith("h") else 1)
    if not unit and not match["sign"] and _YEARS[0] <= value <= _YEARS[1] and value == int(value):
        return "year", value
    return "price", value
