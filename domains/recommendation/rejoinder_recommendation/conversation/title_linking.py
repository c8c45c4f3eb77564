"""Titles in a message linked to items: exact, without their year, or misspelt.

What may be a title is looked up exactly, all runs of words at once. A title with one slip has one half intact, which is looked up exactly
too (`rejoinder.graph.names.halves`); titles misspelt more are found by a rare word that is right, and compared by optimal string
alignment (a letter more, less, another, or two swapped: Boytsov 2011, Indexing Methods for Approximate Dictionary Searching, section 2.1).

How likely words are a title and not just words grows with how rare they are in English, with capital letters, and with a year that fits.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from rapidfuzz.distance import OSA
from rejoinder.graph.names import halves, normalised
from rejoinder.graph.spans import Span, Word, marked_parts, spans_of, words_of
from rejoinder.models.heads.english import english_words
from rejoinder.word_sets import word_set

from rejoinder_recommendation.item_facts import split_year

__all__ = ["Title", "TitleLink", "TitleLinker"]


_LONGEST: Final = 16
_SPOKEN: Final = 12_000
"""Places in English beyond which a word is as rare as any."""
_UNKNOWN: Final = math.log(_SPOKEN * 2)
_ENOUGH: Final = 10.0
"""Surprise from which on words are taken for a title."""
_CAPITAL: Final = 4.5
_FIRST_CAPITAL: Final = 1.0
_MARKED: Final = 6.0
_YEAR: Final = 12.0
_OTHER_YEAR: Final = -3.0
_SLIP: Final = -2.0
_SLIP_TO_A_WORD: Final = -9.0
_MOST_MISSPELT: Final = 0.2
_SHORTEST_MISSPELT: Final = 4
_MOST_CHANGED: Final = 20
"""Where more than one in so many items changes, all are read anew."""
_RARE: Final = 30
"""Titles that may share a word for it to lead to them."""
_PART_OF_A_NAME: Final = -6.0
_KIND_WORDS: Final = word_set(
    "book books film films game games item items movie movies one product products show shows song songs"
)
"""Words for what is recommended: they name no item by themselves."""
_CUT: Final = re.compile(r"['’](?!s\b)\w", re.IGNORECASE)
_ARTICLES: Final = re.compile(r"^(?:the|a|an) ")


@dataclass(frozen=True, slots=True)
class TitleLink:
    """Words that name an item.

    Attributes:
        item: its id.
        start, end: characters [start, end) of the text.
        score: how surely the words mean it, in [0, 1].
        others: ids of items of the same name, likelier ones first.
    """

    item: str
    start: int
    end: int
    score: float
    others: tuple[str, ...] = ()


class Title(NamedTuple):
    """What an item is called.

    Attributes:
        year: when it came out, where the title does not say; None: unknown.
        mentions: how often people spoke of it before, >= 0.
    """

    item: str
    text: str
    year: int | None = None
    mentions: float = 0.0


@dataclass(frozen=True, slots=True)
class _Key:
    """One way to write the titles of some items."""

    text: str
    items: tuple[str, ...]
    has_year: bool


class TitleLinker:
    """Links messages to items. Never changed: `with_changes` makes another.

    Args:
        titles: of items of one name, the one whose title is no more than that is meant, then the one spoken of more often, then the latest.
    """

    def __init__(self, titles: Iterable[Title]) -> None:
        english_words()  # read once, where nobody waits for it
        self._titles = {title.item: title for title in titles}
        items: dict[str, list[str]] = defaultdict(list)
        for title in self._titles.values():
            for text in _forms(title):
                items[text].append(title.item)
        self._keys = {text: self._key(text, those) for text, those in items.items()}
        halved: dict[str, list[str]] = defaultdict(list)
        worded: dict[str, list[str]] = defaultdict(list)
        for text in self._keys:
            for half in halves(text) or ():
                halved[half].append(text)
            for word in _words_in(text):
                worded[word].append(text)
        self._halves = {half: tuple(texts) for half, texts in halved.items()}
        self._words = {word: tuple(texts) for word, texts in worded.items()}

    def with_changes(self, gone: Collection[str], new: Collection[Title]) -> TitleLinker:
        """Return a linker without some items, and with others in the place of older ones of their ids."""
        leave = {*gone, *(title.item for title in new)} & self._titles.keys()
        if _MOST_CHANGED * (len(leave) + len(new)) > len(self._titles):
            kept = (title for item, title in self._titles.items() if item not in leave)
            return TitleLinker([*kept, *new])
        made = object.__new__(TitleLinker)
        made._titles = {**self._titles, **{title.item: title for title in new}}
        for item in gone:
            made._titles.pop(item, None)
        made._keys, made._halves, made._words = dict(self._keys), dict(self._halves), dict(self._words)
        texts = {text for item in leave for text in _forms(self._titles[item])}
        added: dict[str, list[str]] = defaultdict(list)
        for title in new:
            for text in _forms(title):
                added[text].append(title.item)
        for text in texts | added.keys():
            before = self._keys.get(text)
            items = [item for item in (before.items if before else ()) if item not in leave] + added.get(text, [])
            made._put(text, items)
        return made

    def _put(self, text: str, items: list[str]) -> None:
        """Let a way to write a title mean these items from now on, or nothing."""
        had = text in self._keys
        if items:
            self._keys[text] = self._key(text, items)
        elif had:
            del self._keys[text]
        if had == bool(items):
            return
        for of, names in ((self._halves, halves(text) or ()), (self._words, _words_in(text))):
            for name in names:
                others = tuple(other for other in of.get(name, ()) if other != text)
                of[name] = (*others, text) if items else others

    def _key(self, text: str, items: Iterable[str]) -> _Key:
        ordered = tuple(sorted(items, key=self._order))
        return _Key(text, ordered, all(_forms(self._titles[item])[text] for item in ordered))

    def link(self, text: str) -> tuple[TitleLink, ...]:
        """Return the items that a text names, in the order of the text; no two overlap."""
        words = words_of(text)
        reading = _Reading(text, words)
        spans = list(spans_of(words, longest=_LONGEST))
        found = [reading.candidate(span, key, 0) for span in spans if (key := self._keys.get(span.text)) is not None]
        sure = _apart(one for one in found if one.surprise >= _ENOUGH)
        taken = [one.span for one in sure if one.key.has_year]
        for span in spans:
            if len(span.text) >= _SHORTEST_MISSPELT and not any(_crosses(span, other) for other in taken):
                found += (reading.candidate(span, key, slips) for key, slips in self._misspelt(span))
        chosen = _apart(one for one in found if one.surprise >= _ENOUGH)
        return tuple(self._link(one, words) for one in sorted(chosen, key=lambda one: one.span.first))

    def _misspelt(self, span: Span) -> Iterable[tuple[_Key, int]]:
        size, middle = len(span.text), len(span.text) // 2
        near: dict[str, _Key] = {}
        swapped = f"{span.text[: middle - 1]}{span.text[middle - 1 : middle + 1][::-1]}{span.text[middle + 1 :]}"
        for text, length in ((span.text, size - 1), (span.text, size), (span.text, size + 1), (swapped, size)):
            for half in halves(text, length) or ():
                near |= {key: self._keys[key] for key in self._halves.get(half, ())}
        for word in span.text.split():
            texts = self._words.get(word, ())
            if len(texts) <= _RARE:
                near |= {key: self._keys[key] for key in texts}
        for key in near.values():
            most = max(1, int(_MOST_MISSPELT * min(len(key.text), size)))
            slips = OSA.distance(key.text, span.text, score_cutoff=most)
            if 0 < slips <= most and _same_numbers(key.text, span.text, slips):
                yield key, slips

    def _order(self, item: str) -> tuple[bool, float, int, str]:
        title = self._titles[item]
        in_title = split_year(title.text)[1]
        return in_title is not None, -title.mentions, -(in_title or title.year or 0), item

    def _year(self, item: str, otherwise: int) -> int:
        title = self._titles[item]
        return split_year(title.text)[1] or title.year or otherwise

    def _link(self, one: _Candidate, words: tuple[Word, ...]) -> TitleLink:
        items = one.key.items
        said = one.year
        if said is not None and not one.key.has_year:
            items = tuple(sorted(items, key=lambda item: abs(self._year(item, said) - said)))
        score = 1 / (1 + math.exp((_ENOUGH - 1 - one.surprise) / 2))
        return TitleLink(items[0], words[one.span.first].start, words[one.span.last - 1].end, score, items[1:])


@dataclass(frozen=True, slots=True)
class _Candidate:
    span: Span
    key: _Key
    surprise: float
    year: int | None


class _Reading:
    """One text, and how it writes its words."""

    def __init__(self, text: str, words: tuple[Word, ...]) -> None:
        self._text = text
        self._words = words
        self._places: Mapping[str, int] = english_words()
        marked = marked_parts(text)
        self._marked = {
            number for number, word in enumerate(words) if any(a <= word.start and word.end <= b for a, b in marked)
        }
        letters = [word for word in words if text[word.start].isalpha()]
        capital = [word for word in letters if text[word.start].isupper()]
        self._cased = len(capital) < 0.8 * len(letters) or len(letters) <= 2

    def candidate(self, span: Span, key: _Key, slips: int) -> _Candidate:
        words = self._words[span.first : span.last]
        surprise = sum(self._surprise(word.text) for word in words if not word.text.isdigit())
        surprise += sum(3.0 for word in words if word.text.isdigit())
        year = self._year_after(span)
        if key.has_year:
            surprise += _YEAR
        elif year is not None:
            surprise += _OTHER_YEAR
        if slips:
            named = set(key.text.split())
            slipped = [word.text for word in words if word.text not in named]
            to_words = any(self._places.get(word, _SPOKEN) < _SPOKEN for word in slipped)
            surprise += slips * (_SLIP_TO_A_WORD if to_words else _SLIP)
        surprise += self._capitals(span)
        if not key.has_year and (len(words) == 1 or slips):
            surprise += self._neighbours(span)
        if span.first in self._marked and span.last - 1 in self._marked:
            surprise += _MARKED
        return _Candidate(span, key, surprise, year)

    def _surprise(self, word: str) -> float:
        if word in _KIND_WORDS or len(word) == 1:
            return 1.0
        place = self._places.get(word)
        return _UNKNOWN if place is None else math.log(10 + min(place, _SPOKEN))

    def _capitals(self, span: Span) -> float:
        """Return what capital letters add: nothing in a text that writes all its words so."""
        if not self._cased:
            return 0.0
        words = [word for word in self._words[span.first : span.last] if self._text[word.start].isalpha()]
        if not words or not (self._text[words[0].start].isupper() and self._text[words[-1].start].isupper()):
            return 0.0
        before = self._text[: words[0].start].rstrip()
        begins = not before or before[-1] in ".!?:"
        shouted = self._text[words[0].start : words[0].end].isupper()
        if len(words) == 1 and (begins or shouted):
            return _FIRST_CAPITAL
        return _CAPITAL

    def _neighbours(self, span: Span) -> float:
        """Return what speaks against words that are a part of a longer name, or of a shortened word such as "haven't"."""
        start, end = self._words[span.first].start, self._words[span.last - 1].end
        if _CUT.match(self._text, end):
            return -math.inf
        if not self._cased or not self._text[start].isupper():
            return 0.0
        before = (
            span.first > 0
            and self._is_name(span.first - 1)
            and self._text[self._words[span.first - 1].end : start] == " "
        )
        after = (
            span.last < len(self._words)
            and self._is_name(span.last)
            and self._text[end : self._words[span.last].start] == " "
        )
        return _PART_OF_A_NAME if before or after else 0.0

    def _is_name(self, place: int) -> bool:
        word = self._words[place]
        begins = place == 0 or self._text[: word.start].rstrip()[-1:] in (".", "!", "?", ":")
        rare = self._places.get(word.text, _SPOKEN) > 500
        return self._text[word.start].isupper() and word.text != "i" and (rare or not begins)

    def _year_after(self, span: Span) -> int | None:
        if span.last < len(self._words):
            text = self._words[span.last].text
            if len(text) == 4 and text.isdigit() and 1880 <= int(text) <= 2099:
                return int(text)
        return None


def _forms(title: Title) -> dict[str, bool]:
    """Return the ways to write a title, and of each whether it names the year."""
    name, in_title = split_year(title.text)
    year = in_title or title.year
    plain = _spellings(name)
    found = dict.fromkeys(plain, False)
    if year is not None:
        found |= {f"{text} {year}": True for text in plain}
    return found


def _words_in(text: str) -> set[str]:
    return {word for word in text.split() if not word.isdigit()}


def _spellings(name: str) -> tuple[str, ...]:
    """Return the ways in which people write a name: with or without its article and apostrophes, and `&` as a word."""
    found = [
        normalised(name),
        normalised(name.replace("'", "").replace("’", "")),
        normalised(name.replace("&", " and ")),
    ]
    found += [_ARTICLES.sub("", text) for text in found if len(text.split()) > 2]
    return tuple(dict.fromkeys(found))


def _crosses(span: Span, other: Span) -> bool:
    """Say whether two runs of words overlap and the first is not more than the other."""
    contains = span.first <= other.first and other.last <= span.last and span != other
    return span.first < other.last and other.first < span.last and not contains


def _same_numbers(first: str, second: str, slips: int) -> bool:
    """Say whether two texts hold the same numbers: part 2 is no misspelt part 3. Of two years one digit may be wrong."""
    ours, theirs = ([word for word in text.split() if word.isdigit()] for text in (first, second))
    if ours == theirs:
        return True
    return slips == 1 and len(ours) == len(theirs) == 1 and min(len(ours[0]), len(theirs[0])) >= 3


def _apart(found: Iterable[_Candidate]) -> list[_Candidate]:
    """Return the best, then the best of those that do not overlap it, and so on."""
    chosen: list[_Candidate] = []
    taken: set[int] = set()
    for one in sorted(found, key=lambda one: (-one.surprise, one.span.first, -one.span.last, one.key.text)):
        places = range(one.span.first, one.span.last)
        if taken.isdisjoint(places):
            taken.update(places)
            chosen.append(one)
    return chosen
