"""Figures of a company in a period and in the one before it, counted from the documents themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rejoinder.monitoring.tenant_monitoring import TenantMonitoring
from rejoinder.monitoring.trends import NEGATIVE, BucketKind
from rejoinder.payloads import Citation
from rejoinder.store.trends import Document, Stretch

from rejoinder_finance_sentiment.conversation.periods import Period

__all__ = ["MENTION", "Figures", "Tally", "bucket_for", "cited", "figures_of"]

MENTION: Final = "mention"
"""The type of the observations whose keys are companies."""

_QUOTE_CHARS: Final = 280


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted in one period.

    Attributes:
        documents: that name the company, oldest first.
    """

    documents: tuple[Document, ...]

    @property
    def count(self) -> int:
        """How many documents there are."""
        return len(self.documents)

    @property
    def rated(self) -> int:
        """How many of them have a sentiment."""
        return sum(one.score is not None for one in self.documents)

    @property
    def negative(self) -> int:
        """How many of them are negative."""
        return sum(one.label == NEGATIVE for one in self.documents)

    @property
    def negative_share(self) -> float | None:
        """The share of the negative ones in those with a sentiment, in [0, 1]; None where there are none."""
        return self.negative / self.rated if self.rated else None

    @property
    def sentiment(self) -> float | None:
        """The mean sentiment, in [-1, 1]; None where none is known."""
        scores = [one.score for one in self.documents if one.score is not None]
        return sum(scores) / len(scores) if scores else None


@dataclass(frozen=True, slots=True)
class Figures:
    """A company in a period, and before."""

    key: str
    name: str
    now: Tally
    before: Tally

    @property
    def change(self) -> float | None:
        """By how much the mean sentiment rose; None where it is not known of both periods."""
        if self.now.sentiment is None or self.before.sentiment is None:
            return None
        return self.now.sentiment - self.before.sentiment

    def to_json(self) -> dict[str, object]:
        """Return the figures for those who show them themselves."""
        return {"key": self.key, "name": self.name, "now": _shown(self.now), "before": _shown(self.before)}


async def figures_of(monitoring: TenantMonitoring, key: str, name: str, period: Period, as_of: datetime) -> Figures:
    """Count a company's documents, as they were known at a moment."""
    now = await monitoring.documents(MENTION, key, Stretch(period.start, period.end, as_of))
    before = await monitoring.documents(MENTION, key, Stretch(period.before_start, period.before_end, as_of))
    return Figures(key, name, Tally(tuple(now)), Tally(tuple(before)))


def bucket_for(start: datetime, end: datetime) -> BucketKind:
    """Return the length of buckets by which a stretch of time can be looked at."""
    days = (end - start).total_seconds() / 86_400
    return "hour" if days <= 2 else "day" if days <= 100 else "week"


def cited(documents: Sequence[Document]) -> tuple[Citation, ...]:
    """Return documents as they are cited."""
    return tuple(
        Citation(
            source=one.id,
            title=f"{one.at:%Y-%m-%d %H:%M} UTC{f', {one.source}' if one.source else ''}",
            url=one.url,
            quote=one.text[:_QUOTE_CHARS] or None,
        )
        for one in documents
    )


def _shown(tally: Tally) -> dict[str, object]:
    return {
        "documents": tally.count,
        "rated": tally.rated,
        "negative": tally.negative,
        "negative_share": tally.negative_share,
        "sentiment": tally.sentiment,
    }
