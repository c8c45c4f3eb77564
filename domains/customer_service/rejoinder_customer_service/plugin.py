"""The plugin's hooks."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.errors import ModelError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Answer, Command, Domain, Example, Query
from rejoinder.wording import filled, named_in

from rejoinder_customer_service.answers import Answers
from rejoinder_customer_service.catalogue import NAMES, chosen_examples, entries_of, everyday_of, regression_of
from rejoinder_customer_service.faq import Readings, scores_of
from rejoinder_customer_service.settings import CustomerServiceSettings
from rejoinder_customer_service.slot_examples import SlotExample, slot_examples
from rejoinder_customer_service.warm import Indexes

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray

NAME: Final = "customer_service"
TASK: Final = "intent"
SLOTS: Final = "slots"
"""The task of the plugin `slots`, whose model learns from the examples."""
FLOWS: Final = Path(__file__).parent / "flows"

_LEAST_SCORE: Final = 0.02
"""Entries scored below this are not worth offering to anyone."""

_SETTLED: Final = frozenset({"memory", "choice"})
"""Sources of readings that a person settled: by a correction, or by choosing when asked back."""


class CustomerServicePlugin:
    """Questions of customers and their answers: retrieved, cited, and open to the tenant's own."""

    rejoinder_spec = ">=1.0,<2"

    def __init__(self) -> None:
        self._indexes = Indexes()
        self._answers: dict[str, Answers] = {}

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        """Bring the domain, with what people call the intents of both catalogues."""
        titles = {entry.intent: entry.title for name in NAMES for entry in entries_of(name)}
        return [
            Domain(
                name=NAME,
                title="Customer service",
                settings=CustomerServiceSettings,
                intents=titles,
                version="1",
                flows=(FLOWS,),
                answers="answers",
            )
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
        """Free what is kept for the tenant; its index, unless another tenant uses the same."""
        self._indexes.forget(context.tenant)
        self._answers.pop(context.tenant, None)

    @hookimpl()
    async def stop(self) -> None:
        """Free all indexes."""
        self._indexes.close()
        self._answers.clear()

    @hookimpl()
    def seed_examples(self, context: Context) -> list[Example]:
        """Give the examples of the tenant's catalogue and of slots; the same settings give the same examples with the same ids."""
        settings: CustomerServiceSettings = context.settings
        if settings.catalogue == "none":
            return []
        slots = [_slots_example(one) for one in slot_examples()] if settings.slots else []
        chosen = chosen_examples(settings.catalogue, per_intent=settings.examples_per_intent, seed=settings.seed)
        pairs = [(text, intent) for intent, texts in sorted(chosen.items()) for text in texts]
        everyday = everyday_of(settings.catalogue) if settings.everyday else ()
        return [
            *(_example("seed", settings.catalogue, text, intent) for text, intent in pairs),
            *(_example("seed", f"{settings.catalogue}/everyday", text, intent) for text, intent in everyday),
            *slots,
        ]

    @hookimpl()
    def regression_examples(self, context: Context) -> list[Example]:
        """Give the catalogue's frozen set: texts that no seed and no demo holds."""
        settings: CustomerServiceSettings = context.settings
        if settings.catalogue == "none":
            return []
        return [_example("frozen", settings.catalogue, *pair) for pair in regression_of(settings.catalogue)]

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        """Give the answers that fit a message, by its intents first and by its words and meaning where those leave room."""
        settings: CustomerServiceSettings = context.settings
        if query.kind != "reply":
            return []
        readings = _readings(query)
        answers = self._answers.get(context.tenant)
        if answers is None or answers.settings is not settings:
            answers = self._answers[context.tenant] = Answers(settings)
        intents = [intent for intent in readings.shares if intent in answers]
        evidence = await self._evidence(query, readings, context)
        if evidence:  # otherwise an intent that was not read scores 0
            intents += [intent for intent in evidence if intent not in readings.shares]
        scores = scores_of(intents, readings, [evidence.get(intent, 0.0) for intent in intents])
        best = sorted(zip(scores, intents, strict=True), key=lambda pair: (-pair[0], pair[1]))
        wanted = min(query.limit, settings.max_candidates)
        named = named_in(query)
        return [_given(answers[intent], score, named) for score, intent in best[:wanted] if score >= _LEAST_SCORE]

    async def _evidence(self, query: Query, readings: Readings, context: Context) -> dict[str, float]:
        """Return what the text alone says for each entry of the catalogue; nothing where it cannot count."""
        text = (query.text or "").strip()
        if not text or not readings.leave_room or (index := await self._indexes.ready(context)) is None:
            return {}
        shares = index.evidence(text, await _vector(text, context) if index.has_vectors else None)
        return {entry.intent: share for entry, share in zip(index.entries, shares, strict=True)}


def _example(kind: str, catalogue: str, text: str, intent: str) -> Example:
    """Return an example whose id is the same every time."""
    digest = hashlib.sha256(f"{NAME}|{catalogue}|{intent}|{text}".encode()).hexdigest()[:40]
    return Example(id=f"{kind}_{digest}", task=TASK, text=text, label=intent, source=f"{NAME}/{catalogue}")


def _slots_example(one: SlotExample) -> Example:
    digest = hashlib.sha256(f"{NAME}|{SLOTS}|{one.text}".encode()).hexdigest()[:40]
    target = [{"start": start, "end": end, "label": label} for start, end, label in one.spans]
    return Example(id=f"seed_{digest}", task=SLOTS, text=one.text, target=target, source=f"{NAME}/{SLOTS}")


def _given(answer: Answer, score: float, named: dict[str, str]) -> Answer:
    """Return an answer with its score, and with what the customer named in the place of its slots."""
    text = answer.text or ""
    return replace(answer, score=score, text=filled(text, named) if "{" in text else text)


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
