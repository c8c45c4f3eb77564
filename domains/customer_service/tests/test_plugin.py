"""The domain's hooks in a real host, with models that say what a test lays down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import pytest
from pydantic import ValidationError
from rejoinder.context import NoModels, Request
from rejoinder.errors import EncoderBusyError
from rejoinder.host import Host, Plugins
from rejoinder.payloads import Answer, Caller, Query, Reading
from rejoinder.testing import HashEncoder, check_plugin
from rejoinder.trace import Trace
from rejoinder_customer_service import CustomerServicePlugin, CustomerServiceSettings

ENCODER = HashEncoder(256)


class FakeModels:
    """Vectors of hashed words, counted; `busy` calls are refused first."""

    def __init__(self, busy: int = 0) -> None:
        self.versions: Mapping[str, str] = {}
        self.busy_error = None
        self.refusals = busy
        self.encoded: list[str] = []

    def prefetch(self, text: str) -> None:
        """Do nothing: encoding costs nothing here."""

    async def encode(self, text: str) -> Any:
        if self.refusals > 0:
            self.refusals -= 1
            raise EncoderBusyError("full", retry_after_s=0.0)
        self.encoded.append(text)
        return ENCODER.encode([text])[0]

    async def predict(self, task: str, text: str) -> None:
        return None

    async def recall(self, task: str, text: str) -> None:
        return None


class Desk:
    """The domain in a host of its own."""

    def __init__(self) -> None:
        self.plugin = CustomerServicePlugin()
        plugins = Plugins()
        plugins.register(self.plugin, "customer_service")
        self.host = Host(plugins)
        self.models: Any = FakeModels()

    def request(self, settings: CustomerServiceSettings | None = None, tenant: str = "acme") -> Request:
        return Request(
            tenant=tenant,
            caller=Caller(id="u"),
            models=self.models,
            plugins=self.host.plugin_names,
            settings={"customer_service": settings or CustomerServiceSettings()},
            trace=Trace(),
        )

    async def enable(self, settings: CustomerServiceSettings | None = None, tenant: str = "acme") -> None:
        """Enable a tenant and wait until its index has vectors."""
        await self.host.tenant_enabled(self.request(settings, tenant))
        for shared in list(self.plugin._indexes._shared.values()):
            if shared.warming is not None:
                await shared.warming

    async def ask(
        self, text: str | None, *readings: tuple[str, float], settings: Any = None, source: str = "", **query: Any
    ) -> tuple[Answer, ...]:
        request = self.request(settings)
        intents = tuple(Reading(intent=intent, confidence=share, source=source) for intent, share in readings)
        answers = await self.host.retrieve_answers(Query(text=text, intents=intents, **query), request)
        assert request.trace.failures == []
        return answers


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    made.plugin._indexes.close()
    await asyncio.sleep(0)
    made.host.close()


def intents(answers: Iterable[Answer]) -> list[str | None]:
    return [answer.intent for answer in answers]


async def test_a_sure_intent_gives_its_answer_whatever_the_words(desk: Desk) -> None:
    await desk.enable()
    answers = await desk.ask("how do I activate my card", ("lost_or_stolen_card", 0.8), ("activate_my_card", 0.1))
    assert answers[0].intent == "lost_or_stolen_card"
    assert answers[0].source == "faq"
    assert answers[0].id == "banking77:lost_or_stolen_card"
    (citation,) = answers[0].citations
    assert citation.source.startswith("Help centre")
    assert citation.title


@pytest.mark.parametrize("source", ["memory", "choice"])
async def test_what_a_person_settled_counts_at_once(desk: Desk, source: str) -> None:
    await desk.enable()
    answers = await desk.ask("how do I activate my card", ("age_limit", 0.41), ("activate_my_card", 0.4), source=source)
    assert answers[0].intent == "age_limit"


async def test_without_intents_the_text_finds_it(desk: Desk) -> None:
    await desk.enable()
    answers = await desk.ask("How do I activate my card?")
    assert answers[0].intent == "activate_my_card"
    assert answers[0].score > 0.5


async def test_strangers_score_low(desk: Desk) -> None:
    await desk.enable()
    assert all(answer.score < 0.35 for answer in await desk.ask("will it rain in Oslo tomorrow"))


@pytest.mark.parametrize("text", [None, "", "  ", "?", "\x00", "x" * 20_000, "🙂"])
async def test_odd_texts(desk: Desk, text: str | None) -> None:
    await desk.enable()
    assert all(0.0 <= answer.score <= 1.0 for answer in await desk.ask(text))
    assert (await desk.ask(text, ("age_limit", 0.9)))[0].intent == "age_limit"


async def test_scores_come_best_first_and_only_so_many(desk: Desk) -> None:
    await desk.enable()
    answers = await desk.ask("my card", settings=CustomerServiceSettings(max_candidates=3), limit=50)
    assert len(answers) <= 3
    assert len(await desk.ask("my card is lost", limit=1)) == 1
    scores = [answer.score for answer in answers]
    assert scores == sorted(scores, reverse=True)


async def test_lists_are_none_of_its_business(desk: Desk) -> None:
    assert await desk.ask("card", kind="recommendation") == ()


async def test_what_the_customer_named_fills_the_slots_of_an_answer(desk: Desk) -> None:
    own = CustomerServiceSettings(catalogue="none", answers={"track": "Order {order_number} of {company}, {unknown}."})
    (answer,) = await desk.ask("where?", ("track", 0.9), settings=own, filters={"order_number": "12345"})
    assert answer.text == "Order 12345 of our company, {unknown}."
    (answer,) = await desk.ask("where?", ("track", 0.9), settings=own)
    assert answer.text == "Order {order_number} of our company, {unknown}.", "nothing of the turn before"


async def test_names_in_braces_are_filled(desk: Desk) -> None:
    bank = CustomerServiceSettings(catalogue="bitext", values={"support_email": "help@shop.example"})
    (first, *_) = await desk.ask("x", ("contact_customer_service", 0.95), settings=bank)
    assert first.text is not None
    assert "help@shop.example" in first.text
    assert "{" not in first.text


async def test_a_tenants_own_answers(desk: Desk) -> None:
    own = CustomerServiceSettings(company="Nordbank", answers={"age_limit": "Ask {company}.", "loans": "No loans."})
    (first, *_) = await desk.ask("x", ("age_limit", 0.9), settings=own)
    assert (first.text, first.citations[0].source) == ("Ask Nordbank.", "Nordbank")
    (first, *_) = await desk.ask("x", ("loans", 0.9), settings=own)
    assert (first.text, first.intent) == ("No loans.", "loans")
    assert "loans" not in intents(await desk.ask("x", ("age_limit", 0.9), settings=own))


async def test_without_a_catalogue_only_the_tenants_own(desk: Desk) -> None:
    none = CustomerServiceSettings(catalogue="none", answers={"loans": "No loans."})
    await desk.enable(none)
    assert len(desk.plugin._indexes) == 0
    assert await desk.ask("activate my card", settings=none) == ()
    assert intents(await desk.ask("x", ("loans", 0.9), ("age_limit", 0.1), settings=none)) == ["loans"]
    assert await desk.host.seed_examples(desk.request(none)) == []


async def test_an_intent_without_an_answer_gives_none(desk: Desk) -> None:
    await desk.enable()
    assert all(answer.score < 0.1 for answer in await desk.ask("how do I activate my card", ("brand_new", 0.97)))


# --- seed examples -------------------------------------------------------------------------------------------------


async def test_the_regression_set_holds_no_seed_and_follows_the_catalogue(desk: Desk) -> None:
    found = {}
    for catalogue in ("banking77", "bitext", "none"):
        request = desk.request(CustomerServiceSettings(catalogue=catalogue))
        frozen = await desk.host.regression_examples(request)
        seeds = {one.text for one in await desk.host.seed_examples(request) if one.task == "intent"}
        assert not seeds & {one.text for one in frozen}
        assert len({one.id for one in frozen}) == len(frozen)
        found[catalogue] = len(frozen)
    assert found == {"banking77": 770, "bitext": 810, "none": 0}


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 1540),
        ({"catalogue": "bitext"}, 1261),
        ({"catalogue": "bitext", "everyday": False}, 1080),
        ({"catalogue": "bitext", "examples_per_intent": 2}, 54 + 181),
        ({"examples_per_intent": 2, "slots": False}, 154),
        ({"examples_per_intent": 10_000}, 1540),
    ],
)
async def test_seed_examples_are_the_same_every_time(desk: Desk, settings: Any, count: int) -> None:
    request = desk.request(CustomerServiceSettings(**settings))
    first, second = [await desk.host.seed_examples(request) for _ in range(2)]
    assert sum(example.task == "intent" for example in first) == count
    assert {example.task for example in first} == (
        {"intent"} if settings.get("slots") is False else {"intent", "slots"}
    )
    assert first == second
    assert len({example.id for example in first}) == len(first)
    assert {example.polarity for example in first} == {"positive"}


async def test_everyday_wordings_say_where_they_are_from(desk: Desk) -> None:
    seeds = await desk.host.seed_examples(desk.request(CustomerServiceSettings(catalogue="bitext", slots=False)))
    everyday = [one for one in seeds if one.source == "customer_service/bitext/everyday"]
    assert len(everyday) == 181
    assert "has my parcel been sent" in {one.text for one in everyday}
    assert {one.source for one in seeds if one not in everyday} == {"customer_service/bitext"}


# --- the index -----------------------------------------------------------------------------------------------------


async def test_enabling_does_not_wait_for_the_index(desk: Desk) -> None:
    desk.models.refusals = 10**6
    started = time.perf_counter()
    await desk.host.tenant_enabled(desk.request())
    assert time.perf_counter() - started < 0.2
    assert (await desk.ask("How do I activate my card?"))[0].intent == "activate_my_card"


async def test_tenants_with_the_same_choice_share_one_index_until_the_last_goes(desk: Desk) -> None:
    await desk.enable(tenant="acme")
    encoded = len(desk.models.encoded)
    await desk.enable(tenant="globex")
    assert (len(desk.models.encoded), len(desk.plugin._indexes)) == (encoded, 1)
    await desk.enable(CustomerServiceSettings(catalogue="bitext"), tenant="initech")
    assert len(desk.plugin._indexes) == 2
    await desk.host.tenant_disabled(desk.request(tenant="acme"))
    assert len(desk.plugin._indexes) == 2
    await desk.host.tenant_disabled(desk.request(tenant="globex"))
    await desk.host.tenant_disabled(desk.request(tenant="initech"))
    assert len(desk.plugin._indexes) == 0


async def test_new_settings_free_the_old_index(desk: Desk) -> None:
    await desk.enable()
    answers = await desk.ask("I want to cancel my order", settings=CustomerServiceSettings(catalogue="bitext"))
    assert answers[0].intent == "cancel_order"
    assert len(desk.plugin._indexes) == 1


async def test_a_busy_encoder_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder_customer_service.warm._BUSY_WAIT_S", 0.0)
    desk.models.refusals = 9
    await desk.enable()
    assert desk.models.refusals == 0
    assert all(one.index and one.index.has_vectors for one in desk.plugin._indexes._shared.values())


async def test_without_an_encoder_words_still_find_it(desk: Desk) -> None:
    desk.models = NoModels()
    await desk.enable()
    assert (await desk.ask("How do I activate my card?"))[0].intent == "activate_my_card"


async def test_vectors_come_with_the_first_message_where_enabling_had_no_encoder(desk: Desk) -> None:
    with_encoder, desk.models = desk.models, NoModels()
    await desk.enable()
    desk.models = with_encoder
    await desk.ask("How do I activate my card?")
    (shared,) = desk.plugin._indexes._shared.values()
    assert shared.warming is not None
    await shared.warming
    assert shared.index is not None
    assert shared.index.has_vectors


async def test_a_missing_encoder_is_not_asked_for_with_every_message(desk: Desk) -> None:
    desk.models = NoModels()
    await desk.enable()
    await desk.ask("one")
    (shared,) = desk.plugin._indexes._shared.values()
    first = shared.warming
    await asyncio.sleep(0.01)
    await desk.ask("two")
    assert shared.warming is first


async def test_answering_takes_less_than_a_millisecond(desk: Desk) -> None:
    await desk.enable()
    request = desk.request()
    context = request.context("customer_service")
    query = Query(text="my card payment is pending", intents=(Reading(intent="pending_card_payment", confidence=0.6),))
    took = []
    for _ in range(50):
        started = time.perf_counter()
        await desk.plugin.retrieve_answers(query, context)
        took.append(time.perf_counter() - started)
    assert sorted(took)[25] < 0.005


# --- settings and contract -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [{"catalogue": "bank"}, {"examples_per_intent": 0}, {"answers": {"a": ""}}, {"catalog": "none"}, {"seed": -1}],
)
def test_wrong_settings_are_refused(values: Any) -> None:
    with pytest.raises(ValidationError):
        CustomerServiceSettings.model_validate(values)


def test_the_domain_names_all_its_intents() -> None:
    (domain,) = CustomerServicePlugin().register_domain()
    assert len(domain.intents) == 104
    assert all(title.strip() for title in domain.intents.values())
    assert domain.settings is CustomerServiceSettings


@pytest.mark.slow
def test_contract() -> None:
    check_plugin(CustomerServicePlugin(), name="customer_service")
