"""Companies that a text names: by their names with or without what stands for their legal form, aliases, or tickers.

All names are held in memory, by their first word: a text takes some 0.1 ms, where to ask the graph takes some milliseconds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from rejoinder.graph.common_words import PLAIN_WORDS, STOP_WORDS
from rejoinder.graph.names import normalised
from rejoinder.graph.spans import Word, words_of

__all__ = ["Company", "CompanyIndex", "How", "Mention"]

How = Literal["name", "alias", "ticker", "cashtag", "subsidiary"]

_CASHTAG: Final = re.compile(r"(?<![\w$])\$([A-Za-z]{1,5}(?:\.[A-Za-z]{1,2})?)(?!\w)")
_APART: Final = re.compile(r"(?<![\w$])\$ ([A-Za-z]{2,5})(?!\w)")
"""A cashtag of a text that was cut into words, for tickers that are declared."""
_LISTED: Final = re.compile(
    r"\b(?:NYSE|NASDAQ|Nasdaq|AMEX|LSE|NSE|BSE|HEL|OMX|TSX|ASX|HKEX|XETRA)\s*:\s*([A-Z0-9]{1,6}(?:\.[A-Z]{1,2})?)\b"
)
_BARE_TICKER_CHARS: Final = 3
"""Shorter tickers are too often other words: they count with a dollar sign or an exchange before them."""

_FORMS: Final = (
    "ab ag as asa bhd bv co company corp corporation gmbh group holding holdings inc incorporated international kgaa limited llc llp lp "
    "ltd nv oy oyj plc pte pvt sa sab se spa the trust tbk"
)
_LEGAL_FORMS: Final = frozenset(_FORMS.split())
_MOST_OWNERS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A company: its key, an entity's id where it is one of the graph; its name, other names, tickers, and the key of its owner."""

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    tickers: tuple[str, ...] = ()
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A company where a text names it first.

    Attributes:
        key: the company's; the ticker in capitals of one that nobody declared.
        start, end: characters [start, end) of the text.
        how: by what; "subsidiary": the text names a company that belongs to it, whose key is `via`.
        confidence: 1 over the number of companies of this name.
    """

    key: str
    start: int
    end: int
    how: How
    confidence: float = 1.0
    via: str | None = None


@dataclass(frozen=True, slots=True)
class _Name:
    words: tuple[str, ...]
    key: str
    how: How
    proper: bool
    """Whether it must be written as a name where the text tells names from words."""


class CompanyIndex:
    """Finds companies in texts.

    Args:
        companies: of several with one key the last counts.

    Example:
        >>> index = CompanyIndex([Company(key="acme", name="Acme Holdings Inc", tickers=("ACM",))])
        >>> [(one.key, one.start, one.how) for one in index.mentions("Acme wins, $IBM loses")]
        [('acme', 0, 'name'), ('IBM', 11, 'cashtag')]
    """

    def __init__(self, companies: Iterable[Company] = ()) -> None:
        self._companies = {one.key: one for one in companies}
        by_first: defaultdict[str, dict[tuple[tuple[str, ...], str], _Name]] = defaultdict(dict)
        self._tickers: defaultdict[str, list[str]] = defaultdict(list)
        for company in self._companies.values():
            for name in _names(company):
                by_first[name.words[0]].setdefault((name.words, name.key), name)
            for ticker in company.tickers:
                self._tickers[ticker.upper().removeprefix("$")].append(company.key)
        self._names: dict[str, list[_Name]] = {
            first: sorted(own.values(), key=lambda name: -len(name.words)) for first, own in by_first.items()
        }

    def __len__(self) -> int:
        """How many companies there are."""
        return len(self._companies)

    def name(self, key: str) -> str:
        """Return what a company is called; the key itself where nobody declared it."""
        company = self._companies.get(key)
        return key if company is None else company.name

    @property
    def companies(self) -> tuple[Company, ...]:
        """All of them."""
        return tuple(self._companies.values())

    def mentions(self, text: str) -> list[Mention]:
        """Return each company that a text names once, in the order of their first places; after each the owners that it belongs to."""
        found: dict[str, Mention] = {}
        for one in sorted(self._unambiguous([*self._by_sign(text), *self._by_words(text)]), key=lambda one: one.start):
            found.setdefault(one.key, one)
        named = list(found.values())
        for one in named:
            for owner in self._owners(one.key):
                found.setdefault(owner, replace(one, key=owner, how="subsidiary", via=one.key))
        return sorted(found.values(), key=lambda one: (one.start, one.how == "subsidiary"))

    def _by_sign(self, text: str) -> Iterator[Mention]:
        signs: tuple[tuple[re.Pattern[str], How], ...] = (
            (_CASHTAG, "cashtag"),
            (_APART, "cashtag"),
            (_LISTED, "ticker"),
        )
        for pattern, how in signs:
            for match in pattern.finditer(text):
                ticker = match[1].upper()
                if pattern is _APART and match[1] != ticker and _is_common(match[1].casefold()):
                    continue
                start, end = match.span() if how == "cashtag" else match.span(1)
                yield from _mentions(
                    self._tickers.get(ticker) or ([ticker] if pattern is _CASHTAG else []), start, end, how
                )

    def _by_words(self, text: str) -> Iterator[Mention]:
        words = words_of(text)
        shouted = text.isupper()
        cased = not shouted and any(map(str.isupper, text))
        place = 0
        while place < len(words):
            names = self._longest(text, words, place, cased=cased)
            if names:
                last = words[place + len(names[0].words) - 1]
                how: dict[str, How] = {one.key: one.how for one in names}
                for mention in _mentions(list(how), words[place].start, last.end, "name"):
                    yield replace(mention, how=how[mention.key])
                place += len(names[0].words)
                continue
            word = words[place]
            written = text[word.start : word.end]
            if not shouted and len(written) >= _BARE_TICKER_CHARS and written.isupper() and not _is_common(word.text):
                yield from _mentions(self._tickers.get(written, ()), word.start, word.end, "ticker")
            place += 1

    def _longest(self, text: str, words: Sequence[Word], place: int, *, cased: bool) -> list[_Name]:
        """Return the names of most words that begin at a word; several where companies share it."""
        found: list[_Name] = []
        for name in self._names.get(words[place].text, ()):
            size = len(name.words)
            if found and size < len(found[0].words):
                break
            here = words[place : place + size]
            if tuple(one.text for one in here) != name.words:
                continue
            proper = text[here[0].start].isupper() if cased else not _is_common(" ".join(name.words))
            if proper or not name.proper:
                found.append(name)
        return found

    def _unambiguous(self, mentions: Sequence[Mention]) -> list[Mention]:
        """Of companies of one name keep the one that the text names in another way, too."""
        sure = {one.key for one in mentions if one.confidence == 1.0}
        places: defaultdict[tuple[int, int], list[Mention]] = defaultdict(list)
        for one in mentions:
            places[one.start, one.end].append(one)
        kept = []
        for same in places.values():
            known = [one for one in same if one.key in sure]
            kept += [replace(one, confidence=1.0 / len(known)) for one in known] if known else same
        return kept

    def _owners(self, key: str) -> Iterator[str]:
        """Yield who owns a company, who owns that, and so on."""
        seen = {key}
        company = self._companies.get(key)
        while (
            company is not None
            and company.owner is not None
            and company.owner not in seen
            and len(seen) <= _MOST_OWNERS
        ):
            seen.add(company.owner)
            yield company.owner
            company = self._companies.get(company.owner)


def _mentions(keys: Sequence[str], start: int, end: int, how: How) -> Iterator[Mention]:
    for key in keys:
        yield Mention(key=key, start=start, end=end, how=how, confidence=1.0 / len(keys))


def _names(company: Company) -> Iterator[_Name]:
    """Yield what a company may be called."""
    full = tuple(normalised(company.name).split())
    short = _without_form(full)
    calls: Mapping[tuple[str, ...], How] = {
        **{tuple(normalised(alias).split()): "alias" for alias in company.aliases},
        **({short: "name"} if short else {}),
        full: "name",
    }
    for words, how in calls.items():
        if words:
            yield _Name(words, company.key, how, proper=len(words) == 1 or words != full)


def _without_form(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a name without its legal form; () where that leaves nothing that can be told from other words."""
    start, end = 0, len(words)
    while end > start and (words[end - 1] in _LEGAL_FORMS or (len(words[end - 1]) == 1 and end - start > 1)):
        end -= 1
    while start < end and words[start] == "the":
        start += 1
    short = words[start:end]
    return () if not short or all(map(_is_common, short)) else short


def _is_common(words: str) -> bool:
    return all(word in STOP_WORDS or word in PLAIN_WORDS for word in words.split())
