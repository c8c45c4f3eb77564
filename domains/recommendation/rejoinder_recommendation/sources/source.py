"""What every source of candidates is."""

from __future__ import annotations

from typing import Protocol

from rejoinder_recommendation.histories import Floats, Histories

__all__ = ["Source"]


class Source(Protocol):
    """A fitted source."""

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items), higher is better, finite; users need not be those that it was fitted on."""
