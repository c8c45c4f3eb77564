"""Which companies a question names, and what it may have meant where it names none that is known."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.graph.common_words import PLAIN_WORDS, STOP_WORDS
from rejoinder.graph.names import normalised
from rejoinder.store.trends import Stretch

from rejoinder_finance_sentiment.conversation.intents import plain_words
from rejoinder_finance_sentiment.reading.companies import Company, CompanyIndex, Mention

if TYPE_CHECKING:
    from rejoinder_finance_sentiment.reading.graph_companies import Companies

__all__ = ["Directories", "Directory", "Named"]

_FRESH_S: Final = 30.0
_MOST_OBSERVED: Final = 5000
_OBSERVED_DAYS: Final = 400
_ALIKE: Final = 72.0
"""Likeness (0 to 100) from which on a name may have been meant."""
_MOST_MEANT: Final = 3
_WORD: Final = re.compile(r"\$?[^\W_](?:[\w&.'’-]*[^\W_])?")
_JOINING: Final = frozenset(("and", "or", "versus", "vs", "than"))
_BEFORE_NAMES: Final = frozenset(
    ("on", "about", "of", "for", "with", "at", "and", "or", "versus", "vs", "to", "than", "around", "is", "are", "has")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The companies that a message names.

    Attributes:
        keys: theirs, in the order of the message.
        rest: the message without their names.
        unknown: what seems to be the name of a company that is not known, or is that of several; "" where there is none.
        meant: keys of companies that `unknown` may mean, likeliest first.
        shared: whether all of these are called so.
    """

    keys: tuple[str, ...] = ()
    rest: str = ""
    unknown: str = ""
    meant: tuple[str, ...] = ()
    shared: bool = False


class Directory:
    """The companies that one tenant can ask about: those that are declared, and those that texts were about.

    Args:
        companies: a company that is only known by its key is called by it.
    """

    def __init__(self, companies: Iterable[Company]) -> None:
        self.companies = {one.key: one for one in companies}
        # whoever types a question writes tickers small, and the index takes aliases in any case
        self._index = CompanyIndex(
            replace(one, aliases=(*one.aliases, *one.tickers)) for one in self.companies.values()
        )
        self._called = [
            (" ".join(normalised(name).split()), one.key)
            for one in self.companies.values()
            for name in (one.name, *one.aliases, *one.tickers)
        ]

    def name(self, key: str) -> str:
        """Return what a company is called."""
        found = self.companies.get(key)
        return key if found is None else found.name

    def key_of(self, entity: str, name: str) -> str:
        """Return the key of the company that an entity of the graph is: its id, or that of a declared company of its name."""
        if entity in self.companies:
            return entity
        return next(iter(self.read(name).keys), entity)

    def read(self, text: str) -> Named:
        """Return the companies that a text names, and the name that several share.

        Example:
            >>> directory = Directory([Company(key="acme", name="Acme Holdings Inc", tickers=("ACM",))])
            >>> directory.read("how is acm this week").keys
            ('acme',)
        """
        found = {(one.start, one.end, one.key): one for one in (*self._index.mentions(text), *self._small(text))}
        kept = sorted((one for one in found.values() if one.how != "subsidiary"), key=lambda one: (one.start, -one.end))
        keys: dict[str, tuple[int, int]] = {}
        shared: dict[tuple[int, int], list[str]] = {}
        end = 0
        for one in kept:
            if one.key not in self.companies or (one.start < end and (one.start, one.end) not in shared):
                continue
            end = max(end, one.end)
            shared.setdefault((one.start, one.end), []).append(one.key)
            keys.setdefault(one.key, (one.start, one.end))
        rest = text
        for start, stop in shared:
            rest = rest[:start] + " " * (stop - start) + rest[stop:]
        ambiguous = next((span for span, some in shared.items() if len(some) > 1), None)
        if ambiguous is not None:
            name = text[ambiguous[0] : ambiguous[1]]
            others = tuple(key for key, span in keys.items() if span != ambiguous)
            return Named(
                keys=others, rest=rest, unknown=name, meant=tuple(shared[ambiguous][:_MOST_MEANT]), shared=True
            )
        return Named(keys=tuple(keys), rest=rest)

    def with_strangers(self, named: Named, rest: str) -> Named:
        """Return what a message names, with what looks like the name of a company in its rest and is none that is known.

        Args:
            rest: what is left of the message without the companies that are known, and without words for a time.

        Example:
            >>> directory = Directory([Company(key="globex", name="Globex Corporation")])
            >>> directory.with_strangers(Named(), "What about Globbex?").meant
            ('globex',)
        """
        if named.unknown or not (unknown := self._strange(rest, beside=bool(named.keys))):
            return named
        return replace(named, unknown=unknown, meant=self.meant(unknown))

    def meant(self, name: str) -> tuple[str, ...]:
        """Return the companies whose names are like this one, likeliest first."""
        from rapidfuzz import fuzz, process

        wanted = " ".join(normalised(name).split())
        begin_so = [key for words, key in self._called if f"{words} ".startswith(f"{wanted} ")]
        if begin_so:
            return tuple(dict.fromkeys(begin_so))[:_MOST_MEANT]
        called = [words for words, _ in self._called]
        best = process.extract(wanted, called, scorer=fuzz.WRatio, score_cutoff=_ALIKE, limit=3 * _MOST_MEANT)
        return tuple(dict.fromkeys(self._called[place][1] for _, _, place in best))[:_MOST_MEANT]

    def _small(self, text: str) -> Sequence[Mention]:
        """Return the mentions of a text in which nothing is written large."""
        return self._index.mentions(text.casefold()) if len(text.casefold()) == len(text) else ()

    def _strange(self, rest: str, *, beside: bool) -> str:
        """Return the words that look like the name of a company and are none.

        Args:
            beside: whether another company is named: then a word that is written small must be joined to it.
        """
        joining = _JOINING if beside else _BEFORE_NAMES
        known = plain_words()
        run: list[str] = []
        before = ""
        for place, match in enumerate(_WORD.finditer(rest)):
            word = match.group()
            small = word.casefold().removesuffix("'s").removesuffix("’s")
            plain = small in known or small in STOP_WORDS or small in PLAIN_WORDS or not small.strip("$%.-").isalpha()
            large = (word[:1].isupper() and place > 0) or word.startswith("$")
            if not plain and (large or run or before in joining):
                run.append(word.removesuffix("'s").removesuffix("’s"))
            elif run:
                break
            before = small
        return " ".join(run)


@dataclass(frozen=True, slots=True)
class _Kept:
    directory: Directory
    until: float


class Directories:
    """Every tenant's directory in this process, some seconds old at most.

    Args:
        companies: what is declared of companies.
    """

    def __init__(self, companies: Companies) -> None:
        self._companies = companies
        self._kept: dict[str, _Kept] = {}
        self._reading: dict[str, asyncio.Task[Directory]] = {}

    async def of(self, context: Context) -> Directory:
        """Return a tenant's directory; one that is old serves while it is read again.

        What is read goes on being read where nobody can wait for it any more, so that the next question has it.
        """
        kept = self._kept.get(context.tenant)
        if kept is not None and time.monotonic() < kept.until:
            return kept.directory
        reading = self._reading.get(context.tenant)
        if reading is None or reading.done():
            reading = self._reading[context.tenant] = asyncio.create_task(self._read(context))
        return kept.directory if kept is not None else await asyncio.shield(reading)

    async def _read(self, context: Context) -> Directory:
        companies = {one.key: one for one in (await self._companies.of(context)).companies}
        if context.monitoring is not None:
            end = context.now() + timedelta(days=1)
            stretch = Stretch(end - timedelta(days=_OBSERVED_DAYS), end, end)
            for key in await context.monitoring.keys("mention", stretch, limit=_MOST_OBSERVED):
                companies.setdefault(key, Company(key=key, name=key, tickers=(key,)))
        directory = Directory(companies.values())
        self._kept[context.tenant] = _Kept(directory, time.monotonic() + _FRESH_S)
        return directory

    def forget(self, tenant: str) -> None:
        """Drop what is kept of a tenant."""
        self._kept.pop(tenant, None)
        reading = self._reading.pop(tenant, None)
        if reading is not None:
            reading.cancel()
