"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rejoinder.hooks import hookimpl
from rejoinder.payloads import Command, Domain, Event, Observation

from rejoinder_finance_sentiment.cashtags import mentions

NAME: Final = "finance_sentiment"


class FinanceSentimentPlugin:
    """A monitor of texts about companies."""

    rejoinder_spec = ">=1.0,<2"

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        """Bring the domain."""
        return [Domain(name=NAME, title="Finance sentiment", version="1")]

    @hookimpl()
    def register_commands(self) -> list[Command]:
        """Bring `rejoinder evaluate surge`."""
        from rejoinder_finance_sentiment.surge.command import app

        return [Command(name="evaluate surge", app=app)]

    @hookimpl()
    def read_events(self, events: Sequence[Event]) -> list[Observation]:
        """Read which companies texts name by their tickers."""
        return list(mentions(events))
