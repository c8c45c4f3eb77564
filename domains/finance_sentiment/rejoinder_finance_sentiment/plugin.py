"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import (
    Action,
    Answer,
    Command,
    ConversationState,
    Detection,
    DetectorState,
    Domain,
    Effect,
    EffectResult,
    Event,
    Example,
    Message,
    Observation,
    Query,
    Routes,
    Task,
    Understanding,
)

from rejoinder_finance_sentiment.conversation.intents import INTENTS
from rejoinder_finance_sentiment.data_sets import LABELS
from rejoinder_finance_sentiment.reading import sentiment, topics
from rejoinder_finance_sentiment.reading.companies import Mention
from rejoinder_finance_sentiment.reading.graph_companies import Companies
from rejoinder_finance_sentiment.reading.sentiment import SENTIMENT, clipped
from rejoinder_finance_sentiment.reading.topics import TOPIC
from rejoinder_finance_sentiment.seeds import regression_examples, seed_examples
from rejoinder_finance_sentiment.settings import FinanceSentimentSettings
from rejoinder_finance_sentiment.surge.alerting import detect_surges

if TYPE_CHECKING:
    from fastapi import APIRouter

    from rejoinder_finance_sentiment.conversation.hooks import Conversation

NAME: Final = "finance_sentiment"
MENTION: Final = "mention"
"""The type of an observation that a text names a company; its key is the company's."""

_SCHEMA: Final = {
    "open": True,
    "kinds": {"company": {"properties": {"ticker": "string", "tickers": "string[]"}}},
    "relations": {
        "subsidiary_of": {
            "from": ["company"],
            "to": ["company"],
            "title": "is a subsidiary of",
            "inverse_title": "owns",
        },
        "supplies": {"from": ["company"], "to": ["company"], "title": "supplies", "inverse_title": "is supplied by"},
    },
}


class FinanceSentimentPlugin:
    """A monitor of texts about companies."""

    rejoinder_spec = ">=1.0,<2"
    settings = FinanceSentimentSettings

    def __init__(self) -> None:
        self._companies = Companies()

    @cached_property
    def _conversation(self) -> Conversation:
        # Help and commands have no conversation, and need not import the store.
        from rejoinder_finance_sentiment.conversation.hooks import Conversation

        return Conversation(self._companies)

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        """Bring the domain."""
        return [
            Domain(
                name=NAME,
                title="Finance sentiment",
                settings=FinanceSentimentSettings,
                intents=INTENTS,
                graph_schema=_SCHEMA,
                version="1",
                topics="topics",
            )
        ]

    @hookimpl()
    def register_commands(self) -> list[Command]:
        """Bring `rejoinder evaluate surge`."""
        from rejoinder_finance_sentiment.surge.command import app

        return [Command(name="evaluate surge", app=app)]

    @hookimpl()
    def register_routes(self) -> list[Routes]:
        """Bring the charts that answers show."""
        return [Routes(router=self._chart_router)]

    def _chart_router(self) -> APIRouter:
        from rejoinder_finance_sentiment.conversation.chart_route import chart_router

        return chart_router(self._conversation.directories)

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        """Bring the tasks "sentiment" and "topic"."""
        return [
            Task(
                name=SENTIMENT,
                learner=sentiment.new_learner,
                labels=LABELS,
                description="What a text means for those who hold shares, or for one company that is marked in it.",
            ),
            Task(name=TOPIC, learner=topics.new_learner, description="What a text is about; several topics may hold."),
        ]

    @hookimpl()
    def seed_examples(self, context: Context) -> list[Example]:
        """Give shipped headlines with the sentiment of each company, questions about companies, and the examples of the tenant's topics.

        Nothing for tenants that set nothing of this domain: their first message would wait for a model that they may never use.
        """
        settings: FinanceSentimentSettings = context.settings
        return seed_examples(settings) if settings.model_fields_set else []

    @hookimpl()
    def regression_examples(self, context: Context) -> list[Example]:
        """Give shipped headlines that no seed is made of."""
        return regression_examples() if context.settings.examples else []

    @hookimpl()
    async def read_events(self, events: Sequence[Event], context: Context) -> list[Observation]:
        """Read which companies texts name, the sentiment of each text and of each company in it, and the topics."""
        settings: FinanceSentimentSettings = context.settings
        index = await self._companies.of(context)
        found = [index.mentions(clipped(event.text)) for event in events]
        return [
            *_observed(events, found),
            *await sentiment.sentiments(events, found, context, most_companies=settings.max_companies),
            *await topics.topics(events, context),
        ]

    @hookimpl()
    async def detect_change(
        self, observations: Sequence[Observation], state: DetectorState, context: Context
    ) -> Detection | None:
        """Look for surges of texts about companies and topics, and of bad news."""
        index = await self._companies.of(context)
        return await detect_surges(observations, state, context.settings, context, index.name)

    @hookimpl(before=("dialogue", "flows", "small_talk", "recommendation"))
    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action | None:
        """Answer questions about companies, alerts and rules; None for all else."""
        return await self._conversation.decide(message, understanding, state, context)

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """Count what was observed, where somebody asks."""
        return await self._conversation.answers(query, context)

    @hookimpl()
    async def run_effect(self, effect: Effect, context: Context) -> EffectResult | None:
        """Make or remove a rule, or see to an alert."""
        return await self._conversation.run(effect, context)

    @hookimpl()
    async def tenant_disabled(self, context: Context) -> None:
        """Drop what is kept of the tenant."""
        self._companies.forget(context.tenant)
        self._conversation.directories.forget(context.tenant)


def _observed(events: Sequence[Event], found: Sequence[Sequence[Mention]]) -> Iterator[Observation]:
    for event, mentions in zip(events, found, strict=True):
        for one in mentions:
            value = {"start": one.start, "end": one.end, "how": one.how, **({"via": one.via} if one.via else {})}
            yield Observation(
                event_id=event.id, type=MENTION, key=one.key, at=event.at, value=value, confidence=one.confidence
            )
