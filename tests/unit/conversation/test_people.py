"""When a person speaks for the bot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.errors import AccessError, ConflictError, InvalidInputError, NotFoundError
from rejoinder.payloads import Action, ConversationState
from rejoinder.store.conversations import update_state
from rejoinder.store.database import Database
from rejoinder.store.turns import LoadedConversation, load_conversation

from tests.support.application import ADMIN, AGENT, ANA
from tests.unit.conversation.conftest import Bot, MakeBot


class HandsOff:
    """Gives every message to a person; counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    @hookimpl()
    async def understand_intent(self) -> None:
        self.calls += 1

    @hookimpl()
    async def decide_action(self, state: ConversationState) -> Action:
        self.calls += 1
        return Action(kind="hand_off", state=replace(state, mode="queued"), text="A colleague will answer.")


@pytest.fixture
async def waiting(bot_of: MakeBot) -> tuple[Bot, HandsOff]:
    """A conversation that waits for a person."""
    hands_off = HandsOff()
    bot = await bot_of(echo=False, hands_off=hands_off)
    turn = await bot.say("a person, please")
    assert (turn.mode, turn.action, turn.reply.parts) == ("queued", "hand_off", ("A colleague will answer.",))
    hands_off.calls = 0
    return bot, hands_off


async def test_while_the_customer_waits_no_hook_is_called(waiting: tuple[Bot, HandsOff]) -> None:
    bot, hands_off = waiting
    turn = await bot.say("are you there?")

    assert hands_off.calls == 0
    assert (turn.mode, turn.action, turn.speaker, turn.reply.parts) == ("queued", "silent", "none", ())
    assert turn.decision_id is None
    assert (await bot.turns())[-1].user_text == "are you there?"


async def test_an_agents_message_is_part_of_the_conversation(waiting: tuple[Bot, HandsOff]) -> None:
    bot, _ = waiting
    turn = await bot.application.hand_offs.say_in("acme", bot.id, AGENT, "Hello, this is Eva.")

    assert (turn.mode, turn.speaker, turn.text, turn.reply.parts) == ("agent", "agent", "", ("Hello, this is Eva.",))
    loaded = await bot.application.conversations.load("acme", bot.id, ANA, history=1)
    assert [(line.speaker, line.text) for line in loaded.history] == [("agent", "Hello, this is Eva.")]
    assert loaded.state.mode == "agent"


async def test_once_an_agent_spoke_the_bot_is_silent(bot_of: MakeBot) -> None:
    bot = await bot_of()
    await bot.application.hand_offs.say_in("acme", bot.id, AGENT, "I take over.")
    turn = await bot.say("thank you")

    assert (turn.mode, turn.speaker, turn.number) == ("agent", "none", 3)


@pytest.mark.parametrize("caller", [AGENT, ADMIN], ids=["agent", "admin"])
async def test_after_release_the_bot_speaks_again(bot: Bot, caller: Any) -> None:
    await bot.application.hand_offs.say_in("acme", bot.id, caller, "I take over.")
    await bot.application.hand_offs.release_in("acme", bot.id, caller)
    turn = await bot.say("hello")

    assert (turn.mode, turn.speaker, turn.reply.parts) == ("bot", "bot", ("hello",))


Step = Callable[[Bot], Awaitable[Any]]


async def speak(bot: Bot) -> None:
    turn = await bot.application.hand_offs.say_in("acme", bot.id, AGENT, "Hello, this is Eva.")
    assert (await bot.turns())[-1].id == turn.id


async def release(bot: Bot) -> None:
    await bot.application.hand_offs.release_in("acme", bot.id, AGENT)


@pytest.fixture
def meddle(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`meddle(2)`: another process changes the conversation right after each of the next two times that this one loaded it."""

    def begin(times: int) -> None:
        left = iter(range(times))

        async def overtaken(
            database: Database, tenant: str, conversation_id: str, **options: Any
        ) -> LoadedConversation:
            loaded = await load_conversation(database, tenant, conversation_id, **options)
            if next(left, None) is not None:
                state, version = replace(loaded.state, misses=7), loaded.state.version
                await update_state(database, tenant, conversation_id, expected_version=version, state=state)
            return loaded

        for place in ("rejoinder.conversation.conversations", "rejoinder.store.recent"):
            monkeypatch.setattr(f"{place}.load_conversation", overtaken)

    return begin


@pytest.mark.parametrize(("step", "mode", "version"), [(speak, "agent", 3), (release, "bot", 3)])
async def test_what_an_agent_does_is_repeated_when_another_process_came_between(
    waiting: tuple[Bot, HandsOff], meddle: Callable[[int], None], step: Step, mode: str, version: int
) -> None:
    bot, _ = waiting
    await speak(bot)
    before = (await bot.state()).version
    bot.application.conversations.forget("acme")
    meddle(2)
    await step(bot)

    state = await bot.state()
    assert (state.mode, state.misses, state.version) == (mode, 0, before + version)


@pytest.mark.parametrize("step", [speak, release])
async def test_what_an_agent_does_is_a_conflict_when_others_come_between_again_and_again(
    waiting: tuple[Bot, HandsOff], meddle: Callable[[int], None], step: Step
) -> None:
    bot, _ = waiting
    await speak(bot)
    before = len(await bot.turns())
    bot.application.conversations.forget("acme")
    meddle(99)
    with pytest.raises(ConflictError):
        await step(bot)
    assert len(await bot.turns()) == before


async def test_a_customer_may_not_speak_for_the_bot(bot: Bot) -> None:
    with pytest.raises(AccessError):
        await bot.application.hand_offs.say_in("acme", bot.id, ANA, "I am an agent")
    assert await bot.turns() == []


async def test_a_customer_may_not_release(waiting: tuple[Bot, HandsOff]) -> None:
    bot, _ = waiting
    with pytest.raises(AccessError):
        await bot.application.hand_offs.release_in("acme", bot.id, ANA)
    assert (await bot.state()).mode == "queued"


async def test_an_agent_of_another_tenant_finds_no_conversation(bot: Bot) -> None:
    with pytest.raises(NotFoundError):
        await bot.application.hand_offs.say_in("other", bot.id, AGENT, "hello")
    with pytest.raises(NotFoundError):
        await bot.application.hand_offs.release_in("other", bot.id, AGENT)


async def test_an_agents_text_is_checked(bot: Bot) -> None:
    with pytest.raises(InvalidInputError):
        await bot.application.hand_offs.say_in("acme", bot.id, AGENT, "  ")
