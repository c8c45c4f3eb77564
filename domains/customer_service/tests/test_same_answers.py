"""The answers are those of the plain computation: all entries scored for each message, each answer made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies
from rejoinder.context import NoModels, Request
from rejoinder.host import Host, Plugins
from rejoinder.labels import humanised
from rejoinder.payloads import Answer, Caller, Citation, Query, Reading
from rejoinder_customer_service.catalogue import COMPANY, Entry, entries_of, filled
from rejoinder_customer_service.faq import FaqIndex, Readings, scores_of
from rejoinder_customer_service.plugin import CustomerServicePlugin
from rejoinder_customer_service.settings import CustomerServiceSettings

TEXTS = ("my card payment is pending", "how do I activate my card?", "where is my order", "", "  ", "qwxz")
OWN = {"age_limit": "Ask {company}, {name}.", "loans": "No loans at {company}.", "house_loan": "None either."}
INTENTS = ("age_limit", "activate_my_card", "lost_or_stolen_card", "cancel_order", "loans", "house_loan", "brand_new")


class Bench:
    """The plugin in a host and a loop of its own, its index of words built."""

    def __init__(self, runner: asyncio.Runner, chosen: CustomerServiceSettings) -> None:
        self.runner = runner
        self.settings = chosen
        self.plugin = CustomerServicePlugin()
        plugins = Plugins()
        plugins.register(self.plugin, "customer_service")
        self.host = Host(plugins)
        self.index: FaqIndex | None = runner.run(self._built())

    def request(self) -> Request:
        return Request(
            tenant="acme",
            caller=Caller(id="u"),
            models=NoModels(),
            plugins=self.host.plugin_names,
            settings={"customer_service": self.settings},
        )

    def ask(self, query: Query) -> list[Answer]:
        return self.runner.run(self.plugin.retrieve_answers(query, self.request().context("customer_service")))

    def plainly(self, query: Query) -> list[Answer]:
        """What `ask` must give."""
        best = max(query.intents, key=lambda one: one.confidence, default=None)
        shares = {one.intent: one.confidence for one in query.intents}
        readings = Readings(shares, settled=best is not None and best.source in ("memory", "choice"))
        entries = [] if self.settings.catalogue == "none" else list(entries_of(self.settings.catalogue))
        evidence = [0.0] * len(entries)
        if (query.text or "").strip() and readings.leave_room and self.index is not None:
            evidence = self.index.evidence((query.text or "").strip(), None)
        scored = list(zip(scores_of([one.intent for one in entries], readings, evidence), entries, strict=True))
        known = {one.intent for one in entries}
        for intent, text in self.settings.answers.items():
            if intent in shares and intent not in known:
                (score,) = scores_of([intent], readings, [0.0])
                scored.append((score, Entry(intent, humanised(intent), "", text, "")))
        scored.sort(key=lambda pair: (-pair[0], pair[1].intent))
        wanted = min(query.limit, self.settings.max_candidates)
        return [self._answer(entry, score) for score, entry in scored[:wanted] if score >= 0.02]

    def _answer(self, entry: Entry, score: float) -> Answer:
        chosen, own = self.settings, self.settings.answers.get(entry.intent)
        return Answer(
            id=f"{chosen.catalogue}:{entry.intent}",
            text=filled(own or entry.answer, chosen.values, {COMPANY: chosen.company}, entry.slots),
            score=score,
            source="faq",
            intent=entry.intent,
            citations=(Citation(source=chosen.company if own else entry.source, title=entry.title),),
        )

    async def _built(self) -> FaqIndex | None:
        await self.host.tenant_enabled(self.request())
        return await self.plugin._indexes.ready(self.request().context("customer_service"))

    def close(self) -> None:
        self.plugin._indexes.close()
        self.host.close()


@pytest.fixture(scope="module", params=["banking77", "bitext", "none"])
def bench(request: Any) -> Iterator[Bench]:
    chosen = CustomerServiceSettings(
        catalogue=request.param, company="Nordbank", values={"name": "please"}, answers=OWN, max_candidates=7
    )
    with asyncio.Runner() as runner:
        made = Bench(runner, chosen)
        yield made
        made.close()


shares = strategies.one_of(strategies.floats(0, 1), strategies.sampled_from([0.0, 0.02, 2 / 3, 1.0]))


def readings_of(by_intent: dict[str, float], source: str) -> Sequence[Reading]:
    return [Reading(intent=intent, confidence=share, source=source) for intent, share in by_intent.items()]


@settings(max_examples=300, deadline=None)
@given(
    text=strategies.one_of(strategies.none(), strategies.sampled_from(TEXTS)),
    readings=strategies.builds(
        readings_of,
        strategies.dictionaries(strategies.sampled_from(INTENTS), shares, max_size=5),
        strategies.sampled_from(["", "head", "memory", "choice"]),
    ),
    limit=strategies.integers(1, 20),
)
def test_same_answers_as_by_the_plain_computation(
    bench: Bench, text: str | None, readings: Sequence[Reading], limit: int
) -> None:
    query = Query(text=text, intents=tuple(readings), limit=limit)
    assert bench.ask(query) == bench.plainly(query)


def test_new_settings_give_new_answers(bench: Bench) -> None:
    query = Query(text=None, intents=(Reading(intent="age_limit", confidence=0.9),))
    (before,) = bench.ask(query)
    was = bench.settings
    bench.settings = was.model_copy(update={"company": "Südbank"})
    try:
        (after,) = bench.ask(query)
    finally:
        bench.settings = was
    assert (before.text, after.text) == ("Ask Nordbank, please.", "Ask Südbank, please.")
