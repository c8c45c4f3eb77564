"""The plugin's hooks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.errors import ModelError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Answer, Citation, Command, Domain, Example, Query

from rejoinder_customer_service.catalogue import COMPANY, NAMES, Entry, chosen_examples, entries_of, filled
from rejoinder_customer_service.faq import Readings, scores_of
from rejoinder_customer_service.settings import CustomerServiceSettings
from rejoinder_customer_service.warm import Indexes

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray

NAME: Final = "customer_service"
TASK: Final = "intent"

_LEAST_SCORE: Final = 0.02
"""Entries scored below this are not worth offering to anyone."""

_SETTLED: Final = frozenset({"memory", "choice"})
"""Sources of readings that a person settled: by a correction, or by choosing when asked back."""


class CustomerServicePlugin:
    """Questions of customers and their answers: retrieved, cited, and open to the tenant's own."""

    rejoinder_spec = ">=1.0,<2"

    def __init__(self) -> None:
        self._indexes = Indexes()

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        """Bring the domain, with what people call the intents of both catalogues."""
        titles = {entry.intent: entry.title for name in NAMES for entry in entries_of(name)}
        return [
            Domain(name=NAME, title="Customer service", settings=CustomerServiceSettings, intents=titles, version="1")
        ]

    @hookimpl()
    def register_commands(self) -> list[Command]:
        """Bring `rejoinder demo`."""
        from rejoinder_customer_service.demo import app

        return [Command(name="demo", app=app)]

    @hookimpl()
    async def tenant_enabled(self, context: Context) -> None:
        """Start to build the tenant's index; returns at once."""
        self._indexes.warm(context)

    @hookimpl()
    async def tenant_disabled(self, context: Context) -> None:
        """Free the tenant's index, unless another tenant uses the same."""
        self._indexes.forget(context.tenant)

    @hookimpl()
    async def stop(self) -> None:
        """Free all indexes."""
        self._indexes.close()

    @hookimpl()
    def seed_examples(self, context: Context) -> list[Example]:
        """Give the examples of the tenant's catalogue; the same settings give the same examples with the same ids."""
        settings: CustomerServiceSettings = context.settings
        if settings.catalogue == "none":
            return []
        chosen = chosen_examples(settings.catalogue, per_intent=settings.examples_per_intent, seed=settings.seed)
        return [
            Example(
                id=f"seed_{hashlib.sha256(f'{NAME}|{settings.catalogue}|{intent}|{text}'.encode()).hexdigest()[:40]}",
                task=TASK,
                text=text,
                label=intent,
                source=f"{NAME}/{settings.catalogue}",
            )
            for intent, texts in sorted(chosen.items())
            for text in texts
        ]

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """Give the answers that fit a message, by its intents first and by its words and meaning where those leave room."""
        settings: CustomerServiceSettings = context.settings
        if query.kind != "reply":
            return []
        readings = _readings(query)
        scored = [(score, entry) for entry, score in await self._scored(query, readings, context)]
        known = {entry.intent for _, entry in scored}
        own = [intent for intent in settings.answers if intent not in known and intent in readings.shares]
        scored += zip(scores_of(own, readings, [0.0] * len(own)), map(_own_entry, own), strict=True)
        scored.sort(key=lambda pair: (-pair[0], pair[1].intent))
        wanted = min(query.limit, settings.max_candidates)
        return [_answer(entry, score, settings) for score, entry in scored[:wanted] if score >= _LEAST_SCORE]

    async def _scored(self, query: Query, readings: Readings, context: Context) -> list[tuple[Entry, float]]:
        settings: CustomerServiceSettings = context.settings
        if settings.catalogue == "none":
            return []
        entries = entries_of(settings.catalogue)
        evidence = [0.0] * len(entries)
        text = (query.text or "").strip()
        if text and readings.leave_room and (index := await self._indexes.ready(context)) is not None:
            evidence = index.evidence(text, await _vector(text, context) if index.has_vectors else None)
        scores = scores_of([entry.intent for entry in entries], readings, evidence)
        return list(zip(entries, scores, strict=True))


def _readings(query: Query) -> Readings:
    shares: dict[str, float] = {}
    readings = [reading for reading in query.intents if reading.task == TASK]
    for reading in readings:
        shares[reading.intent] = max(reading.confidence, shares.get(reading.intent, 0.0))
    best = max(readings, key=lambda reading: reading.confidence, default=None)
    return Readings(shares, settled=best is not None and best.source in _SETTLED)


async def _vector(text: str, context: Context) -> FloatArray | None:
    try:
        vector: FloatArray = await context.models.encode(text)
    except ModelError:
        return None  # words alone still find something
    return vector


def _own_entry(intent: str) -> Entry:
    title = intent.replace("_", " ")
    return Entry(intent=intent, title=title.capitalize(), question=title, answer="", source="")


def _answer(entry: Entry, score: float, settings: CustomerServiceSettings) -> Answer:
    own = settings.answers.get(entry.intent)
    text = filled(own or entry.answer, settings.values, {COMPANY: settings.company}, entry.slots)
    source = entry.source if own is None else settings.company
    return Answer(
        id=f"{settings.catalogue}:{entry.intent}",
        text=text,
        score=score,
        source="faq",
        intent=entry.intent,
        citations=(Citation(source=source, title=entry.title),),
    )
