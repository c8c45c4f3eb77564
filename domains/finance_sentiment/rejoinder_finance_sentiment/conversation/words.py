"""Figures in words."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from rejoinder.monitoring.rules import condition_of
from rejoinder.store.tables import AlertRow, AlertRule

from rejoinder_finance_sentiment.conversation.figures import Figures, Tally
from rejoinder_finance_sentiment.conversation.periods import Period

__all__ = [
    "alert_line",
    "change_in_words",
    "documents_in_words",
    "level_in_words",
    "rule_line",
    "short",
    "tally_in_words",
]

_STEADY: Final = 0.01
"""A change of the mean sentiment below this is called none."""


def documents_in_words(count: int) -> str:
    """Return a number of documents.

    Example:
        >>> documents_in_words(1), documents_in_words(20)
        ('1 document', '20 documents')
    """
    return f"{count} document{'' if count == 1 else 's'}"


def tally_in_words(tally: Tally) -> str:
    """Say how many documents there are, how many of them are negative, and the mean."""
    said = documents_in_words(tally.count)
    if not tally.count:
        return "no document"
    if tally.negative_share is None or tally.sentiment is None:
        return f"{said}, none with a sentiment"
    of = "" if tally.rated == tally.count else f" of {tally.rated} with a sentiment"
    return f"{said}, {tally.negative}{of} negative ({tally.negative_share:.0%}), mean sentiment {tally.sentiment:+.2f}"


def change_in_words(figures: Figures) -> str:
    """Say how the mean sentiment changed against the period before."""
    if figures.change is None:
        return "so there is nothing to compare the sentiment with"
    if abs(figures.change) < _STEADY:
        return "so sentiment did not change"
    return f"so sentiment {'rose' if figures.change > 0 else 'fell'} by {abs(figures.change):.2f}"


def level_in_words(figures: Figures, period: Period, zone: tzinfo) -> str:
    """Say how a company is spoken of in a period, and how it was before."""
    now = tally_in_words(figures.now)
    before = tally_in_words(figures.before)
    span = _span(period.before_start, period.before_end, zone)
    return f"{figures.name}, {period.in_words(zone)}: {now}. The period before ({span}) had {before}, {change_in_words(figures)}."


def short(figures: Figures) -> str:
    """Say it in one line of a list."""
    change = "" if figures.change is None else f" ({figures.change:+.2f} against the period before)"
    return f"{figures.name}: {tally_in_words(figures.now)}{change}"


def alert_line(row: AlertRow, zone: tzinfo) -> str:
    """Say an alert in one line of a list."""
    seen = f", seen to by {row.acknowledged_by}" if row.acknowledged_by else ""
    return f"[{row.severity}] {row.title}, {row.at.astimezone(zone):%a %-d %b %Y %H:%M}{seen}"


def rule_line(row: AlertRule) -> str:
    """Say a rule in one line of a list."""
    return f"when {condition_of(row).in_words(row.name or row.key)}"


def _span(start: datetime, end: datetime, zone: tzinfo) -> str:
    first, last = start.astimezone(zone), end.astimezone(zone)
    if (end - start).total_seconds() < 2 * 86_400:
        return f"{first:%-d %b %Y %H:%M} to {last:%-d %b %H:%M}"
    return f"{first:%-d %b %Y} to {last:%-d %b %Y}"
