"""One turn: what goes in, what comes out, and what is stored."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from rejoinder import hookimpl
from rejoinder.context import Context
from rejoinder.conversation import APOLOGY
from rejoinder.errors import ConflictError, EncoderBusyError, InvalidInputError, NotFoundError
from rejoinder.payloads import (
    Action,
    Answer,
    Citation,
    ConversationState,
    Effect,
    EffectResult,
    Message,
    Query,
    Question,
    Reading,
    Reply,
    Understanding,
)
from rejoinder.store.conversations import update_state
from rejoinder.testing import EchoPlugin, FixedClock, HashEncoder

from tests.support.application import ADMIN, AGENT, ANA, BEN, opened
from tests.unit.conversation.conftest import Bot, MakeBot


async def test_a_message_is_answered_and_stored(bot_of: MakeBot, store: dict[str, Any]) -> None:
    bot = await bot_of(options=store)
    turn = await bot.say("hello")

    assert (turn.number, turn.text, turn.reply.parts) == (1, "hello", ("hello",))
    assert (turn.action, turn.label, turn.confidence) == ("answer", "echo", 0.5)
    assert (turn.mode, turn.speaker, turn.conversation_id) == ("bot", "bot", bot.id)
    (stored,) = await bot.turns()
    assert (stored.id, stored.user_text, stored.action) == (turn.id, "hello", "answer")
    assert stored.reply is not None
    assert stored.reply["parts"] == ["hello"]
    assert (await bot.state()).version == 1


async def test_plugins_see_what_was_said_before(bot_of: MakeBot) -> None:
    class Remembers:
        seen: tuple[str, ...] = ()

        @hookimpl()
        async def understand_intent(self, context: Context) -> None:
            Remembers.seen = tuple(f"{line.speaker}: {line.text}" for line in context.history)

    bot = await bot_of(remembers=Remembers())
    await bot.say("one")
    await bot.say("two")

    assert Remembers.seen == ("user: one", "bot: one")


@pytest.mark.parametrize(("text", "answered"), [("hello", True), ("unheard-of", False)])
async def test_a_turn_says_whether_an_answer_was_found(bot_of: MakeBot, text: str, answered: bool) -> None:
    class Ranks:
        @hookimpl()
        async def rank_answers(self, query: Query, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
            return answers if query.text == "hello" else ()

    bot = await bot_of(ranks=Ranks())
    turn = await bot.say(text, key="k1")

    assert (turn.answered, turn.label) == (answered, "echo")
    assert (await bot.say(text, key="k1")).answered == answered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("x" * 8001, "8001 characters, at most 8000"),
        ("a\x00b", "NUL"),
        ("a\ud800b", "not valid Unicode at character 1"),
    ],
    ids=["empty", "blank", "long", "nul", "surrogate"],
)
async def test_a_text_that_cannot_be_used_is_refused_and_changes_nothing(bot: Bot, text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        await bot.say(text)

    assert await bot.turns() == []
    assert (await bot.state()).version == 0


async def test_the_longest_text_is_taken(bot: Bot) -> None:
    assert (await bot.say("x" * 8000)).number == 1


# --- who may -------------------------------------------------------------------------------------------------------


async def missing_text(bot: Bot) -> str:
    with pytest.raises(NotFoundError) as caught:
        await bot.application.conversations.turn("acme", "conv_none", ANA, "hello")
    return str(caught.value)


async def test_another_users_conversation_is_as_if_it_were_not_there(bot: Bot) -> None:
    with pytest.raises(NotFoundError) as caught:
        await bot.say("hello", caller=BEN)

    assert str(caught.value).replace(bot.id, "conv_none") == await missing_text(bot)
    assert await bot.turns() == []


async def test_another_tenants_conversation_is_as_if_it_were_not_there(bot: Bot) -> None:
    with pytest.raises(NotFoundError) as caught:
        await bot.application.conversations.turn("other", bot.id, replace(ANA, role="admin"), "hello")

    assert str(caught.value).replace(bot.id, "conv_none") == await missing_text(bot)
    assert await bot.turns() == []


async def test_a_stranger_may_not_load_a_conversation(bot: Bot) -> None:
    with pytest.raises(NotFoundError):
        await bot.application.conversations.load("acme", bot.id, BEN)


@pytest.mark.parametrize("caller", [ANA, AGENT, ADMIN], ids=["owner", "agent", "admin"])
async def test_owner_agent_and_admin_may_load_a_conversation(bot: Bot, caller: Any) -> None:
    await bot.say("hello")

    loaded = await bot.application.conversations.load("acme", bot.id, caller, history=5)

    assert [line.text for line in loaded.history] == ["hello", "hello"]


async def test_a_tenant_that_is_not_there_has_no_conversation(bot: Bot) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await bot.application.conversations.create("nobody", ANA)


# --- the same message again ----------------------------------------------------------------------------------------


class Counting:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    @hookimpl()
    async def understand_intent(self) -> None:
        self.calls += 1


async def test_the_same_key_and_text_give_the_same_turn_and_change_nothing(bot_of: MakeBot) -> None:
    counting = Counting()
    bot = await bot_of(counting=counting)
    first = await bot.say("hello", key="k1")

    assert await bot.say("hello", key="k1") == first
    assert counting.calls == 1
    assert len(await bot.turns()) == 1
    assert (await bot.state()).version == 1


async def test_the_same_key_gives_the_same_turn_after_a_restart(bot_of: MakeBot, store: dict[str, Any]) -> None:
    bot = await bot_of(options=store)
    first = await bot.say("hello", key="k1")
    await bot.say("more")

    again = await bot_of(again=bot, options=store)

    assert await again.say("hello", key="k1") == first
    assert len(await again.turns()) == 2


async def test_the_same_key_with_another_text_is_a_conflict(bot: Bot) -> None:
    await bot.say("hello", key="k1")

    with pytest.raises(ConflictError, match="used for another text"):
        await bot.say("something else", key="k1")
    assert len(await bot.turns()) == 1


async def test_a_key_is_good_for_one_conversation(bot: Bot) -> None:
    await bot.say("hello", key="k1")
    second = Bot(bot.application, bot.folder, await bot.application.conversations.create("acme", ANA))

    assert (await second.say("other", key="k1")).reply.parts == ("other",)


async def test_the_same_key_at_the_same_time_in_two_processes_is_one_turn(
    bot_of: MakeBot, store: dict[str, Any]
) -> None:
    """Two applications over one store, whose locks know nothing of one another."""
    bot = await bot_of(options=store)
    async with opened(bot.folder, {"echo": EchoPlugin()}, tenants=(), **store) as second:
        other = Bot(second, bot.folder, bot.id)
        turns = await asyncio.gather(*(one.say("hello", key="k1") for one in (bot, other) * 2))

    assert len({turn.id for turn in turns}) == 1
    assert len(await bot.turns()) == 1


async def test_the_same_key_at_the_same_time_is_one_turn(bot: Bot) -> None:
    turns = await asyncio.gather(*(bot.say("hello", key="k1") for _ in range(5)))

    assert len({turn.id for turn in turns}) == 1
    assert len(await bot.turns()) == 1


@pytest.mark.parametrize("mode", ["queued", "agent"])
async def test_a_repeated_message_to_a_person_gives_the_same_turn(bot: Bot, mode: Any) -> None:
    await update_state(bot.application.database, "acme", bot.id, expected_version=0, state=ConversationState(mode=mode))
    first = await bot.say("are you there", key="k1")

    assert first.mode == mode
    assert await bot.say("are you there", key="k1") == first


async def test_a_repeated_message_that_got_no_answer_gives_the_same_turn(bot_of: MakeBot) -> None:
    class Silent:
        @hookimpl()
        async def decide_action(self, state: ConversationState) -> Action:
            return Action(kind="silent", state=state)

        @hookimpl()
        async def compose_reply(self) -> Reply:
            return Reply(parts=())

    bot = await bot_of(silent=Silent())
    first = await bot.say("hm", key="k1")

    assert (first.mode, first.speaker, first.reply.parts) == ("bot", "none", ())
    assert await bot.say("hm", key="k1") == first


# --- at the same time ----------------------------------------------------------------------------------------------


async def test_messages_at_once_are_answered_one_after_the_other(bot_of: MakeBot) -> None:
    class Slow:
        now = most = 0

        @hookimpl()
        async def understand_intent(self) -> None:
            Slow.now += 1
            Slow.most = max(Slow.most, Slow.now)
            await asyncio.sleep(0.02)
            Slow.now -= 1

    bot = await bot_of(slow=Slow())
    turns = await asyncio.gather(bot.say("one"), bot.say("two"), bot.say("three"))

    assert [turn.number for turn in turns] == [1, 2, 3]
    assert Slow.most == 1
    assert [turn.user_text for turn in await bot.turns()] == ["one", "two", "three"]


async def test_other_conversations_do_not_wait(bot_of: MakeBot) -> None:
    both = asyncio.Barrier(2)

    class Meets:
        @hookimpl()
        async def understand_intent(self) -> None:
            await asyncio.wait_for(both.wait(), 2)

    bot = await bot_of(meets=Meets())
    second = Bot(bot.application, bot.folder, await bot.application.conversations.create("acme", ANA))
    await asyncio.gather(bot.say("one"), second.say("two"))

    assert not [call for call in await bot.trace() if call["outcome"] == "error"]


class Meddles:
    """Changes the state in the store, as another process would, between load and record; plans an effect."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.bot: Bot | None = None
        self.keys: list[str] = []
        self.misses: list[int] = []

    @hookimpl()
    async def decide_action(self, message: Message, state: ConversationState) -> Action:
        self.misses.append(state.misses)
        if self.times:
            self.times -= 1
            assert self.bot is not None
            changed = replace(state, misses=state.misses + 1)
            database = self.bot.application.database
            await update_state(database, "acme", self.bot.id, expected_version=state.version, state=changed)
        effects = (Effect(name="ring", plugin="meddles"),)
        return Action(kind="answer", state=state, effects=effects, query=Query(text=message.text))

    @hookimpl()
    async def run_effect(self, effect: Effect) -> EffectResult:
        self.keys.append(effect.key)
        return EffectResult(name=effect.name, ok=True)


@pytest.mark.parametrize("key", [None, "k1"], ids=["no-key", "key"])
async def test_a_turn_that_was_overtaken_is_repeated_on_the_new_state(
    bot_of: MakeBot, store: dict[str, Any], key: str | None
) -> None:
    meddles = Meddles(times=1)
    meddles.bot = bot = await bot_of(meddles=meddles, options=store)
    turn = await bot.say("hello", key=key)

    assert turn.number == 1
    assert meddles.misses == [0, 1]
    assert len(await bot.turns()) == 1
    assert (await bot.state()).version == 2


@pytest.mark.parametrize("key", [None, "k1"], ids=["no-key", "key"])
async def test_the_effects_of_a_repeated_turn_keep_their_key(bot_of: MakeBot, key: str | None) -> None:
    meddles = Meddles(times=1)
    meddles.bot = bot = await bot_of(meddles=meddles)
    await bot.say("hello", key=key)

    assert len(meddles.keys) == 2
    assert len(set(meddles.keys)) == 1


async def test_a_turn_that_is_overtaken_again_and_again_is_a_conflict(bot_of: MakeBot) -> None:
    meddles = Meddles(times=99)
    meddles.bot = bot = await bot_of(meddles=meddles)

    with pytest.raises(ConflictError):
        await bot.say("hello")
    assert await bot.turns() == []


# --- plugins that fail ---------------------------------------------------------------------------------------------

HOOKS = ("understand_intent", "decide_action", "retrieve_answers", "rank_answers", "compose_reply")


def faulty(hook: str, fault: str) -> object:
    """Return a plugin that stands first, and fails in one hook in one way."""

    async def implementation(self: object) -> Any:
        if fault == "raises":
            raise RuntimeError("broken on purpose")
        if fault == "hangs":
            await asyncio.sleep(60)
        return 42

    implementation.__name__ = hook
    return type("Faulty", (), {hook: hookimpl(tryfirst=True)(implementation)})()


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("fault", "outcome"), [("raises", "error"), ("hangs", "timeout"), ("wrong type", "wrong_result")]
)
async def test_a_plugin_that_fails_is_left_out_and_named_on_the_trace(
    bot_of: MakeBot, hook: str, fault: str, outcome: str
) -> None:
    options = {"host_options": {"deadlines_s": {hook: 0.2}}}
    bot = await bot_of(faulty=faulty(hook, fault), options=options)

    turn = await bot.say("hello")

    assert turn.reply.parts == ("hello",)
    failed = [call for call in await bot.trace() if call["plugin"] == "faulty"]
    assert [(call["hook"], call["outcome"]) for call in failed] == [(hook, outcome)]
    assert "'faulty'" in failed[0]["detail"]
    assert hook in failed[0]["detail"]


async def test_without_a_decision_the_bot_apologises(bot_of: MakeBot) -> None:
    bot = await bot_of(echo=False)
    turn = await bot.say("hello")

    assert turn.reply.parts == (APOLOGY,)
    assert turn.action == "ask"


async def test_when_all_plugins_fail_the_bot_apologises(bot_of: MakeBot) -> None:
    bot = await bot_of(echo=False, **{hook: faulty(hook, "raises") for hook in HOOKS})

    assert (await bot.say("hello")).reply.parts == (APOLOGY,)


async def test_without_a_composer_the_actions_text_is_said(bot_of: MakeBot) -> None:
    class Asks:
        @hookimpl()
        async def decide_action(self, state: ConversationState) -> Action:
            return Action(kind="ask", state=state, text="Which one?")

    assert (await (await bot_of(echo=False, asks=Asks())).say("hello")).reply.parts == ("Which one?",)


async def test_the_trace_tells_who_was_called(bot: Bot) -> None:
    await bot.say("hello")

    assert [(call["hook"], call["plugin"], call["outcome"]) for call in await bot.trace()] == [
        ("understand_intent", "echo", "result"),
        ("decide_action", "echo", "result"),
        ("retrieve_answers", "echo", "result"),
        ("compose_reply", "echo", "result"),
    ]


# --- replies in parts ----------------------------------------------------------------------------------------------


class Streams:
    """Says parts; at an exception it raises it."""

    def __init__(self, *parts: str | Exception) -> None:
        self.parts = parts

    @hookimpl()
    async def compose_reply(self) -> Any:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part


async def test_a_reply_in_parts_comes_part_by_part_and_is_stored_whole(bot_of: MakeBot) -> None:
    bot = await bot_of(streams=Streams("one ", "two ", "three"))
    parts, turn = await bot.stream("hello")

    assert parts == ["one ", "two ", "three"]
    assert turn.reply.parts == ("one ", "two ", "three")
    (stored,) = await bot.turns()
    assert stored.reply is not None
    assert stored.reply["parts"] == parts


async def test_a_reply_that_breaks_off_keeps_what_came(bot_of: MakeBot) -> None:
    bot = await bot_of(streams=Streams("one ", RuntimeError("broken on purpose"), "three"))
    parts, turn = await bot.stream("hello")

    assert parts == ["one "]
    assert turn.reply.parts == ("one ",)
    failed = [call for call in await bot.trace() if call["outcome"] == "error"]
    assert [(call["hook"], call["plugin"]) for call in failed] == [("compose_reply", "streams")]


async def test_a_reply_that_breaks_before_its_first_part_is_an_apology(bot_of: MakeBot) -> None:
    bot = await bot_of(streams=Streams(RuntimeError("broken on purpose")))
    parts, turn = await bot.stream("hello")

    assert parts == []
    assert turn.reply.parts == (APOLOGY,)


async def test_a_reply_in_parts_is_given_whole_to_who_does_not_stream(bot_of: MakeBot) -> None:
    bot = await bot_of(streams=Streams("one ", "two"))

    assert (await bot.say("hello")).reply.parts == ("one ", "two")
    assert (await bot.say("again")).number == 2


# --- found or not --------------------------------------------------------------------------------------------------


class Knows:
    """Answers what it knows, by text."""

    def __init__(self, *answers: Answer, question: Question | None = None) -> None:
        self.answers = answers
        self.question = question

    @hookimpl()
    async def decide_action(self, message: Message, state: ConversationState) -> Action:
        return Action(kind="answer", state=replace(state, question=self.question), query=Query(text=message.text))

    @hookimpl()
    async def retrieve_answers(self, query: Query) -> tuple[Answer, ...]:
        return self.answers if query.text == "known" else ()

    @hookimpl()
    async def compose_reply(self, answers: tuple[Answer, ...]) -> Reply:
        return Reply(parts=tuple(answer.text or "" for answer in answers) or ("I don't know.",))


ANSWER = Answer(id="a1", score=0.9, source="knows", text="Yes.")


async def test_an_answer_that_was_not_found_is_counted_and_a_person_may_be_offered(bot_of: MakeBot) -> None:
    bot = await bot_of(echo=False, knows=Knows(ANSWER))
    await bot.say("unknown")
    await bot.say("unknown too")

    state = await bot.state()
    assert state.misses == 2
    assert state.question == Question(kind="hand_off", about="unknown too")


async def test_a_found_answer_ends_the_misses(bot_of: MakeBot) -> None:
    bot = await bot_of(echo=False, knows=Knows(ANSWER))
    await bot.say("unknown")
    await bot.say("known")

    state = await bot.state()
    assert (state.misses, state.question) == (0, None)


async def test_a_question_of_the_plugin_is_kept_when_nothing_was_found(bot_of: MakeBot) -> None:
    own = Question(kind="confirm", about="this")
    bot = await bot_of(echo=False, knows=Knows(ANSWER, question=own))
    await bot.say("unknown")

    assert (await bot.state()).question == own


# --- effects -------------------------------------------------------------------------------------------------------


class Acts:
    """Plans effects by name, runs them, and says what came of them."""

    def __init__(self, *names: str, fails: str = "") -> None:
        self.names = names
        self.fails = fails
        self.done: list[tuple[str, str]] = []

    @hookimpl()
    async def decide_action(self, state: ConversationState) -> Action:
        effects = tuple(Effect(name=name, plugin="acts") for name in self.names)
        return Action(kind="flow", state=state, effects=effects)

    @hookimpl()
    async def run_effect(self, effect: Effect) -> EffectResult:
        self.done.append((effect.name, effect.key))
        if effect.name == self.fails:
            raise RuntimeError("broken on purpose")
        return EffectResult(name=effect.name, ok=True, value=f"{effect.name} done")

    @hookimpl()
    async def compose_reply(self, state: ConversationState) -> Reply:
        return Reply(parts=tuple(f"{one.name}: {one.value if one.ok else 'failed'}" for one in state.effects))


async def test_effects_run_once_in_order_before_the_reply_is_composed(bot_of: MakeBot) -> None:
    acts = Acts("lock", "order", "notify")
    bot = await bot_of(echo=False, acts=acts)
    turn = await bot.say("do it")

    assert [name for name, _ in acts.done] == ["lock", "order", "notify"]
    assert turn.reply.parts == ("lock: lock done", "order: order done", "notify: notify done")


async def test_each_effect_of_each_turn_has_a_key_of_its_own(bot_of: MakeBot) -> None:
    acts = Acts("lock", "lock")
    bot = await bot_of(echo=False, acts=acts)
    await bot.say("do it")
    await bot.say("do it")

    assert len({key for _, key in acts.done}) == 4


async def test_the_effects_of_a_repeated_message_do_not_run_again(bot_of: MakeBot) -> None:
    acts = Acts("lock")
    bot = await bot_of(echo=False, acts=acts)
    await bot.say("do it", key="k1")
    await bot.say("do it", key="k1")

    assert len(acts.done) == 1


async def test_an_effect_that_fails_is_a_result_and_the_turn_goes_on(bot_of: MakeBot) -> None:
    acts = Acts("lock", "order", fails="lock")
    bot = await bot_of(echo=False, acts=acts)
    turn = await bot.say("do it")

    assert turn.reply.parts == ("lock: failed", "order: order done")
    failed = (await bot.state()).effects[0]
    assert not failed.ok
    assert "broken on purpose" in (failed.error or "")


async def test_the_effects_of_the_turn_before_are_not_taken_for_this_ones(bot_of: MakeBot) -> None:
    acts = Acts("lock")
    bot = await bot_of(echo=False, acts=acts)
    await bot.say("do it")
    acts.names = ()

    assert (await bot.say("and now")).reply.parts == ()


# --- what was decided ----------------------------------------------------------------------------------------------


async def test_the_decision_names_what_could_have_been_shown_and_what_was(bot_of: MakeBot, clock: FixedClock) -> None:
    other = Answer(id="a2", score=0.4, source="knows", text="Perhaps.", intent="maybe")
    chosen = replace(ANSWER, intent="sure", citations=(Citation(source="book"),))
    bot = await bot_of(echo=False, knows=Knows(other, chosen))
    turn = await bot.say("known")
    decision = await bot.decision(turn)

    assert (decision.kind, decision.task, decision.input) == ("turn", "intent", "known")
    assert (decision.user_id, decision.at) == ("ana", clock.now)
    assert [(one.id, one.score, one.label) for one in decision.candidates] == [
        ("a1", 0.9, "sure"),
        ("a2", 0.4, "maybe"),
    ]
    assert (decision.chosen, decision.label, decision.answer) == (("a1",), "sure", "Yes.")


async def test_where_nothing_was_found_the_candidates_are_the_readings(bot_of: MakeBot) -> None:
    class Reads:
        @hookimpl()
        async def understand_intent(self) -> Understanding:
            return Understanding(readings=(Reading(intent="a", confidence=0.6), Reading(intent="b", confidence=0.3)))

    bot = await bot_of(echo=False, knows=Knows(ANSWER), reads=Reads())
    decision = await bot.decision(await bot.say("unknown"))

    assert [(one.id, one.score) for one in decision.candidates] == [("a", 0.6), ("b", 0.3)]
    assert (decision.chosen, decision.label, decision.confidence, decision.answer) == ((), "a", 0.6, None)


@pytest.mark.parametrize(("kind", "in_scope", "label"), [("ask", None, "a"), ("say", None, None), ("ask", 0.2, None)])
async def test_small_talk_and_what_is_out_of_scope_count_as_no_intent(
    bot_of: MakeBot, kind: Any, in_scope: float | None, label: str | None
) -> None:
    class Talks:
        @hookimpl()
        async def understand_intent(self) -> Understanding:
            greeting = Reading(intent="greeting", confidence=1.0, task="small_talk")
            return Understanding(readings=(greeting, Reading(intent="a", confidence=0.6)), in_scope=in_scope)

        @hookimpl(tryfirst=True)
        async def decide_action(self, state: ConversationState) -> Action:
            return Action(kind=kind, state=state, text="Hello!")

    bot = await bot_of(echo=False, talks=Talks())
    decision = await bot.decision(await bot.say("hello"))
    assert (decision.label, [one.id for one in decision.candidates]) == (label, ["a"])


async def test_an_answer_of_no_intent_is_not_told_as_the_likeliest_reading(bot_of: MakeBot) -> None:
    class Reads:
        @hookimpl()
        async def understand_intent(self) -> Understanding:
            return Understanding(readings=(Reading(intent="a", confidence=0.6),))

    bot = await bot_of(echo=False, knows=Knows(replace(ANSWER, intent=None)), reads=Reads())
    turn = await bot.say("known")
    decision = await bot.decision(turn)

    assert (turn.answered, turn.label, turn.confidence) == (True, None, None)
    assert (decision.chosen, decision.label, decision.confidence, decision.answer) == (("a1",), None, None, "Yes.")


async def test_after_a_clarification_the_decision_is_about_the_first_text(bot_of: MakeBot) -> None:
    class Clarifies:
        @hookimpl()
        async def decide_action(self, message: Message, state: ConversationState) -> Action:
            if state.question is None:
                asked = replace(state, question=Question(kind="clarify", about=message.text))
                return Action(kind="ask", state=asked, text="Which?")
            query = Query(text=state.question.about)
            return Action(kind="answer", state=replace(state, question=None), query=query)

    bot = await bot_of(clarifies=Clarifies())
    await bot.say("it does not work")
    turn = await bot.say("2")

    assert turn.text == "2"
    assert (await bot.decision(turn)).input == "it does not work"


# --- when too much waits -------------------------------------------------------------------------------------------


class Encodes:
    """Asks for a vector in one hook."""

    def __init__(self, hook: str) -> None:
        self.hook = hook

    @hookimpl()
    async def understand_intent(self, message: Message, context: Context) -> None:
        if self.hook == "understand_intent":
            await context.models.encode(message.text)

    @hookimpl()
    async def decide_action(self, message: Message, context: Context) -> None:
        if self.hook == "decide_action":
            await context.models.encode(message.text)

    @hookimpl()
    async def retrieve_answers(self, query: Query, context: Context) -> list[Answer]:
        if self.hook == "retrieve_answers":
            await context.models.encode(query.text or "")
        return []


class StandsStill(HashEncoder):
    """Encodes nothing before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.began = threading.Event()

    def encode(self, texts: Sequence[str]) -> Any:
        self.began.set()
        assert self.may.wait(10)
        return super().encode(texts)


@pytest.mark.parametrize("hook", ["understand_intent", "decide_action", "retrieve_answers"])
async def test_a_full_encoder_is_told_and_nothing_is_stored(bot_of: MakeBot, hook: str) -> None:
    model = StandsStill()
    bot = await bot_of(encodes=Encodes(hook), options={"model": model, "encoder": {"max_queue": 1}})
    running = asyncio.create_task(bot.application.encoder.encode("one"))
    await asyncio.to_thread(model.began.wait, 10)
    waiting = asyncio.create_task(bot.application.encoder.encode("two"))
    await asyncio.sleep(0)

    with pytest.raises(EncoderBusyError) as caught:
        await bot.say("hello")
    model.may.set()
    await asyncio.gather(running, waiting)

    assert caught.value.retry_after_s > 0
    assert await bot.turns() == []
    assert (await bot.say("hello")).number == 1
