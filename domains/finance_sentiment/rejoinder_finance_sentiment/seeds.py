"""The examples that the domain ships: headlines of SEntFiN 1.0 with the sentiment of each company."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from rejoinder.errors import RejoinderError
from rejoinder.models.training.objectives.entity import texts_about
from rejoinder.payloads import Example

from rejoinder_finance_sentiment.conversation.intents import intent_examples
from rejoinder_finance_sentiment.data_sets import LABELS, Labelled
from rejoinder_finance_sentiment.reading.sentiment import SENTIMENT
from rejoinder_finance_sentiment.reading.topics import TOPIC, TopicWords
from rejoinder_finance_sentiment.settings import FinanceSentimentSettings, TopicSettings

__all__ = ["ShippedDataError", "regression_examples", "seed_examples", "shipped"]

_SOURCE: Final = "finance_sentiment/sentfin"

_OTHERS: Final = 100
"""Shipped headlines with words of topics, and as many without, that the model of topics learns other things from."""

_PLAIN_WEIGHT: Final = 0.3


class ShippedDataError(RejoinderError):
    """A shipped file is missing or damaged: install the distribution again."""


@cache
def shipped(name: str) -> tuple[Labelled, ...]:
    """Return the rows of a shipped file, "train" or "regression"; read once.

    Raises:
        ShippedDataError: the file is missing or damaged; the text says where.
    """
    where = f"data/sentfin/{name}.csv"
    try:
        lines = (resources.files("rejoinder_finance_sentiment") / where).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ShippedDataError(
            f"{where} cannot be read ({error}): install rejoinder-finance-sentiment again"
        ) from error
    rows = []
    for number, row in enumerate(csv.DictReader(lines), start=2):
        if not row.get("text") or row.get("label") not in LABELS or row.get("entity") is None:
            raise ShippedDataError(f"{where}, line {number}: expected a text, a sentiment and an entity, got {row!r}")
        rows.append(Labelled(row["text"], row["label"], row["entity"]))
    return tuple(rows)


def seed_examples(settings: FinanceSentimentSettings) -> list[Example]:
    """Return what a tenant's models start from: the first of the shipped headlines, questions about companies, and examples of its topics.

    The same settings give the same examples with the same ids.
    """
    return [
        *_examples("seed", "train")[: settings.examples],
        *(intent_examples() if settings.conversation.enabled else ()),
        *_topic_examples(settings.topics),
    ]


def _topic_examples(topics: Mapping[str, TopicSettings]) -> list[Example]:
    """Return the examples and words of topics that have examples, and shipped headlines that are about something else.

    Without these a model would hold each topic for true of any text. A headline is about the topics whose words it has; what has none may
    be about a topic without anybody knowing, and weighs less.
    """
    of_topic: dict[str, list[str]] = {}
    for topic, one in topics.items():
        if one.examples:
            for text in (*one.examples, *(word.replace("*", "") for word in one.words)):
                of_topic.setdefault(text, []).append(topic)
    if not of_topic:
        return []
    taught = {name for names in of_topic.values() for name in names}
    words = TopicWords(topics)
    others = [text for text in dict.fromkeys(row.text for row in shipped("train")) if text not in of_topic]
    named = [(text, found) for text in others if (found := words.found(text))]
    plain = [text for text in others if not words.found(text)]
    return [
        *(_topic_example(text, names, 1.0) for text, names in of_topic.items()),
        *(_topic_example(text, sorted(found & taught), 1.0) for text, found in named[:_OTHERS]),
        *(_topic_example(text, [], _PLAIN_WEIGHT) for text in plain[:_OTHERS]),
    ]


def _topic_example(text: str, names: list[str], weight: float) -> Example:
    return Example(
        id=_id("seed", TOPIC, text, *names),
        task=TOPIC,
        text=text,
        target=names,
        weight=weight,
        source="finance_sentiment/topics",
    )


def regression_examples() -> list[Example]:
    """Return what a new model must not answer worse than the one before; none of it is in the seeds."""
    return _examples("frozen", "regression")


def _examples(kind: str, name: str) -> list[Example]:
    rows = shipped(name)
    texts = texts_about([row.text for row in rows], [row.entity for row in rows])
    return [
        Example(id=_id(kind, *row), task=SENTIMENT, text=text, label=row.label, source=_SOURCE)
        for row, text in zip(rows, texts, strict=True)
    ]


def _id(kind: str, *said: str) -> str:
    return f"{kind}_{hashlib.sha256('|'.join(('finance_sentiment', *said)).encode()).hexdigest()[:40]}"
