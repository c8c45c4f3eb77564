"""Where a sentence speaks of entities: names that the graph knows, and what is written like a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from rejoinder.graph.extraction.names import Known, Names
from rejoinder.graph.names import entity_id, normalised

__all__ = ["ORDINARY", "Guess", "Meant", "Mention", "find_mentions"]

Guess = Callable[[Sequence[str]], Sequence[Mapping[str, float]]]

ORDINARY: Final = ""
"""In place of a kind: words that name nothing, such as those that begin a sentence."""

_ORDINARY: Final = 0.5
"""Probability above which the first word of a sentence is no part of a name."""

_LEAST: Final = 0.2
"""Kinds that are less likely are not considered for an unknown name."""

_MOST_WORDS: Final = 12
"""Longest name that is looked up, in words and signs."""

_VOCABULARY: Final = 1000
"""A kind of up to so many entities is a vocabulary, such as genres: its words may be written small."""

_WORD: Final = re.compile(r"\w+(?:['’](?!s\b)\w+)*|['’]s\b|\S")
_QUOTED: Final = re.compile(r"[\"“”„«»]([^\"“”„«»]{1,80})[\"“”„«»]")
_JOINERS: Final = r"(?:of|the|a|an|in|on|at|to|for|from|with|de|da|di|du|la|le|von|van|der|den|del|el|bin|al|y)"
_CAPITAL: Final = r"(?:[A-ZÀ-ÖØ-ÞĀ-ſ][\w'’-]*\.?|[A-Z]\.)"
_RUN: Final = re.compile(rf"{_CAPITAL}(?:\s+(?:{_JOINERS}\s+){{0,2}}{_CAPITAL})*")
_CAPITALISED: Final = re.compile(_CAPITAL)
_FIRST: Final = re.compile(rf"({_CAPITAL})(?=\s)")
_NUMBER: Final = re.compile(r"\b\d{4}(?:-\d{2}-\d{2})?\b")
_STARTS: Final = frozenset(
    [
        "a",
        "after",
        "although",
        "among",
        "an",
        "and",
        "as",
        "at",
        "back",
        "because",
        "before",
        "but",
        "by",
        "during",
        "everyone",
        "fans",
        "few",
        "for",
        "from",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "it",
        "its",
        "judging",
        "many",
        "most",
        "no",
        "not",
        "now",
        "of",
        "on",
        "once",
        "one",
        "our",
        "people",
        "she",
        "since",
        "so",
        "some",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "under",
        "until",
        "users",
        "viewers",
        "voters",
        "was",
        "we",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "why",
        "with",
        "without",
        "you",
        "your",
    ]
)
"""Words that begin a sentence with a capital and are no part of a name, unless another capital follows "The" or "A"."""
_ARTICLES: Final = ("the", "a", "an")


@dataclass(frozen=True, slots=True)
class Meant:
    """An entity that a mention may mean.

    Attributes:
        known: whether the graph has it; otherwise the id is made of kind and name.
        confidence: in (0, 1], that the mention is of this kind.
    """

    id: str
    kind: str
    name: str
    known: bool
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters [start, end) of a sentence that name an entity, and what they may mean: one entity for each kind."""

    start: int
    end: int
    text: str
    meant: tuple[Meant, ...]


def find_mentions(
    sentences: Sequence[str],
    names: Names,
    guess: Guess | None = None,
    *,
    unknown: bool = True,
) -> list[list[Mention]]:
    """Return the mentions of each sentence, in order of place, none within another.

    Args:
        guess: gives the probability of each kind, or of `ORDINARY`, for texts, likeliest first; None: only known names are found.
        unknown: whether to look for names that the graph does not have, too.
    """
    grams = [list(_grams(sentence)) for sentence in sentences]
    known = names.look_up(sorted({text for every in grams for _, _, text in every}))
    small = {kind for kind, count in names.counts().items() if count <= _VOCABULARY}
    found = [_known(sentence, every, known, small) for sentence, every in zip(sentences, grams, strict=True)]
    if guess is not None:
        found = _ranked(found, guess)
        if unknown:
            _add_unknown(sentences, found, guess)
    return found


def _ranked(mentions: Sequence[Sequence[Mention]], guess: Guess) -> list[list[Mention]]:
    """The same with what each may mean in order: names written just so first, then by how much it looks like a name of the kind."""
    texts = sorted({one.text for every in mentions for one in every if len(one.meant) > 1})
    kinds = dict(zip(texts, guess(texts), strict=True))

    def ranked(one: Mention) -> Mention:
        if len(one.meant) < 2:
            return one
        likely = kinds[one.text]
        order = sorted(one.meant, key=lambda meant: (meant.name != one.text, -likely.get(meant.kind, 0.0)))
        return replace(one, meant=tuple(order))

    return [[ranked(one) for one in every] for every in mentions]


def _add_unknown(sentences: Sequence[str], found: Sequence[list[Mention]], guess: Guess) -> None:
    """Add what is written like a name and looks like one of some kind.

    A capital says that it is a name, except for a single word that begins a sentence.
    """
    first = sorted({match.group(1) for match in map(_FIRST.match, sentences) if match})
    ordinary = {word for word, kinds in zip(first, guess(first), strict=True) if kinds.get(ORDINARY, 0.0) > _ORDINARY}
    places = [list(_unknown(sentence, every, ordinary)) for sentence, every in zip(sentences, found, strict=True)]
    texts = [sentence[start:end] for sentence, every in zip(sentences, places, strict=True) for start, end in every]
    kinds = iter(guess(texts))
    for sentence, mentions, every in zip(sentences, found, places, strict=True):
        for start, end in every:
            text = sentence[start:end]
            likely = next(kinds)
            named = 1.0 if start > 0 or " " in text else 1.0 - likely.get(ORDINARY, 0.0)
            of_kinds = {kind: share for kind, share in likely.items() if kind != ORDINARY}
            scale = named / max(sum(of_kinds.values()), 1e-9)
            meant = tuple(
                Meant(entity_id(kind, text), kind, text, False, min(1.0, share * scale))
                for kind, share in of_kinds.items()
                if share * scale >= _LEAST
            )
            if meant:
                mentions.append(Mention(start, end, text, meant))
        mentions.sort(key=lambda one: one.start)


def _grams(sentence: str) -> Iterable[tuple[int, int, str]]:
    """Places of all short runs of words, with what they are when normalised."""
    words = [match.span() for match in _WORD.finditer(sentence)]
    for first, (start, _) in enumerate(words):
        for _, end in words[first : first + _MOST_WORDS]:
            text = normalised(sentence[start:end])
            if text and text[0] == normalised(sentence[start])[:1] and normalised(sentence[end - 1])[:1] == text[-1]:
                yield start, end, text


def _known(
    sentence: str, grams: Iterable[tuple[int, int, str]], known: Mapping[str, Sequence[Known]], small: set[str]
) -> list[Mention]:
    found: list[Mention] = []
    for start, end, text in sorted((one for one in grams if one[2] in known), key=lambda one: one[0] - one[1]):
        if any(start < other.end and other.start < end for other in found):
            continue
        written = sentence[start:end]
        if start == 0 and written.casefold() in _STARTS:
            continue
        by_kind: dict[str, Known] = {}
        for one in known[text]:
            if one.kind in small or _capitals(written) >= _capitals(one.name):
                by_kind.setdefault(one.kind, one)
        if by_kind:
            meant = tuple(Meant(one.id, one.kind, one.name, True) for one in by_kind.values())
            found.append(Mention(start, end, written, meant))
    return sorted(found, key=lambda one: one.start)


def _capitals(text: str) -> int:
    """How many words begin with a capital."""
    return sum(word[0].isupper() for word in text.split())


def _unknown(sentence: str, known: Sequence[Mention], ordinary: Set[str]) -> Iterable[tuple[int, int]]:
    """Places outside of known mentions that look like names."""
    taken = [(one.start, one.end) for one in known]
    for pattern, group in ((_QUOTED, 1), (_RUN, 0), (_NUMBER, 0)):
        for match in pattern.finditer(sentence):
            start, end = match.span(group)
            if group == 0 and pattern is _RUN:
                start, end = _trimmed(sentence, start, end, ordinary)
            if start < end and not any(start < other_end and other < end for other, other_end in taken):
                taken.append((start, end))
                yield start, end


def _trimmed(sentence: str, start: int, end: int, ordinary: Set[str]) -> tuple[int, int]:
    """A run of capitals without what only begins the sentence, a possessive or a full stop."""
    text = sentence[start:end]
    first, _, rest = text.partition(" ")
    if start == 0 and (
        first in ordinary
        or (first.casefold().rstrip(".,") in _STARTS and not (first.casefold() in _ARTICLES and rest[:1].isupper()))
    ):
        capital = _CAPITALISED.search(sentence, len(first), end)
        start = capital.start() if capital else end
        text = sentence[start:end]
    for ending in ("'s", "’s", "'", "’"):
        if text.endswith(ending):
            return start, end - len(ending)
    if text.endswith(".") and len(text) > 2 and text[-3:-2] not in (" ", "."):
        return start, end - 1
    return start, end
