"""Agents take conversations out of the queue, answer, and give them back."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.context import Context
from rejoinder.conversation import Turn
from rejoinder.errors import AccessError, ConflictError, InvalidInputError, NotFoundError
from rejoinder.handoff.context import HandOffContext, summary_of
from rejoinder.handoff.desk import DeskEvent
from rejoinder.payloads import (
    Action,
    Answer,
    Caller,
    ConversationState,
    FlowFrame,
    Message,
    Query,
    Reading,
    Slot,
    Understanding,
)
from rejoinder.store.tables import HandOffRow
from rejoinder.testing import FixedClock
from rejoinder_plugins.corrections import CorrectionsPlugin
from rejoinder_plugins.explicit_feedback import ExplicitFeedbackPlugin

from tests.support.application import ADMIN, ANA, BEN
from tests.unit.conversation.conftest import Bot, MakeBot

EVA = Caller(id="agent:eva", role="agent", name="Eva")
TOM = Caller(id="agent:tom", role="agent", name="Tom")
SECRET = "4111"


class HelpDesk:
    """Hands off what says "person"; knows an order, a flow, and one answer; masks a number."""

    @hookimpl()
    async def understand_intent(self, message: Message) -> Understanding:
        slots = (Slot(name="order", value="A-17"),) if "A-17" in message.raw_text else ()
        return Understanding(readings=(Reading(intent="refund", confidence=0.8, title="Refund"),), slots=slots)

    @hookimpl()
    async def decide_action(self, message: Message, understanding: Understanding, state: ConversationState) -> Action:
        state = replace(state, slots={**state.slots, **{one.name: one for one in understanding.slots}})
        if "person" in message.text:
            return Action(
                kind="hand_off",
                state=replace(state, mode="queued", flows=()),
                text="A colleague will answer.",
                reason="asked for a person",
            )
        flows = (FlowFrame(flow="refund", step="reason"),) if "refund" in message.text else state.flows
        return Action(kind="answer", state=replace(state, flows=flows), query=Query(text=message.text))

    @hookimpl()
    async def retrieve_answers(self, query: Query) -> list[Answer]:
        return [Answer(id="faq", text="Ask me another.", score=0.5, source="faq", intent="refund")]

    @hookimpl()
    async def redact_text(self, text: str, context: Context) -> str:
        return text.replace(SECRET, "[CARD]")


Desk = tuple[Bot, HandOffRow]


@pytest.fixture
async def desk(bot_of: MakeBot) -> Bot:
    """A help desk without anybody in the queue."""
    return await opened(bot_of)


@pytest.fixture
async def on_each_store(bot_of: MakeBot, store: dict[str, Any]) -> Bot:
    """The same, on SQLite and on PostgreSQL."""
    return await opened(bot_of, store)


async def opened(bot_of: MakeBot, store: dict[str, Any] | None = None) -> Bot:
    made: Bot = await bot_of(
        options=store,
        support=HelpDesk(),
        corrections=CorrectionsPlugin(),
        explicit_feedback=ExplicitFeedbackPlugin(),
    )
    return made


async def queued(bot: Bot) -> HandOffRow:
    """Let ana ask for a person, and return her hand-off."""
    turn = await bot.say("a person, please")
    assert turn.mode == "queued"
    (row,) = await bot.application.hand_offs.listed("acme", status="queued")
    return row


async def another(bot: Bot, user: str, text: str = "a person, please") -> str:
    """Let somebody else ask for a person, and return their conversation."""
    caller = Caller(id=user)
    conversation = await bot.application.conversations.create("acme", caller)
    await bot.application.conversations.turn("acme", conversation, caller, text)
    return conversation


def desk_of(bot: Bot) -> Any:
    return bot.application.hand_offs


async def test_who_asks_for_a_person_is_in_the_queue_with_all_that_is_known(desk: Bot) -> None:
    await desk.say("I want a refund for A-17, my card is 4111")
    row = await queued(desk)

    assert (row.user_id, row.reason, row.status) == ("ana", "asked for a person", "queued")
    assert row.context["slots"] == {"order": "A-17"}
    assert row.context["flows"] == [{"flow": "refund", "step": "reason", "failures": 0}]
    assert (row.context["intent"], row.context["confidence"], row.context["title"]) == ("refund", 0.8, "Refund")
    assert row.context["tried"] == ["Ask me another."]
    assert row.summary.splitlines() == [
        "Customer: a person, please",
        "Before: I want a refund for A-17, my card is [CARD]",
        "Why: asked for a person",
        "About: Refund (80% sure)",
        "Known: order A-17",
        "Under way: refund at reason",
        "The bot said last: Ask me another.",
    ]
    assert SECRET not in row.summary


async def test_an_agent_takes_it_answers_and_gives_it_back(desk: Bot) -> None:
    row = await queued(desk)
    claimed = await desk_of(desk).claim("acme", row.id, EVA)
    assert (claimed.status, claimed.agent_id, claimed.agent_name) == ("active", "agent:eva", "Eva")
    turn = await desk_of(desk).say("acme", row.id, EVA, "What is it about? It's not 4111?")
    assert (turn.speaker, turn.author, turn.reply.parts) == ("agent", "Eva", ("What is it about? It's not [CARD]?",))
    silent = await desk.say("my refund")
    assert (silent.mode, silent.speaker) == ("agent", "none")
    released = await desk_of(desk).release("acme", row.id, EVA)
    assert (released.status, released.outcome) == ("closed", "released")
    answered = await desk.say("and now?")

    assert (answered.mode, answered.speaker) == ("bot", "bot")
    loaded = await desk.application.conversations.load("acme", desk.id, ANA, history=20)
    assert [(line.speaker, line.author, line.text) for line in loaded.history][2:] == [
        ("bot", None, "You are talking to Eva now."),
        ("agent", "Eva", "What is it about? It's not [CARD]?"),
        ("user", None, "my refund"),
        ("bot", None, "You are talking to the bot again."),
        ("user", None, "and now?"),
        ("bot", None, "Ask me another."),
    ]
    events = await desk_of(desk).history("acme", row.id)
    assert [(one.kind, one.agent_name) for one in events] == [("queued", ""), ("claimed", "Eva"), ("ended", "Eva")]


async def test_what_an_agent_repeats_with_a_key_is_said_once(desk: Bot) -> None:
    row = await queued(desk)
    say = functools.partial(desk_of(desk).say, "acme", row.id, EVA)
    first = await say("It is on its way.", idempotency_key="k1")
    before = len(await desk.turns())
    again, at_once = await asyncio.gather(*(say("It is on its way.", idempotency_key="k1") for _ in range(2)))
    assert (again, at_once) == (first, first)
    assert len(await desk.turns()) == before
    with pytest.raises(ConflictError, match="used for another text"):
        await say("It is lost.", idempotency_key="k1")
    one, other = await asyncio.gather(*(say("Anything else?", idempotency_key="k2") for _ in range(2)))
    assert one == other
    assert len(await desk.turns()) == before + 1
    await desk_of(desk).close("acme", row.id, EVA)
    assert await say("It is on its way.", idempotency_key="k1") == first
    assert (await desk.say("hello", key="k1")).speaker == "bot"  # a customer's keys are their own


async def test_a_text_that_cannot_be_said_takes_nothing(desk: Bot) -> None:
    row = await queued(desk)
    for said in (desk_of(desk).say("acme", row.id, EVA, " "), desk_of(desk).say_in("acme", desk.id, EVA, "")):
        with pytest.raises(InvalidInputError, match="empty"):
            await said
    assert (await desk_of(desk).get("acme", row.id)).status == "queued"


@pytest.mark.parametrize("door", ["hand-off", "conversation", "bot's conversation"])
async def test_a_fault_while_the_first_answer_is_stored_leaves_the_customer_where_they_were(
    on_each_store: Bot, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    """Taking a conversation and saying the first thing in it are one: nobody is left with a silent agent."""
    bot = on_each_store
    if door == "bot's conversation":
        await bot.say("hello")
        hand_off_id = ""
    else:
        hand_off_id = (await queued(bot)).id

    async def answer() -> Turn:
        if door == "hand-off":
            said: Turn = await desk_of(bot).say("acme", hand_off_id, EVA, "Eva here.", idempotency_key="k")
        else:
            said = await desk_of(bot).say_in("acme", bot.id, EVA, "Eva here.", idempotency_key="k")
        return said

    def dies(*_: Any) -> None:
        raise RuntimeError("the process is gone")

    before = await bot.turns()
    with monkeypatch.context() as patched:
        patched.setattr("rejoinder.handoff.desk.note_reply", dies)
        with pytest.raises(RuntimeError):
            await answer()
    assert [turn.id for turn in await bot.turns()] == [turn.id for turn in before]
    listed = await desk_of(bot).listed("acme")
    assert [(one.status, one.agent_id) for one in listed] == ([("queued", None)] if hand_off_id else [])

    told: list[DeskEvent] = []
    desk_of(bot).watches.append(told.append)
    turn = await answer()
    (row,) = await desk_of(bot).listed("acme")
    assert (row.status, row.agent_id, row.first_reply_at is not None) == ("active", EVA.id, True)
    added = (await bot.turns())[len(before) :]
    assert [(one.speaker, one.reply["parts"][0]) for one in added] == [
        ("bot", "You are talking to Eva now."),
        ("agent", "Eva here."),
    ]
    assert [one.number for one in added] == [len(before) + 1, len(before) + 2]
    assert [one.turn.id for one in told if one.turn is not None] == [one.id for one in added]
    assert await answer() == turn
    heard = await bot.say("thank you")
    assert (heard.number, heard.mode) == (len(before) + 3, "agent")


async def test_of_two_agents_who_take_it_at_once_one_does(on_each_store: Bot) -> None:
    row = await queued(on_each_store)
    outcomes = await asyncio.gather(
        *(desk_of(on_each_store).claim("acme", row.id, agent) for agent in (EVA, TOM)), return_exceptions=True
    )

    taken = [one for one in outcomes if isinstance(one, HandOffRow)]
    assert len(taken) == 1
    assert [type(one) for one in outcomes if not isinstance(one, HandOffRow)] == [ConflictError]
    assert sum(turn.reply is not None and "talking to" in str(turn.reply) for turn in await on_each_store.turns()) == 1


async def test_of_two_processes_that_give_it_to_two_agents_one_does(desk: Bot, bot_of: MakeBot) -> None:
    """The other process has read the queue before this one wrote: the store decides."""
    row = await queued(desk)
    other = desk.application.hand_offs
    stale = await other.get("acme", row.id)
    await desk_of(desk).claim("acme", row.id, EVA)

    async def read_late(tenant: str, hand_off_id: str) -> HandOffRow:
        reads.append(hand_off_id)
        return stale if len(reads) < 3 else await HandOffDeskGet(tenant, hand_off_id)

    reads: list[str] = []
    HandOffDeskGet = other.get  # noqa: N806  # the method as it was
    other.get = read_late
    with pytest.raises(ConflictError, match="Eva has this conversation"):
        await other.claim("acme", row.id, TOM)
    other.get = HandOffDeskGet
    assert (await other.get("acme", row.id)).agent_id == EVA.id


@pytest.mark.parametrize("step", ["claim", "say", "release", "close", "transfer"])
async def test_what_another_agent_has_is_theirs(desk: Bot, step: str) -> None:
    row = await queued(desk)
    await desk_of(desk).claim("acme", row.id, EVA)
    before = len(await desk.turns())
    more = ("I answer this.",) if step == "say" else ()
    with pytest.raises(ConflictError, match="Eva has this conversation"):
        await getattr(desk_of(desk), step)("acme", row.id, TOM, *more)
    assert len(await desk.turns()) == before


async def test_an_admin_may_give_it_back_all_the_same(desk: Bot) -> None:
    row = await queued(desk)
    await desk_of(desk).claim("acme", row.id, EVA)
    assert (await desk_of(desk).release("acme", row.id, ADMIN)).outcome == "released"


async def test_it_is_transferred_with_a_note_and_keeps_its_place(desk: Bot) -> None:
    row = await queued(desk)
    await desk_of(desk).see("acme", TOM)
    await desk_of(desk).claim("acme", row.id, EVA)
    await another(desk, "ben")
    put_back = await desk_of(desk).transfer("acme", row.id, EVA, to=TOM.id, text="Card 4111 was charged twice.")
    assert (put_back.status, put_back.for_agent) == ("queued", TOM.id)
    assert (await desk_of(desk).place(put_back)).position == 1
    with pytest.raises(ConflictError, match="meant for another agent"):
        await desk_of(desk).claim("acme", row.id, EVA)
    assert (await desk_of(desk).claim("acme", row.id, TOM)).agent_name == "Tom"
    events = await desk_of(desk).history("acme", row.id)
    assert ("transferred", "Card [CARD] was charged twice.") in [(one.kind, one.text) for one in events]
    assert (await desk.turns())[-2].reply["parts"] == ["Eva had to leave. The next colleague answers you here."]


async def test_it_is_not_transferred_to_somebody_unknown(desk: Bot) -> None:
    row = await queued(desk)
    await desk_of(desk).claim("acme", row.id, EVA)
    with pytest.raises(NotFoundError, match="no agent 'agent:nobody'"):
        await desk_of(desk).transfer("acme", row.id, EVA, to="agent:nobody")


async def test_notes_are_for_agents_only(desk: Bot) -> None:
    row = await queued(desk)
    noted = await desk_of(desk).note("acme", row.id, TOM, "Is angry about 4111.")
    assert (noted.kind, noted.agent_name, noted.text) == ("note", "Tom", "Is angry about [CARD].")
    with pytest.raises(InvalidInputError, match="empty"):
        await desk_of(desk).note("acme", row.id, TOM, "  ")
    loaded = await desk.application.conversations.load("acme", desk.id, ANA, history=20)
    assert all("angry" not in line.text for line in loaded.history)


Step = Callable[[Bot, HandOffRow, str, Caller], Awaitable[Any]]
STEPS: dict[str, Step] = {
    "get": lambda bot, row, tenant, caller: desk_of(bot).get(tenant, row.id),
    "claim": lambda bot, row, tenant, caller: desk_of(bot).claim(tenant, row.id, caller),
    "say": lambda bot, row, tenant, caller: desk_of(bot).say(tenant, row.id, caller, "hello"),
    "suggest": lambda bot, row, tenant, caller: desk_of(bot).suggest(tenant, row.id, caller),
    "note": lambda bot, row, tenant, caller: desk_of(bot).note(tenant, row.id, caller, "hello"),
    "transfer": lambda bot, row, tenant, caller: desk_of(bot).transfer(tenant, row.id, caller),
    "release": lambda bot, row, tenant, caller: desk_of(bot).release(tenant, row.id, caller),
    "close": lambda bot, row, tenant, caller: desk_of(bot).close(tenant, row.id, caller),
    "take over": lambda bot, row, tenant, caller: desk_of(bot).take_over(tenant, bot.id, caller),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
async def test_agents_of_another_tenant_find_nothing(desk: Bot, step: Step) -> None:
    row = await queued(desk)
    with pytest.raises(NotFoundError):
        await step(desk, row, "other", EVA)
    assert await desk_of(desk).listed("other") == []
    assert (await desk_of(desk).get("acme", row.id)).version == row.version


@pytest.mark.parametrize("step", [step for name, step in STEPS.items() if name != "get"], ids=list(STEPS)[1:])
async def test_customers_do_nothing_of_it(desk: Bot, step: Step) -> None:
    row = await queued(desk)
    for caller in (ANA, BEN):
        with pytest.raises(AccessError):
            await step(desk, row, "acme", caller)
    assert (await desk_of(desk).get("acme", row.id)).version == row.version


async def test_a_customer_is_told_their_place_and_the_wait(on_each_store: Bot) -> None:
    await desk_of(on_each_store).see("acme", EVA)
    first = await desk_of(on_each_store).take_over("acme", await another(on_each_store, "carl"), EVA)
    assert first.status == "active"
    for user in ("dora", "emil"):
        await another(on_each_store, user)
    turn = await on_each_store.say("a person, please")

    assert (turn.place.position, turn.place.wait_s) == (3, 900.0)
    assert turn.reply.parts[-1] == "You are number 3 in the queue. It should take about 15 min."
    assert (await on_each_store.say("hello?")).place.position == 3
    row, place = await desk_of(on_each_store).find("acme", on_each_store.id)
    assert (row.user_id, place.position) == ("ana", 3)


async def test_who_would_not_wait_goes_on_with_the_bot(desk: Bot) -> None:
    await desk_of(desk).see("acme", EVA)
    turn = await desk.say("a person, please")
    (option,) = turn.reply.options
    back = await desk.say(option.title)

    assert (back.mode, back.speaker, back.reply.parts) == ("bot", "bot", ("You are talking to the bot again.",))
    assert (await desk.say("hello")).mode == "bot"
    (row,) = await desk_of(desk).listed("acme", status="closed")
    assert row.outcome == "withdrawn"


@pytest.mark.parametrize("text", ["bot", "Never mind, thanks!", "ok cancel please", "I don’t want to wait"])
async def test_who_waits_may_say_in_other_words_that_they_go_on(desk: Bot, text: str) -> None:
    await queued(desk)
    assert (await desk.say("can you cancel my order?")).mode == "queued"
    assert (await desk.say(text)).mode == "bot"


async def test_where_agents_are_there_but_none_takes_it_the_customer_waits_no_longer_than_is_set(
    desk: Bot, clock: FixedClock
) -> None:
    row = await queued(desk)
    clock.advance(3599)
    await desk_of(desk).see("acme", EVA)
    assert await desk_of(desk).sweep() == 0
    clock.advance(2)
    assert await desk_of(desk).sweep() == 1
    assert (await desk_of(desk).get("acme", row.id)).outcome == "nobody"
    assert (await desk.state()).mode == "bot"


async def test_an_order_number_is_no_address(desk: Bot, clock: FixedClock) -> None:
    row = await queued(desk)
    clock.advance(601)
    await desk_of(desk).sweep()
    assert (await desk.say("ok, then cancel order 12345678")).reply.parts == ("Ask me another.",)
    assert (await desk_of(desk).get("acme", row.id)).contact is None


def test_an_agent_is_not_shown_what_plugins_keep_for_themselves() -> None:
    slots = {"order_number": None, "order_number.earlier": ["123"], "aside/refund/email": "a@b.example", "amount": 9}
    assert summary_of(HandOffContext(question="hi", slots=slots), "").splitlines() == [
        "Customer: hi",
        "Why: no reason was given",
        "Known: amount 9",
    ]


async def test_an_agent_who_says_nothing_loses_the_conversation(on_each_store: Bot, clock: FixedClock) -> None:
    row = await queued(on_each_store)
    await desk_of(on_each_store).claim("acme", row.id, EVA)
    clock.advance(599)
    assert await desk_of(on_each_store).sweep() == 0
    await desk_of(on_each_store).say("acme", row.id, EVA, "One moment.")
    clock.advance(3600)
    assert await desk_of(on_each_store).sweep() == 0  # nothing is owed
    await on_each_store.say("are you there?")
    clock.advance(400)
    await on_each_store.say("hello?")
    clock.advance(201)
    await desk_of(on_each_store).see("acme", TOM)
    assert await desk_of(on_each_store).sweep() == 1

    back = await desk_of(on_each_store).get("acme", row.id)
    assert (back.status, back.agent_id) == ("queued", None)
    assert (await on_each_store.state()).mode == "queued"
    assert (await on_each_store.turns())[-1].reply["parts"] == [
        "Eva had to leave. The next colleague answers you here."
    ]
    assert await desk_of(on_each_store).sweep() == 0


async def test_where_nobody_is_there_the_bot_goes_on_or_takes_an_address(desk: Bot, clock: FixedClock) -> None:
    row = await queued(desk)
    clock.advance(599)
    assert await desk_of(desk).sweep() == 0
    clock.advance(2)
    assert await desk_of(desk).sweep() == 1
    told = (await desk.turns())[-1].reply
    assert [option["title"] for option in told["options"]] == ["Leave my address", "Go on with the bot"]
    asked = await desk.say("Leave my address")
    assert asked.reply.parts == ("At which e-mail address or phone number can we reach you?",)
    thanked = await desk.say("ana@shop.example", key="k1")

    assert thanked.reply.parts == ("Thank you, we'll get back to you. Is there anything else?",)
    again = await desk.say("ana@shop.example", key="k1")
    assert (again.mode, again.reply) == (thanked.mode, thanked.reply)
    ended = await desk_of(desk).get("acme", row.id)
    assert (ended.outcome, desk_of(desk).contact(ended)) == ("callback", "ana@shop.example")
    assert b"ana@shop" not in ended.contact
    assert (await desk.say("hello")).reply.parts == ("Ask me another.",)


async def test_after_nobody_came_the_bot_answers_whatever_is_said_next(desk: Bot, clock: FixedClock) -> None:
    await queued(desk)
    clock.advance(601)
    await desk_of(desk).sweep()
    assert (await desk.say("how are you?")).reply.parts == ("Ask me another.",)
    assert (await desk.state()).question is None


async def test_outside_of_the_opening_hours_nobody_waits(desk: Bot, clock: FixedClock) -> None:
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(clock().weekday() + 1) % 7]
    await desk.application.tenants.set_setting("acme", "help_desk.hours", [f"{day} 09:00-17:00"])
    turn = await desk.say("a person, please")

    assert (turn.mode, turn.action) == ("bot", "ask")
    assert "nobody is there" in turn.reply.parts[0]
    (row,) = await desk_of(desk).listed("acme", status="closed")
    assert (row.outcome, row.reason) == ("nobody", "asked for a person")


async def test_who_it_was_meant_for_does_not_take_it_so_it_is_for_all(desk: Bot, clock: FixedClock) -> None:
    row = await queued(desk)
    await desk_of(desk).see("acme", TOM)
    await desk_of(desk).claim("acme", row.id, EVA)
    await desk_of(desk).transfer("acme", row.id, EVA, to=TOM.id)
    clock.advance(601)
    assert await desk_of(desk).sweep() == 1
    assert (await desk_of(desk).get("acme", row.id)).for_agent is None
    assert (await desk_of(desk).claim("acme", row.id, EVA)).agent_name == "Eva"


async def test_what_waits_survives_the_end_of_the_process(bot_of: MakeBot) -> None:
    first = await bot_of(support=HelpDesk())
    row = await queued(first)
    second = await bot_of(again=first, support=HelpDesk())
    assert [one.id for one in await desk_of(second).listed("acme", status="queued")] == [row.id]
    await desk_of(second).claim("acme", row.id, EVA)
    assert (await second.state()).mode == "agent"


async def test_a_hand_off_goes_with_the_customer_who_is_erased(desk: Bot) -> None:
    row = await queued(desk)
    await desk_of(desk).note("acme", row.id, EVA, "Is angry.")
    await desk.application.eraser.erase("acme", "ana", by="admin")
    with pytest.raises(NotFoundError):
        await desk_of(desk).get("acme", row.id)
    assert await desk_of(desk).history("acme", row.id) == []


async def test_agents_who_gave_no_sign_of_life_are_not_there(desk: Bot, clock: FixedClock) -> None:
    await desk_of(desk).see("acme", EVA)
    await desk_of(desk).see("acme", TOM, state="away")
    there = {one.name: is_there for one, is_there in await desk_of(desk).agents("acme")}
    assert there == {"Eva": True, "Tom": False}
    clock.advance(91)
    await desk_of(desk).see("acme", TOM)
    assert not any(is_there for _, is_there in await desk_of(desk).agents("acme"))
    assert await desk_of(desk).agents("other") == []


async def test_watches_hear_of_each_change(desk: Bot) -> None:
    heard: list[DeskEvent] = []
    desk_of(desk).watches.append(heard.append)
    row = await queued(desk)
    await desk_of(desk).claim("acme", row.id, EVA)
    await desk_of(desk).say("acme", row.id, EVA, "Hello.")
    await desk_of(desk).close("acme", row.id, EVA)
    told = [(one.hand_off.status, isinstance(one.turn, Turn) and one.turn.speaker) for one in heard]
    assert told == [("active", "bot"), ("active", "agent"), ("closed", "bot")]
    assert {(one.tenant, one.conversation_id) for one in heard} == {("acme", desk.id)}


async def test_thumbs_down_are_counted_until_one_up(desk: Bot) -> None:
    async def thumb(value: int, caller: Caller = ANA) -> int:
        turn = await desk.say("hello")
        assert turn.decision_id is not None
        await desk.application.feedback.give("acme", caller, decision_id=turn.decision_id, kind="thumbs", value=value)
        return (await desk.state()).dislikes

    assert [await thumb(value) for value in (-1, -1, 1, -1)] == [1, 2, 0, 1]
    assert await thumb(-1, EVA) == 1
    await queued(desk)
    assert (await desk.state()).dislikes == 0


# --- learning ------------------------------------------------------------------------------------------------------

QUESTION = "how long does a refund take, person?"
ANSWER = "A refund takes five working days."


async def asks(bot: Bot, text: str) -> tuple[str, ...]:
    """What another customer is answered."""
    conversation = await bot.application.conversations.create("acme", BEN)
    turn = await bot.application.conversations.turn("acme", conversation, BEN, text)
    return turn.reply.parts


async def test_what_an_agent_answered_is_learned_when_the_matter_is_resolved(desk: Bot) -> None:
    row = await queued(desk)
    await desk_of(desk).claim("acme", row.id, EVA)
    await desk.say("how long does a refund take?")
    await desk_of(desk).say("acme", row.id, EVA, ANSWER)
    assert await asks(desk, "how long does a refund take?") == ("Ask me another.",)
    closed = await desk_of(desk).close("acme", row.id, EVA)
    assert closed.outcome == "resolved"
    assert await asks(desk, "how long does a refund take?") == (ANSWER,)
    assert await desk_of(desk).sweep() == 0


async def test_what_is_said_late_in_a_long_conversation_is_learned(
    desk: Bot, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rejoinder.handoff.teaching._MOST_TURNS", 4)
    for _ in range(5):
        await desk.say("hello there")
        clock.advance(60)
    row = await queued(desk)
    await desk.say("how long does a refund take?")
    await desk_of(desk).say("acme", row.id, EVA, ANSWER)
    await desk_of(desk).close("acme", row.id, EVA)
    assert await asks(desk, "how long does a refund take?") == (ANSWER,)


@pytest.mark.parametrize(
    ("resolved", "teach", "learn"), [(False, None, True), (True, False, True), (True, None, False), (True, True, False)]
)
async def test_what_is_not_to_be_learned_is_not(desk: Bot, resolved: bool, teach: bool | None, learn: bool) -> None:
    await desk.application.tenants.set_setting("acme", "help_desk.learn", learn)
    row = await queued(desk)
    await desk.say("how long does a refund take?")
    await desk_of(desk).say("acme", row.id, EVA, ANSWER, teach=teach)
    await desk_of(desk).close("acme", row.id, EVA, resolved=resolved)
    assert await asks(desk, "how long does a refund take?") == ("Ask me another.",)


async def test_a_customer_who_does_not_consent_teaches_nothing(desk: Bot) -> None:
    await desk.application.tenants.set_setting("acme", "privacy.consent", "required")
    row = await queued(desk)
    await desk.say("how long does a refund take?")
    await desk_of(desk).say("acme", row.id, EVA, ANSWER, teach=True)
    assert await asks(desk, "how long does a refund take?") == ("Ask me another.",)


async def test_what_an_agent_wants_to_be_learned_is_learned_at_once(desk: Bot) -> None:
    row = await queued(desk)
    await desk.say("how long does a refund take?")
    await desk_of(desk).say("acme", row.id, EVA, ANSWER, teach=True)
    assert await asks(desk, "how long does a refund take?") == (ANSWER,)


async def test_a_suggestion_is_what_the_bot_would_answer_and_its_edit_is_learned(desk: Bot) -> None:
    row = await queued(desk)
    await desk.say("how long does a refund take?")
    suggestion = await desk_of(desk).suggest("acme", row.id, EVA)
    assert (suggestion.question, suggestion.text) == ("how long does a refund take?", "Ask me another.")
    assert (suggestion.intent, suggestion.confidence) == ("refund", 0.8)
    assert (await desk.state()).mode == "queued"
    await desk_of(desk).say("acme", row.id, EVA, ANSWER, suggestion=suggestion.decision_id)
    assert await asks(desk, "how long does a refund take?") == (ANSWER,)


async def test_a_suggestion_for_another_customer_is_not_taken(desk: Bot) -> None:
    row = await queued(desk)
    conversation = await another(desk, "ben")
    other, _ = await desk_of(desk).find("acme", conversation)
    suggestion = await desk_of(desk).suggest("acme", other.id, EVA)
    with pytest.raises(NotFoundError, match="no suggestion"):
        await desk_of(desk).say("acme", row.id, EVA, ANSWER, suggestion=suggestion.decision_id)


async def test_what_was_not_learned_at_the_end_is_learned_later(
    desk: Bot, monkeypatch: pytest.MonkeyPatch, clock: FixedClock
) -> None:
    """The process ended right after the hand-off did."""
    row = await queued(desk)
    await desk.say("how long does a refund take?")
    await desk_of(desk).say("acme", row.id, EVA, ANSWER)

    async def lost(_: HandOffRow) -> None:
        """Nothing."""

    with monkeypatch.context() as patch:
        patch.setattr(desk_of(desk)._teacher, "resolved", lost)
        await desk_of(desk).close("acme", row.id, EVA)
    clock.advance(timedelta(seconds=5).total_seconds())
    await desk_of(desk).sweep()
    assert await asks(desk, "how long does a refund take?") == (ANSWER,)
