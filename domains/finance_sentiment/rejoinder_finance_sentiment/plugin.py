"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Command, Detection, DetectorState, Domain, Event, Observation

from rejoinder_finance_sentiment.cashtags import mentions
from rejoinder_finance_sentiment.settings import FinanceSentimentSettings
from rejoinder_finance_sentiment.surge.alerting import detect_surges

NAME: Final = "finance_sentiment"


class FinanceSentimentPlugin:
    """A monitor of texts about companies."""

    rejoinder_spec = ">=1.0,<2"
    settings = FinanceSentimentSettings

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

    @hookimpl()
    async def detect_change(
        self, observations: Sequence[Observation], state: DetectorState, context: Context
    ) -> Detection | None:
        """Look for surges of texts about companies and topics, and of bad news."""
        return await detect_surges(observations, state, context.settings.surges, context)
