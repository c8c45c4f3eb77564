"""The intents of questions about companies, and the examples from which the tenant's intent model starts."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from rejoinder.payloads import Example

from rejoinder_finance_sentiment.data_sets import LABELS

__all__ = [
    "ACKNOWLEDGE",
    "AFFECTED",
    "ALERTS",
    "ALERT_SHOW",
    "COMPARE",
    "FOLLOW_UP",
    "INTENTS",
    "LEVEL",
    "RULES",
    "RULE_ADD",
    "RULE_REMOVE",
    "TASK",
    "WHY",
    "intent_examples",
    "plain_words",
]

TASK: Final = "intent"
LEVEL: Final = "sentiment_level"
WHY: Final = "sentiment_why"
COMPARE: Final = "sentiment_compare"
AFFECTED: Final = "sentiment_affected"
FOLLOW_UP: Final = "sentiment_follow_up"
RULE_ADD: Final = "alert_rule_add"
RULES: Final = "alert_rule_list"
RULE_REMOVE: Final = "alert_rule_remove"
ALERTS: Final = "alerts_open"
ALERT_SHOW: Final = "alert_show"
ACKNOWLEDGE: Final = "alert_acknowledge"

INTENTS: Final[Mapping[str, str]] = {
    LEVEL: "How the sentiment on a company is",
    WHY: "Why the sentiment changed",
    COMPARE: "Compare companies",
    AFFECTED: "Which linked companies are affected",
    FOLLOW_UP: "The same for another company or time",
    RULE_ADD: "Be alerted",
    RULES: "List my alert rules",
    RULE_REMOVE: "Remove an alert rule",
    ALERTS: "List the open alerts",
    ALERT_SHOW: "Look at an alert",
    ACKNOWLEDGE: "See to an alert",
}
"""What people call them, by name."""

_WHERE: Final = "data/conversation/examples.csv"
_SOURCE: Final = "finance_sentiment/conversation"


@cache
def _rows() -> tuple[tuple[str, str], ...]:
    text = (resources.files("rejoinder_finance_sentiment") / _WHERE).read_text(encoding="utf-8")
    return tuple((row["text"], row["label"]) for row in csv.DictReader(text.splitlines()))


def intent_examples() -> list[Example]:
    """Return the shipped examples, with the same ids every time; those of `out_of_scope` are of no intent."""
    return [
        Example(
            id=f"seed_{hashlib.sha256(f'{_SOURCE}|{label}|{text}'.encode()).hexdigest()[:40]}",
            task=TASK,
            text=text,
            label=label,
            source=_SOURCE,
        )
        for text, label in _rows()
    ]


@cache
def plain_words() -> frozenset[str]:
    """Return the words of the examples that are no names: those that are never written large within a sentence."""
    small: set[str] = set(LABELS)
    large: set[str] = set()
    for text, _ in _rows():
        words = [word.strip(".,?!:;'\"") for word in text.replace("'s", "").split()]
        small |= {word for word in words if word.islower()} | {words[0].casefold()}
        large |= {word.casefold() for word in words[1:] if word[:1].isupper()}
    return frozenset(small - large)
