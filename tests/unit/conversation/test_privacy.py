"""What is kept of a message: redacted text, encrypted slots that expire, and nothing where redaction fails."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.conversation import Turn
from rejoinder.errors import RedactionError, SettingsError
from rejoinder.payloads import (
    Action,
    ConversationState,
    Effect,
    EffectResult,
    Entity,
    Message,
    Option,
    Query,
    Reply,
    Slot,
    Understanding,
)
from rejoinder.store.secret_slots import get_secrets
from rejoinder.testing import FixedClock

from tests.support.application import file_bytes
from tests.unit.conversation.conftest import Bot, MakeBot

SECRET = "4111111111111111"
TEXT = f"my card is {SECRET}"


class Redactor:
    """Masks the secret; fails where a text holds a certain word."""

    @hookimpl()
    async def redact_text(self, text: str) -> str:
        if "unspeakable" in text:
            raise RuntimeError("broken on purpose")
        return text.replace(SECRET, "[CARD_NUMBER]")


class Fills:
    """Puts what was typed into a slot, as it is; `seen` are the slots that each turn began with."""

    def __init__(self, value: Any = SECRET, *, sensitive: bool = False) -> None:
        self.value = value
        self.sensitive = sensitive
        self.seen: list[dict[str, Any]] = []

    @hookimpl()
    async def understand_intent(self, message: Message, state: ConversationState) -> Understanding | None:
        self.seen.append({name: slot.value for name, slot in state.slots.items()})
        if SECRET not in message.raw_text:
            return None
        return Understanding(slots=(Slot(name="card", value=self.value, sensitive=self.sensitive),))

    @hookimpl()
    async def decide_action(self, message: Message, understanding: Understanding, state: ConversationState) -> Action:
        slots = {**state.slots, **{slot.name: slot for slot in understanding.slots}}
        return Action(kind="answer", state=replace(state, slots=slots), query=Query(text=message.text))


async def test_the_stored_text_is_redacted(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor())
    turn = await bot.say(TEXT)

    assert turn.text == "my card is [CARD_NUMBER]"
    (stored,) = await bot.turns()
    assert stored.user_text == "my card is [CARD_NUMBER]"
    assert (await bot.decision(turn)).input == "my card is [CARD_NUMBER]"


async def test_plugins_get_the_redacted_text_and_the_raw_one_beside(bot_of: MakeBot) -> None:
    class Listens:
        heard: tuple[str, str] = ("", "")

        @hookimpl()
        async def understand_intent(self, message: Message) -> None:
            Listens.heard = (message.text, message.raw_text)

    bot = await bot_of(redactor=Redactor(), listens=Listens())
    await bot.say(TEXT)

    assert Listens.heard == ("my card is [CARD_NUMBER]", TEXT)


class Loose:
    """Lets what was typed slip into whatever a plugin can: an error, a slot, an entity, an effect and its result."""

    @hookimpl()
    async def understand_intent(self, message: Message) -> Understanding:
        return Understanding(
            slots=(Slot(name="card", value=message.raw_text), Slot(name="all", value={"cards": [int(SECRET), SECRET]})),
            entities=(Entity(name="card", value=SECRET),),
        )

    @hookimpl()
    async def decide_action(self, understanding: Understanding, message: Message, state: ConversationState) -> Action:
        return Action(
            kind="answer",
            state=replace(
                state, slots={slot.name: slot for slot in understanding.slots}, entities=understanding.entities
            ),
            query=Query(text=message.text),
            effects=(Effect(name="block", plugin="loose"), Effect(name="fail", plugin="loose")),
        )

    @hookimpl()
    async def run_effect(self, effect: Effect) -> EffectResult:
        if effect.name == "fail":
            raise ValueError(f"cannot use {SECRET}")
        return EffectResult(name=effect.name, ok=True, value={"blocked": [SECRET, int(SECRET)]})

    @hookimpl(tryfirst=True)
    async def retrieve_answers(self) -> Any:
        raise ValueError(f"cannot look up {SECRET}")


async def test_what_was_typed_is_nowhere_in_the_file(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor(), loose=Loose())
    await bot.say(TEXT, key="k1")
    await bot.say(TEXT, key="k1")
    await bot.say(TEXT)

    assert len(await bot.turns()) == 2
    stored = file_bytes(bot.folder)
    assert b"CARD_NUMBER" in stored
    assert SECRET.encode() not in stored


class Appends:
    """Changes the value of a slot where it lies, which it should not."""

    @hookimpl()
    async def decide_action(self, message: Message, state: ConversationState) -> Action:
        if "list" not in state.slots:
            slots = {"list": Slot(name="list", value=["a"])}
            return Action(kind="answer", state=replace(state, slots=slots), query=Query(text=message.text))
        value: Any = state.slots["list"].value
        value.append(message.raw_text)
        return Action(kind="answer", state=state, query=Query(text=message.text))


async def test_a_list_that_a_plugin_changed_where_it_lies_is_looked_at_again(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor(), appends=Appends())
    await bot.say("hello")
    await bot.say(SECRET)

    assert SECRET.encode() not in file_bytes(bot.folder)


async def test_the_composer_still_sees_what_an_effect_gave(bot_of: MakeBot) -> None:
    class Looks:
        seen: tuple[EffectResult, ...] = ()

        @hookimpl()
        async def compose_reply(self, state: ConversationState) -> None:
            Looks.seen = state.effects

    bot = await bot_of(redactor=Redactor(), loose=Loose(), looks=Looks())
    await bot.say(TEXT)

    assert Looks.seen[0].value == {"blocked": [SECRET, int(SECRET)]}


async def test_what_cannot_be_redacted_is_refused_and_not_stored(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor())

    with pytest.raises(RedactionError) as caught:
        await bot.say(f"unspeakable {SECRET}")

    assert caught.value.plugin == "redactor"
    assert await bot.turns() == []
    assert (await bot.state()).version == 0
    assert SECRET.encode() not in file_bytes(bot.folder)


async def test_a_slot_that_cannot_be_redacted_stops_the_turn(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor(), fills=Fills(f"unspeakable {SECRET}"))

    with pytest.raises(RedactionError):
        await bot.say(TEXT)
    assert await bot.turns() == []


async def test_an_agents_words_are_redacted_too(bot_of: MakeBot) -> None:
    from tests.support.application import AGENT

    bot = await bot_of(redactor=Redactor())
    turn = await bot.application.hand_offs.say_in("acme", bot.id, AGENT, f"is it {SECRET}?")

    assert turn.reply.parts == ("is it [CARD_NUMBER]?",)
    assert SECRET.encode() not in file_bytes(bot.folder)


# --- replies -------------------------------------------------------------------------------------------------------


class Repeats:
    """Says what is in the slot, and a number of its own."""

    @hookimpl()
    async def compose_reply(self, state: ConversationState) -> Reply:
        known = state.slots["card"].value if "card" in state.slots else "no card"
        return Reply(parts=(f"Blocked: {known}. Call 4929-0.",), options=(Option(title=f"Not {known}", value="no"),))


async def test_a_reply_that_repeats_a_secret_is_stored_without_it(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor(), fills=Fills(), repeats=Repeats())
    turn = await bot.say(TEXT, key="k1")

    assert turn.reply.parts == (f"Blocked: {SECRET}. Call 4929-0.",)
    again = await bot.say(TEXT, key="k1")
    assert again.reply.parts == ("Blocked: [CARD_NUMBER]. Call 4929-0.",)
    assert again.reply.options == (Option(title="Not [CARD_NUMBER]", value="no"),)
    assert SECRET.encode() not in file_bytes(bot.folder)


async def test_a_reply_that_repeats_what_a_plugin_calls_sensitive_is_stored_without_it(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor(), fills=Fills("geheim", sensitive=True), repeats=Repeats())
    await bot.say(TEXT, key="k1")

    assert (await bot.say(TEXT, key="k1")).reply.parts == ("Blocked: [HIDDEN]. Call 4929-0.",)
    assert b"geheim" not in file_bytes(bot.folder)


async def test_a_reply_without_secrets_in_sight_is_stored_as_it_is(bot_of: MakeBot) -> None:
    class Tells:
        @hookimpl()
        async def compose_reply(self) -> Reply:
            return Reply(parts=(f"Our own number is {SECRET}.",))

    bot = await bot_of(redactor=Redactor(), tells=Tells())
    first = await bot.say("whom do I pay?", key="k1")

    assert await bot.say("whom do I pay?", key="k1") == first


# --- slots ---------------------------------------------------------------------------------------------------------

VALUES = [
    pytest.param(SECRET, "[CARD_NUMBER]", id="text"),
    pytest.param(f"card {SECRET}, please", "card [CARD_NUMBER], please", id="part-of-a-text"),
    pytest.param(int(SECRET), "[HIDDEN]", id="number"),
    pytest.param({"numbers": [SECRET]}, "[HIDDEN]", id="nested"),
]


@pytest.mark.parametrize(("value", "shown"), VALUES)
async def test_a_slot_that_redaction_masks_is_hidden_in_the_store(bot_of: MakeBot, value: Any, shown: str) -> None:
    bot = await bot_of(redactor=Redactor(), fills=Fills(value))
    await bot.say(TEXT)

    slot = (await bot.state()).slots["card"]
    assert (slot.value, slot.sensitive) == (shown, True)
    assert SECRET.encode() not in file_bytes(bot.folder)


@pytest.mark.parametrize(("value", "shown"), VALUES)
async def test_the_next_turn_sees_the_slot_as_it_was(bot_of: MakeBot, value: Any, shown: str) -> None:
    fills = Fills(value)
    bot = await bot_of(redactor=Redactor(), fills=fills)
    await bot.say(TEXT)
    await bot.say("and now?")

    assert fills.seen == [{}, {"card": value}]
    assert (await bot.state()).slots["card"].value == shown


async def test_a_restart_does_not_lose_a_slot(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor(), fills=Fills())
    await bot.say(TEXT)
    fills = Fills()
    again = await bot_of(again=bot, redactor=Redactor(), fills=fills)
    await again.say("and now?")

    assert fills.seen == [{"card": SECRET}]


async def test_what_a_plugin_calls_sensitive_is_hidden_whatever_it_is(bot_of: MakeBot) -> None:
    fills = Fills({"pin": 1234}, sensitive=True)
    bot = await bot_of(redactor=Redactor(), fills=fills)
    await bot.say(TEXT)
    await bot.say("and now?")

    assert (await bot.state()).slots["card"].value == "[HIDDEN]"
    assert fills.seen[-1] == {"card": {"pin": 1234}}


async def test_what_nothing_masks_is_kept_as_it_is(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor(), fills=Fills({"colour": "blue", "count": 3}))
    await bot.say(TEXT)

    assert (await bot.state()).slots["card"] == Slot(name="card", value={"colour": "blue", "count": 3})


async def test_an_expired_slot_is_gone(bot_of: MakeBot, clock: FixedClock) -> None:
    fills = Fills()
    bot = await bot_of(redactor=Redactor(), fills=fills, options={"security": {"slot_ttl_s": 60}})
    await bot.say(TEXT)
    clock.advance(59)
    await bot.say("still?")
    clock.advance(2)
    await bot.say("and now?")

    assert fills.seen == [{}, {"card": SECRET}, {}]
    assert (await bot.state()).slots == {}


async def test_a_slot_that_is_told_again_takes_the_new_value(bot_of: MakeBot) -> None:
    fills = Fills(f"first {SECRET}")
    bot = await bot_of(redactor=Redactor(), fills=fills)
    await bot.say(TEXT)
    fills.value = f"second {SECRET}"
    await bot.say(TEXT)
    await bot.say("and now?")

    assert fills.seen[-1] == {"card": f"second {SECRET}"}


async def test_a_tenants_secrets_cannot_be_read_for_another(bot_of: MakeBot) -> None:
    bot: Bot = await bot_of(redactor=Redactor(), fills=Fills())
    await bot.say(TEXT)
    kept = await get_secrets(bot.application.database, "acme", bot.id, at=bot.application.clock())
    vault = bot.application.tenants.vault

    assert json.loads(vault.decrypt("slots", "acme", kept["card"])) == SECRET
    with pytest.raises(SettingsError):
        vault.decrypt("slots", "other", kept["card"])
    assert await get_secrets(bot.application.database, "other", bot.id, at=bot.application.clock()) == {}


async def test_a_turn_without_slots_asks_for_no_secrets(bot_of: MakeBot) -> None:
    bot = await bot_of(redactor=Redactor())
    turn: Turn = await bot.say("hello")

    assert turn.number == 1
    assert await get_secrets(bot.application.database, "acme", bot.id, at=bot.application.clock()) == {}
