"""What an item must be like, read from a message: price, length, year."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from rejoinder_recommendation.lists.filters import Filters

__all__ = ["COMPARISONS", "read_filters", "relative"]

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


def read_filters(text: str) -> Filters:
    """Read the bounds that a message sets on price, length and year.

    A number with a unit of time is a length, one with a currency a price, one between 1880 and 2099 without either a year, and any other
    a price.

    Example:
        >>> read_filters("under 30 please").price_max, read_filters("less than 2 hours").minutes_max, read_filters("80s").year_min
        (30.0, 120.0, 1980)
    """
    found: dict[str, Any] = {}
    for match in _BETWEEN.finditer(text):
        attribute, high = _measured(match)
        low = float(match["low"].replace(",", ".")) * (60 if (match["unit"] or "").startswith("h") else 1)
        found |= {f"{attribute}_min": min(low, high), f"{attribute}_max": max(low, high)}
    for match in (*_BOUND.finditer(text), *_BEHIND.finditer(text)):
        attribute, value = _measured(match)
        words = match.groupdict()
        if attribute == "price" and (words.get("most") or "").casefold() in ("shorter than", "not longer than"):
            attribute = "minutes"
        is_least = bool(words.get("least")) != bool(_NOTHING.search(text[: match.start()]))
        found[f"{attribute}_{'min' if is_least else 'max'}"] = value
    for match in _DECADE.finditer(text):
        century = match["century"] or ("20" if int(match["decade"]) < 30 else "19")
        found |= {"year_min": int(century + match["decade"]), "year_max": int(century + match["decade"]) + 9}
    for match in _EXACT_YEAR.finditer(text):
        if "year_min" not in found:
            found |= {"year_min": int(match["year"]), "year_max": int(match["year"])}
    return Filters(**found)


def relative(word: str, value: float) -> Filters | None:
    """Return the bound that a comparison with an item sets; None: the item's own value is not known.

    Args:
        word: one of `COMPARISONS`.
        value: the item's, NaN where it is not known.
    """
    measure, sign = COMPARISONS[word]
    if math.isnan(value):
        return None
    step = 0.01 if measure == "price" else 1
    bound: dict[str, Any] = {f"{measure}_{'max' if sign < 0 else 'min'}": round(value + sign * step, 2)}
    return Filters(**bound)


def _measured(match: re.Match[str]) -> tuple[str, float]:
    """Return what a number measures, and it."""
    value = float(match["number"].replace(",", "."))
    unit = (match["unit"] or "").casefold()
    if unit.startswith(("h", "min")):
        return "minutes", value * (60 if unit.startswith("h") else 1)
    if not unit and not match["sign"] and _YEARS[0] <= value <= _YEARS[1] and value == int(value):
        return "year", value
    return "price", value
