"""The plugin `slots`: values are read, carried on, corrected, and of one tenant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from rejoinder.errors import ModelNotReadyError
from rejoinder.models.learner import Span
from rejoinder.payloads import Caller, ConversationState, Message, Question, Understanding
from rejoinder.slots import Slot
from rejoinder_plugins.dialogue.decide import merged
from rejoinder_plugins.slots import SlotsPlugin, SlotsSettings

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Talk:
    """A conversation with the plugin alone, its slots carried on as the dialogue does."""

    def __init__(self, bench: Any, models: Any, settings: SlotsSettings | None = None) -> None:
        self.models = models()
        self.bench = bench(
            models=self.models, settings={"slots": settings or SlotsSettings(enabled=True)}, slots=SlotsPlugin()
        )
        self.state = ConversationState()

    async def say(self, text: str, *spans: Span) -> dict[str, Any]:
        async def predict(task: str, text: str) -> Any:
            return SimpleNamespace(spans=spans) if spans else None

        self.models.predict = predict
        message = Message(id="m", text=text, raw_text=text, at=NOW)
        got: Understanding = await self.bench.call("understand_intent", message, self.state)
        self.state = merged(self.state, got)
        return {name: slot.value for name, slot in self.state.slots.items() if not name.endswith(".earlier")}


@pytest.fixture
def talk(bench: Any, models: Any) -> Talk:
    return Talk(bench, models)


def found(text: str, part: str, label: str, confidence: float = 0.9) -> Span:
    start = text.index(part)
    return Span(start=start, end=start + len(part), text=part, confidence=confidence, label=label)


async def test_day_and_month_stand_as_the_persons_locale_has_them(talk: Talk) -> None:
    assert (await talk.say("it came on 05/11/2025"))["date"] == "2025-05-11"
    asked = talk.bench.request
    talk.bench.request = lambda **options: replace(asked(**options), caller=Caller(id="ben", locale="en-GB"))
    assert (await talk.say("it came on 05/11/2025"))["date"] == "2025-11-05"


async def test_values_are_read_and_carried_on(talk: Talk) -> None:
    assert await talk.say("I paid $12.50 for order AB-1234 yesterday") == {
        "order_number": "AB-1234",
        "date": "2025-12-31",
        "amount": 12.5,
    }
    assert (await talk.say("and where is it?"))["order_number"] == "AB-1234"


@pytest.mark.parametrize(
    ("correction", "value"),
    [
        ("no, order 5678", "5678"),
        ("I meant order 5678, not order 1234", "5678"),
        ("not order 1234 but order 5678", "5678"),
        ("no, the other order", "4444"),
        ("not order 123 but order 1234", "1234"),
        ("no, not order 1234", None),
        ("no, not order 5678", "1234"),
        ("I did not get order 5678", "5678"),
    ],
)
async def test_values_are_corrected(talk: Talk, correction: str, value: str | None) -> None:
    await talk.say("first there was order 4444")
    await talk.say("cancel order 1234")
    assert (await talk.say(correction))["order_number"] == value


async def test_the_other_of_two_comes_back_and_forth(talk: Talk) -> None:
    assert (await talk.say("order 1234 and order 5678 are late"))["order_number"] == "1234"
    assert (await talk.say("sorry, the other order"))["order_number"] == "5678"
    assert (await talk.say("no, the other order"))["order_number"] == "1234"


async def test_the_other_one_of_one_is_to_be_asked_for(talk: Talk) -> None:
    await talk.say("cancel order 1234")
    assert (await talk.say("no, the other order"))["order_number"] is None


async def test_the_learned_model_finds_what_has_no_format(talk: Talk) -> None:
    text = "the blue   kettle for order 1234 is broken"
    values = await talk.say(text, found(text, "blue   kettle", "product"), found(text, "1234", "amount"))
    assert values == {"order_number": "1234", "product": "blue kettle"}
    unsure = "a lamp perhaps"
    assert (await talk.say(unsure, found(unsure, "lamp", "product", 0.3)))["product"] == "blue kettle"


async def test_what_the_model_finds_must_pass_the_format_and_be_a_slot_of_the_tenant(talk: Talk) -> None:
    text = "it was blue and broken on the moon"
    assert await talk.say(text, found(text, "blue", "date"), found(text, "moon", "place")) == {}


async def test_a_model_that_knows_nothing_leaves_the_formats(talk: Talk) -> None:
    async def predict(task: str, text: str) -> Any:
        raise ModelNotReadyError("nothing learned")

    talk.models.predict = predict
    message = Message(id="m", text="order 1234", raw_text="order 1234", at=NOW)
    got = await talk.bench.call("understand_intent", message, talk.state)
    assert got.slots[0].value == "1234"


async def test_secrets_are_marked_and_leave_no_trace_of_earlier_ones(bench: Any, models: Any) -> None:
    settings = SlotsSettings(enabled=True, slots={"card": Slot(type="card", title="card number")})
    talk = Talk(bench, models, settings)
    await talk.say("4111 1111 1111 1111")
    await talk.say("no, 5500 0000 0000 0004")
    assert set(talk.state.slots) == {"card"}
    assert talk.state.slots["card"].sensitive
    assert talk.state.slots["card"].value == "5500000000000004"


async def test_slots_are_the_tenants_own(bench: Any, models: Any) -> None:
    ours = Talk(
        bench,
        models,
        SlotsSettings(enabled=True, slots={"ticket": Slot(type="code", title="ticket", forms=("T-####",))}),
    )
    theirs = Talk(bench, models)
    assert await ours.say("order AB-1234, ticket T-4321") == {"ticket": "T-4321"}
    assert "ticket" not in await theirs.say("order AB-1234, ticket T-4321")


async def test_many_earlier_values_are_not_kept(bench: Any, models: Any) -> None:
    talk = Talk(bench, models, SlotsSettings(enabled=True, earlier=2))
    for number in range(1000, 1006):
        await talk.say(f"order {number}")
    assert talk.state.slots["order_number.earlier"].value == ["1004", "1003"]


class Learner:
    """A model that has learned something, or nothing."""

    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size


@pytest.mark.parametrize(("learner", "reads"), [(Learner(10), True), (Learner(0), False), (None, False)])
async def test_unset_values_are_read_where_the_tenants_model_has_learned_something(
    bench: Any, models: Any, learner: Learner | None, reads: bool
) -> None:
    talk = Talk(bench, models, SlotsSettings())
    talk.models.learner = lambda task: learner
    assert await talk.say("order 1234") == {}, "not before it is known"
    await talk.bench.call("tenant_enabled")
    assert await talk.say("order 1234") == ({"order_number": "1234"} if reads else {})
    message = Message(id="m", text="order 1234", raw_text="order 1234", at=NOW)
    other: Understanding = await talk.bench.call("understand_intent", message, talk.state, tenant="other")
    assert other.slots == (), "another tenant's model decides for that tenant alone"
    await talk.bench.call("tenant_disabled")
    assert "order_number" not in {
        slot.name for slot in (await talk.bench.call("understand_intent", message, talk.state)).slots
    }


async def test_only_messages_that_may_say_a_value_are_read_by_the_model(talk: Talk) -> None:
    asked: list[str] = []

    async def heard(text: str) -> list[str]:
        asked.clear()
        message = Message(id="m", text=text, raw_text=text, at=NOW)

        async def predict(task: str, text: str) -> Any:
            asked.append(text)

        talk.models.predict = predict
        await talk.bench.call("understand_intent", message, talk.state)
        return list(asked)

    assert await heard("how do I cancel my order") == []
    assert await heard("The kettle is BROKEN") == ["The kettle is BROKEN"]
    assert await heard("14 Mill Lane") == ["14 Mill Lane"]
    talk.state = replace(talk.state, question=Question(kind="slot", slot="product"))
    assert await heard("the blue one") == ["the blue one"], "a flow asks for a value"


def test_the_task_is_the_engines_token_classification() -> None:
    (task,) = SlotsPlugin().register_tasks()
    assert task.name == "slots"
    assert task.learner().reads == "tokens"
