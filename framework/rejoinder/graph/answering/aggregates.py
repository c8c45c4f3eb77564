"""Questions that want something made of what is found: counted, the latest or the most frequent of it, or only what fits a filter.

Such words are cut out of a masked question before paths are ranked, so that "how many films did X direct after 1990" is ranked as
"which films did X direct". All that is known of a language is in the tables `LIMITS`, `PICKS`, `COUNTS` and `ATTRIBUTES`; a language is
added by more rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal

Pick = Literal["all", "most", "least", "commonest", "rarest"]

ATTRIBUTES: Final[Mapping[str, str]] = {
    "time": r"year|date|time|released?|published|founded|born|birth|built|opened|started?",
    "rating": r"rating|rated|score|stars|grade",
    "popularity": r"votes|popularity|views|downloads|visitors|likes",
    "length": r"duration|length|runtime|minutes|pages|distance",
    "price": r"price|cost|fee|rent|budget",
    "size": r"size|population|area|employees|revenue|inhabitants|seats|capacity",
    "height": r"height|elevation|altitude",
    "weight": r"weight|mass",
}
"""Attributes by what words ask for, with a pattern of the names that properties and relations for them have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A filter: the value of an attribute lies in [low, high], or in the open interval where `strict`.

    Attributes:
        attribute: a key of `ATTRIBUTES`, or a word to be looked for in names of properties and relations.
    """

    attribute: str
    low: float = float("-inf")
    high: float = float("inf")
    strict: bool = False

    def holds(self, value: float) -> bool:
        """Return whether a value fits; of a time only the year counts."""
        if self.attribute == "time":
            value = float(int(value))
        if self.strict:
            return self.low < value < self.high
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be made of the entities that a path leads to.

    Attributes:
        text: the question without the words that said so.
        count: how many there are.
        pick: all of them, the one or ones with the most or least of `attribute`, or the commonest or rarest.
        bounds: only those whose attributes lie in all of these.
        value: a word that may name what all found are related to, or are, such as "comedies"; "" none.
    """

    text: str
    count: bool = False
    pick: Pick = "all"
    attribute: str = ""
    bounds: tuple[Bound, ...] = ()
    value: str = ""

    @property
    def plain(self) -> bool:
        """Whether all that is found is wanted as it is."""
        return not (self.count or self.pick != "all" or self.bounds)


@dataclass(slots=True)
class _Draft:
    count: bool = False
    pick: Pick = "all"
    attribute: str = ""
    bounds: list[Bound] = field(default_factory=list)


_NUMBER: Final = r"(?P<n>\d[\d,]*(?:\.\d+)?)"
_YEAR: Final = r"(?P<n>1\d{3}|20\d{2})"
_ABOVE: Final = r"(?:above|over|greater than|more than|higher than|better than|exceeding)"
_LEAST: Final = r"(?:at least|no less than|not less than)"
_BELOW: Final = r"(?:below|under|less than|lower than|worse than|fewer than)"
_MOST: Final = r"(?:at most|no more than|not more than|up to)"
_RELEASED: Final = (
    r"(?:(?:(?:that|which)\s+)?(?:(?:was|were|is|are|has been|have been|came|come)\s+)?"
    r"(?:released|made|published|founded|born|built|opened|out|produced)\s+|from\s+(?=(?:after|before|since)\b))?"
)
_NAMED: Final = r"(?:(?:that|which)\s+(?:has|have)\s+|have\s+|has\s+|with\s+|having\s+)(?:an?\s+|the\s+)?"


def _number(match: re.Match[str], group: str = "n") -> float:
    return float(match[group].replace(",", ""))


def _set(draft: _Draft, pick: Pick, attribute: str) -> None:
    draft.pick, draft.attribute = pick, attribute


def _bound(draft: _Draft, attribute: str, **limits: float | bool) -> None:
    draft.bounds.append(Bound(attribute=attribute, **limits))  # type: ignore[arg-type]  # floats and the one bool by name


def _counted(draft: _Draft, _: re.Match[str]) -> None:
    draft.count = True


def _picked(pick: Pick, attribute: str) -> Callable[[_Draft, re.Match[str]], None]:
    return lambda draft, _: _set(draft, pick, attribute)


def _picked_by_word(draft: _Draft, match: re.Match[str]) -> None:
    _set(
        draft,
        "most" if match["how"] in ("highest", "largest", "biggest", "greatest", "most") else "least",
        _attribute(match["what"]),
    )


def _limited(attribute: str | None, side: str) -> Callable[[_Draft, re.Match[str]], None]:
    def add(draft: _Draft, match: re.Match[str]) -> None:
        name, n = attribute or _attribute(match["what"]), _number(match)
        if side == "above":
            _bound(draft, name, low=n, strict=True)
        elif side == "least":
            _bound(draft, name, low=n)
        elif side == "below":
            _bound(draft, name, high=n, strict=True)
        elif side == "most":
            _bound(draft, name, high=n)
        else:
            _bound(draft, name, low=n, high=n)

    return add


def _between(draft: _Draft, match: re.Match[str]) -> None:
    low, high = sorted((_number(match), _number(match, "m")))
    _bound(draft, "time", low=low, high=high)


def _decade(draft: _Draft, match: re.Match[str]) -> None:
    start = _number(match)
    if start < 100:
        start += 1900 if start >= 30 else 2000
    _bound(draft, "time", low=start, high=start + 9)


def _attribute(word: str) -> str:
    """Return the key of `ATTRIBUTES` that a word asks for, or the word itself, singular."""
    for key, pattern in ATTRIBUTES.items():
        if re.fullmatch(rf"(?:{pattern})s?", word):
            return key
    return word.removesuffix("s")


Action = Callable[[_Draft, re.Match[str]], None]

Row = tuple[str, str, Action]
"""Language, pattern, what it asks for. What the group "keep" matched stays in the question; all else that matched is cut out."""

_RATED: Final = r"(?:(?:that|which)\s+)?(?:(?:is|are|was|were)\s+)?(?P<what>rated|priced)"
_OF: Final = r"(?P<what>[a-z]+)\s+(?:of\s+)?"
_ITS: Final = r"(?P<keep>(?:the|X['’]s|his|her|their|its)\s+)(?:very\s+)?"
_SUPERLATIVE: Final = r"(?P<how>highest|largest|biggest|greatest|most|lowest|smallest|fewest|least)"
_SIDES: Final = ((_ABOVE, "above"), (_LEAST, "least"), (_BELOW, "below"), (_MOST, "most"))

LIMITS: Final[Sequence[Row]] = (
    (
        "en",
        rf"{_RELEASED}(?:between|from)\s+{_YEAR}\s+(?:and|to|until|till)\s+(?P<m>1\d{{3}}|20\d{{2}})",
        _between,
    ),
    ("en", rf"{_RELEASED}(?:in|from|of|during)\s+the\s+['’]?(?P<n>1\d{{2}}0|20\d0|\d0)['’]?s\b", _decade),
    ("en", rf"{_RELEASED}(?:after|later than)\s+{_YEAR}\b", _limited("time", "above")),
    ("en", rf"{_RELEASED}(?:since|from)\s+{_YEAR}(?:\s+(?:on|onwards?))?\b", _limited("time", "least")),
    ("en", rf"{_RELEASED}(?:before|earlier than|prior to)\s+{_YEAR}\b", _limited("time", "below")),
    ("en", rf"{_RELEASED}(?:until|till|up to)\s+{_YEAR}\b", _limited("time", "most")),
    ("en", rf"{_RELEASED}(?:in|during)\s+{_YEAR}\b", _limited("time", "is")),
    *(("en", rf"{_RATED}\s+{words}\s+{_NUMBER}", _limited(None, side)) for words, side in _SIDES),
    *(("en", rf"{_NAMED}{_OF}{words}\s+{_NUMBER}", _limited(None, side)) for words, side in _SIDES),
    *(("en", rf"{_NAMED}{words}\s+{_NUMBER}\s+(?P<what>[a-z]+)", _limited(None, side)) for words, side in _SIDES),
)
"""Filters by numbers; all that match count."""

PICKS: Final[Sequence[Row]] = (
    ("en", r"(?:most\s+common|commonest|most\s+frequent|most\s+usual)(?:ly)?", _picked("commonest", "")),
    ("en", r"(?:least\s+common|least\s+frequent|rarest)(?:ly)?", _picked("rarest", "")),
    ("en", r"(?:the\s+)?(?:most\s+often|most\s+frequently|the\s+most\s+times)", _picked("commonest", "")),
    ("en", r"(?:latest|newest|most\s+recent|youngest)(?:ly)?", _picked("most", "time")),
    ("en", r"(?:earliest|oldest)", _picked("least", "time")),
    ("en", rf"{_ITS}last(?=\s+(?!name\b)[a-z])", _picked("most", "time")),
    ("en", rf"{_ITS}first(?=\s+(?!name\b)[a-z])", _picked("least", "time")),
    ("en", r"(?:highest|best|top)[\s-]+rated", _picked("most", "rating")),
    ("en", r"(?:lowest|worst)[\s-]+rated", _picked("least", "rating")),
    ("en", r"(?:most\s+popular|most\s+voted)", _picked("most", "popularity")),
    ("en", r"least\s+popular", _picked("least", "popularity")),
    ("en", r"longest", _picked("most", "length")),
    ("en", r"shortest", _picked("least", "length")),
    ("en", r"(?:most\s+expensive|dearest)", _picked("most", "price")),
    ("en", r"(?:cheapest|least\s+expensive)", _picked("least", "price")),
    ("en", r"tallest", _picked("most", "height")),
    ("en", r"heaviest", _picked("most", "weight")),
    ("en", r"lightest", _picked("least", "weight")),
    ("en", rf"(?:with|having|(?:(?:that|which)\s+)?has)\s+the\s+{_SUPERLATIVE}\s+(?P<what>[a-z]+)", _picked_by_word),
    ("en", r"(?:largest|biggest)", _picked("most", "size")),
    ("en", r"smallest", _picked("least", "size")),
)
"""The one with the most or least of something; the first that matches counts."""

COUNTS: Final[Sequence[Row]] = (
    ("en", r"^(?:so\s+|and\s+)?how\s+many", _counted),
    ("en", r"(?:(?:what\s+is|what's|tell\s+me|give\s+me|count)\s+)?(?:the\s+)?(?:total\s+)?number\s+of", _counted),
    ("en", r"^(?:please\s+)?count(?:\s+(?:the|all))?", _counted),
)
"""How many there are; the first that matches counts."""

LANGUAGES: Final = tuple(dict.fromkeys(language for language, _, _ in (*LIMITS, *PICKS, *COUNTS)))

_LEADING: Final = re.compile(
    r"^(?:which|what|how\s+many|list|name|show)\s+(?:(?:are|is|was|were|did|do|does|me|all|the|of)\s+)*(?P<value>[a-z]{3,30})\b"
)
_LOOSE: Final = re.compile(r"\b(?:and|but|that|which)\s*$|^\s*(?:and|but)\b")
_ASKS: Final = re.compile(r"^(?:which|what|who|whom|whose|when|where|list|name|show|in|the)\b")


def wanted_in(question: str, *, languages: Sequence[str] = LANGUAGES) -> Wanted:
    """Return what a masked question wants made of what is found.

    Args:
        question: as `rejoinder.graph.answering.questions.masked` gives it.
        languages: rows of the tables to go by.

    Example:
        >>> found = wanted_in("how many films did X direct after 1990")
        >>> found.text, found.count, found.bounds[0].low
        ('which films did X direct', True, 1990.0)
    """
    draft = _Draft()
    text = question
    for rows, several in _TABLES:
        for language, pattern, act in rows:
            match = pattern.search(text) if language in languages else None
            if match is None:
                continue
            act(draft, match)
            kept = match.groupdict().get("keep") or ""
            text = " ".join(f"{text[: match.start()]} {kept} {text[match.end() :]}".split())
            if not several:
                break
    text = " ".join(_LOOSE.sub("", text).split()).replace(" 's", "'s").replace(" ,", ",")
    if draft.count and not _ASKS.match(text):
        text = f"which {text}"
    leading = _LEADING.match(text)
    return Wanted(
        text=text,
        count=draft.count,
        pick=draft.pick,
        attribute=draft.attribute,
        bounds=tuple(draft.bounds),
        value=leading["value"] if leading else "",
    )


def _compiled(rows: Sequence[Row]) -> tuple[tuple[str, re.Pattern[str], Action], ...]:
    return tuple((language, re.compile(rf"(?<!\w)(?:{pattern})(?!\w)"), act) for language, pattern, act in rows)


_TABLES: Final = ((_compiled(LIMITS), True), (_compiled(PICKS), False), (_compiled(COUNTS), False))


def number_of(value: object) -> float | None:
    """Return a value as a number that can be compared: a date as a year with its fraction, of a text the number that it begins with.

    Example:
        >>> number_of("1994"), number_of("7.5/10"), number_of("1,234"), number_of(date(1994, 7, 2)), number_of("German")
        (1994.0, 7.5, 1234.0, 1994.4986301369863, None)
    """
    match value:
        case bool():
            return None
        case int() | float():
            return float(value)
        case datetime() | date():
            day = value.timetuple().tm_yday
            return value.year + (day - 1) / 365
        case str():
            return _number_in(value)
        case _:
            return None


_BEGINS: Final = re.compile(r"\s*[$€£]?\s*(-?\d[\d,]*(?:\.\d+)?)(?!\w)")
_ISO: Final = re.compile(r"\s*(\d{4})-(\d{2})-(\d{2})\b")


def _number_in(text: str) -> float | None:
    iso = _ISO.match(text)
    if iso is not None:
        try:
            return number_of(date(int(iso[1]), int(iso[2]), int(iso[3])))
        except ValueError:
            return None
    found = _BEGINS.match(text)
    return float(found[1].replace(",", "")) if found else None


def attribute_named(attribute: str, names: Iterable[str]) -> str | None:
    """Return the property or relation that an attribute means, or None: the one whose name says it with the fewest other words.

    Example:
        >>> attribute_named("time", ["has_genre", "release_year"]), attribute_named("budget", ["title"])
        ('release_year', None)
    """
    pattern = re.compile(rf"(?:{ATTRIBUTES.get(attribute, re.escape(attribute))})s?", re.IGNORECASE)
    fitting = [name for name in sorted(set(names)) if any(pattern.fullmatch(word) for word in _words(name))]
    return min(fitting, key=lambda name: len(_words(name)), default=None)


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name)]


def picked(values: Mapping[str, float], pick: Pick) -> tuple[str, ...]:
    """Return the ids with the most (or least) of a value; several where they tie.

    Example:
        >>> picked({"a": 1.0, "b": 2.0, "c": 2.0}, "most")
        ('b', 'c')
    """
    if not values:
        return ()
    best = max(values.values()) if pick in ("most", "commonest") else min(values.values())
    return tuple(one for one, value in values.items() if value == best)


def singulars(word: str) -> tuple[str, ...]:
    """Return what a plural may be the plural of, the word itself last.

    Example:
        >>> singulars("comedies"), singulars("dramas"), singulars("heroes")
        (('comedy', 'comedie', 'comedies'), ('drama', 'dramas'), ('hero', 'heroe', 'heroes'))
    """
    found: list[str] = []
    if word.endswith("ies") and len(word) > 4:
        found.append(f"{word[:-3]}y")
    if word.endswith("es") and len(word) > 4 and not word.endswith("ies"):
        found.append(word[:-2])
    if word.endswith("s") and not word.endswith("ss"):
        found.append(word[:-1])
    return tuple(Counter([*found, word]))
