"""The shipped catalogues: for each intent a question, its answer, and examples of how people ask it."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from rejoinder.errors import RejoinderError

NAMES: Final = ("banking77", "bitext")
COMPANY: Final = "company"
EVERYDAY: Final = ("bitext",)
"""Catalogues whose own examples are in stiffer words than people use, and that everyday ones are added to."""

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_REQUIRED: Final = ("intent", "title", "question", "answer", "source")


class CatalogueError(RejoinderError):
    """A shipped file is missing or damaged: install the distribution again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One question that can be answered.

    Attributes:
        title: what a person would call the intent.
        slots: defaults of the names in braces that the answer holds.
    """

    intent: str
    title: str
    question: str
    answer: str
    source: str
    slots: Mapping[str, str] = field(default_factory=dict)


@cache
def entries_of(name: str) -> tuple[Entry, ...]:
    """Return the entries of a shipped catalogue, ordered by intent; read once.

    Raises:
        CatalogueError: a file is missing or damaged; the text names it and what is wrong.
    """
    where = f"{name}/answers.json"
    try:
        rows: list[dict[str, Any]] = json.loads(_read(where))
        entries = [Entry(**{key: row[key] for key in _REQUIRED}, slots=row.get("slots") or {}) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CatalogueError(f"{where} is not a list of entries with {', '.join(_REQUIRED)}: {error!r}") from error
    for entry in entries:
        empty = [key for key in _REQUIRED if not str(getattr(entry, key)).strip()]
        unknown = set(_PLACEHOLDER.findall(entry.answer)) - set(entry.slots) - {COMPANY}
        if empty or unknown:
            raise CatalogueError(
                f"{where}, {entry.intent!r}: empty: {empty}, names in braces without a value: {sorted(unknown)}"
            )
    if len({entry.intent for entry in entries}) < len(entries):
        raise CatalogueError(f"{where} names an intent twice")
    return tuple(sorted(entries, key=lambda entry: entry.intent))


@cache
def entries_by_intent(name: str) -> Mapping[str, Entry]:
    """Return the entries of a shipped catalogue by intent; raises as `entries_of`."""
    return {entry.intent: entry for entry in entries_of(name)}


@cache
def examples_of(name: str) -> Mapping[str, tuple[str, ...]]:
    """Return the shipped examples of a catalogue by intent, in the file's order; read once.

    Raises:
        CatalogueError: as `entries_of`; also for an example of an intent without an answer.
    """
    examples: defaultdict[str, list[str]] = defaultdict(list)
    for text, label in _labelled(name, f"{name}/train.csv"):
        examples[label].append(text)
    return {intent: tuple(texts) for intent, texts in examples.items()}


@cache
def regression_of(name: str) -> tuple[tuple[str, str], ...]:
    """Return the texts and intents that a new model must not answer worse than the one before; none of them is an example.

    Raises:
        CatalogueError: as `examples_of`.
    """
    return tuple(_labelled(name, f"{name}/regression.csv"))


@cache
def everyday_of(name: str) -> tuple[tuple[str, str], ...]:
    """Return everyday wordings and their intents, beside the examples: written for this project, none for most catalogues.

    Raises:
        CatalogueError: as `examples_of`.
    """
    return tuple(_labelled(name, f"everyday/{name}.csv")) if name in EVERYDAY else ()


def _labelled(name: str, where: str) -> Iterator[tuple[str, str]]:
    intents = {entry.intent for entry in entries_of(name)}
    for number, row in enumerate(csv.DictReader(_read(where).splitlines()), start=2):
        text, label = row.get("text"), row.get("label")
        if not text or label not in intents:
            raise CatalogueError(
                f"{where}, line {number}: expected a text and an intent that has an answer, got {row!r}"
            )
        yield text, label


def chosen_examples(name: str, *, per_intent: int | None, seed: int) -> dict[str, tuple[str, ...]]:
    """Return at most `per_intent` examples of each intent (None: all), chosen by the seed and nothing else.

    A larger choice holds every smaller one of the same seed.
    """

    def rank(text: str) -> str:
        return hashlib.sha256(f"{seed}|{text}".encode()).hexdigest()

    return {intent: tuple(sorted(texts, key=rank)[:per_intent]) for intent, texts in examples_of(name).items()}


def filled(text: str, *values: Mapping[str, str]) -> str:
    """Return a text with its names in braces replaced from the first of `values` that has them; others stay.

    Example:
        >>> filled("Write to {email} of {company}.", {"email": "help@shop.example"}, {"company": "the shop"})
        'Write to help@shop.example of the shop.'
    """

    def value(found: re.Match[str]) -> str:
        return next((one[found[1]] for one in values if found[1] in one), found[0])

    return _PLACEHOLDER.sub(value, text)


def _read(path: str) -> str:
    try:
        return (resources.files("rejoinder_customer_service") / "data" / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(
            f"the shipped file {path} cannot be read ({error}): install rejoinder-customer-service again"
        ) from error
