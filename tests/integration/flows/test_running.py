"""Flows in the real application: what a turn keeps, hides, repeats and never mixes up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rejoinder.application import Application
from rejoinder.conversation import Turn
from rejoinder.handoff.settings import HelpDeskSettings
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Answer, Caller, Domain, Query, Reading, Slot, Understanding
from rejoinder.reports.figures import report_of
from rejoinder.store.decisions import get_decision
from rejoinder.store.reports import report_rows
from rejoinder.testing import FixedClock
from rejoinder.testing.dialogues.pretended_api import ApiServer, api_server
from rejoinder.testing.dialogues.script import ApiAnswer, ApiRoute
from rejoinder_plugins.dialogue import DialoguePlugin
from rejoinder_plugins.flows import FlowsPlugin
from rejoinder_plugins.redaction import RedactionPlugin

from tests.support.application import ADMIN, ANA, file_bytes, opened

NOW = FixedClock()()
SEND = {
    "title": "sending something",
    "start": {"intents": ["send"], "phrases": ["send it"]},
    "slots": {
        "email": {"type": "email", "title": "e-mail address", "sensitive": True},
        "note": {"type": "text", "title": "note"},
    },
    "steps": [
        {"ask": "email", "text": "To which address?"},
        {"ask": "note", "text": "What shall it say?"},
        {"confirm": "Send {note} to {email}?", "no": "end"},
        {"call": "POST /mails", "body": {"to": "{email}", "note": "{note}"}, "save": {"id": "/id"}},
        {"end": "Sent to {email} as {id}."},
    ],
}
CODE = {
    "title": "taking a code",
    "start": {"phrases": ["code please"]},
    "slots": {"code": {"type": "code", "title": "code", "forms": ["@@-####-@"], "sensitive": True}},
    "steps": [{"ask": "code", "text": "Which code?"}, {"end": "{code}, thank you."}],
}
ASK = {
    "title": "asking for a number",
    "start": {"phrases": ["number please"]},
    "slots": {"order": {"type": "order_number", "title": "order number", "keep": True}},
    "steps": [{"ask": "order", "text": "Which number?"}, {"end": "It is {order}."}],
}


DAY = {
    "title": "booking a day",
    "start": {"phrases": ["book a day"]},
    "slots": {"day": {"type": "date", "title": "day"}},
    "steps": [{"ask": "day", "text": "Which day?"}, {"end": "It is {day}."}],
}


class Shop:
    """Knows opening hours, and reads the intent of a message that names it."""

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        return [Domain(name="shop", intents={"send": "Sending", "hours": "Opening hours"})]

    @hookimpl()
    async def understand_intent(self, message: Any) -> Understanding | None:
        named = [one for one in ("send", "hours") if one in message.text]
        read = message.text.partition("reads ")[2]
        return Understanding(
            readings=tuple(Reading(intent=one, confidence=0.9) for one in named[:1]),
            slots=(Slot(name="order", value=read),) if read else (),
        )

    @hookimpl()
    async def retrieve_answers(self, query: Query) -> list[Answer]:
        about = [one for one in query.intents if one.intent == "hours"]
        return [Answer(id="hours", score=0.9, source="shop", text="We open at nine.", intent="hours")] if about else []


class Conversation:
    def __init__(self, app: Application, tenant: str, conversation_id: str) -> None:
        self.app, self.tenant, self.id = app, tenant, conversation_id

    async def say(self, text: str, key: str | None = None) -> Turn:
        return await self.app.conversations.turn(self.tenant, self.id, ANA, text, idempotency_key=key)

    async def hears(self, text: str) -> str:
        return "\n".join((await self.say(text)).reply.parts)

    async def state(self) -> Any:
        return (await self.app.conversations.load(self.tenant, self.id, ANA)).state


@asynccontextmanager
async def shop(folder: Path, api: ApiServer | None = None, **settings: Any) -> AsyncIterator[Application]:
    plugins = {
        "shop": Shop(),
        "flows": FlowsPlugin(),
        "dialogue": DialoguePlugin(),
        "redaction": RedactionPlugin(),
    }
    async with opened(
        folder, plugins, tenants=("acme", "other"), clock=FixedClock(), security={"api_hosts": ("127.0.0.1",)}
    ) as app:
        known = {"definitions": {"send": SEND, "ask": ASK}, "api": {"url": api.url if api else None, "retries": 0}}
        await app.tenants.set_setting("acme", "flows.definitions", known["definitions"])
        if api is not None:
            await app.tenants.set_setting("acme", "flows.api.url", api.url)
        for name, value in settings.items():
            await app.tenants.set_setting("acme", f"flows.{name}", value)
        yield app


@pytest.fixture
async def app(tmp_path: Path, api: ApiServer) -> AsyncIterator[Application]:
    async with shop(tmp_path, api) as made:
        yield made


@pytest.fixture
def api() -> Any:
    with api_server([ApiRoute(request="POST /mails", answers=(ApiAnswer(body={"id": "M-1"}),))]) as server:
        yield server


Begin = Callable[..., Any]


@pytest.fixture
def begin(app: Application) -> Begin:
    async def made(tenant: str = "acme") -> Conversation:
        return Conversation(app, tenant, await app.conversations.create(tenant, ANA))

    return made


async def test_a_secret_value_reaches_the_api_and_never_the_store(
    app: Application, begin: Begin, api: ApiServer, tmp_path: Path
) -> None:
    talk = await begin()
    log = api.new_log()
    assert await talk.hears("send it to ana.lovelace@example.com") == "What shall it say?"
    assert (await talk.state()).slots["email"].value != "ana.lovelace@example.com"
    assert await talk.hears("hello there") == "Send hello there to ana.lovelace@example.com?"
    assert await talk.hears("yes") == "Sent to ana.lovelace@example.com as M-1."
    assert log.received[0].body == {"to": "ana.lovelace@example.com", "note": "hello there"}
    assert b"ana.lovelace@example.com" not in file_bytes(tmp_path)
    assert (await talk.state()).slots == {}, "what is not kept is forgotten with the flow"


async def test_what_is_said_to_a_sensitive_slot_is_stored_without_it(
    app: Application, begin: Begin, tmp_path: Path
) -> None:
    """Redaction knows nothing of it, however it is written."""
    await app.tenants.set_setting("acme", "flows.definitions", {"code": CODE})
    talk = await begin()
    await talk.say("my code please")
    told = await talk.say("it is xq-7713-k")
    assert told.reply.parts == ("XQ-7713-K, thank you.",)
    assert told.text == "it is [HIDDEN]"
    assert told.decision_id is not None
    assert (await get_decision(app.database, "acme", told.decision_id)).input == "it is [HIDDEN]"
    assert b"7713" not in file_bytes(tmp_path)


async def test_a_message_repeated_with_its_key_does_nothing_twice(begin: Begin, api: ApiServer) -> None:
    talk = await begin()
    log = api.new_log()
    await talk.say("send it to a@example.com")
    await talk.say("hello")
    first = await talk.say("yes", key="k1")
    again = await talk.say("yes", key="k1")
    assert again.id == first.id
    assert again.reply.parts == ("Sent to [HIDDEN] as M-1.",), "as it was stored"
    assert len(log.received) == 1


async def test_a_question_in_between_is_answered_and_the_flow_asks_again(begin: Begin) -> None:
    talk = await begin()
    await talk.say("send it")
    turn = await talk.say("what are your hours?")
    assert turn.reply.parts == ("We open at nine.", "To which address?")
    assert turn.action == "answer"
    turn = await talk.say("what is the meaning of life?")
    assert turn.reply.parts[-1] == "To which address?"
    assert turn.reply.options == (), "no person is offered in the middle of a flow"
    assert await talk.hears("a@example.com") == "What shall it say?"
    assert "What shall it say?" in await talk.hears("what are your hours?"), (
        "any words could be the note, but a question is none"
    )
    assert await talk.hears("what we said") == "Send what we said to a@example.com?"


async def test_a_flow_in_a_flow_and_back_with_what_each_knows(begin: Begin) -> None:
    talk = await begin()
    await talk.say("send it to a@example.com")
    assert await talk.hears("number please?") == "Which number?"
    aside = (await talk.state()).slots
    assert [name for name in aside if name.startswith("aside/")] == ["aside/send/email"]
    assert await talk.hears("12345") == "It is 12345.\nBack to this: sending something.\nWhat shall it say?"
    assert await talk.hears("hi") == "Send hi to a@example.com?"
    assert (await talk.state()).slots["order"].value == "12345"


async def test_words_of_another_flow_with_a_value_begin_it_and_are_no_answer(begin: Begin) -> None:
    talk = await begin()
    await talk.say("send it to a@example.com")
    await talk.say("hello")
    assert await talk.hears("actually number please, order 12345") == (
        "It is 12345.\nBack to this: sending something.\nSend hello to a@example.com?"
    )


async def test_a_bare_value_at_a_yes_or_no_question_corrects(begin: Begin) -> None:
    talk = await begin()
    await talk.say("send it to a@example.com")
    await talk.say("hello")
    assert await talk.hears("b@example.com") == (
        "All right, e-mail address: b@example.com.\nSend hello to b@example.com?"
    )
    assert await talk.hears("hm") == "Please answer with yes or no.\nSend hello to b@example.com?"


async def test_what_another_plugin_read_fills_a_slot_only_where_it_fits(begin: Begin) -> None:
    talk = await begin()
    assert await talk.hears("number please, reads nonsense") == "Which number?"
    assert await talk.hears("reads 4711") == "It is 4711."
    assert await talk.hears("number please") == "It is 4711.", "what is kept needs no asking"


async def test_a_person_who_spoke_in_between_ends_the_flow(app: Application, begin: Begin) -> None:
    talk = await begin()
    await talk.say("send it")
    await app.hand_offs.say_in("acme", talk.id, ADMIN, "I'll do that for you.")
    await app.hand_offs.release_in("acme", talk.id, ADMIN)
    turn = await talk.say("a@example.com")
    assert turn.action != "flow"


async def test_a_flow_that_is_gone_is_left(app: Application, begin: Begin) -> None:
    talk = await begin()
    await talk.say("send it")
    await app.tenants.set_setting("acme", "flows.definitions", {"ask": ASK})
    assert (await talk.say("a@example.com")).action != "flow"
    assert await talk.hears("number please") == "Which number?"


async def test_a_day_is_read_in_the_order_of_the_customers_locale(app: Application) -> None:
    await app.tenants.set_setting("acme", "flows.definitions", {"day": DAY})
    said = {}
    for locale in ("en-US", "en-GB"):
        caller = Caller(id="ana", locale=locale)
        conversation = await app.conversations.create("acme", caller)
        for text in ("book a day please", "05/11/2026"):
            turn = await app.conversations.turn("acme", conversation, caller, text)
        said[locale] = turn.reply.parts
    assert ["11 May 2026" in said["en-US"][0], "5 November 2026" in said["en-GB"][0]] == [True, True], said


async def test_a_tenant_has_its_own_flows_only(app: Application, begin: Begin, api: ApiServer) -> None:
    log = api.new_log()
    theirs = await begin("other")
    assert (await theirs.say("send it to a@example.com")).action != "flow"
    await app.tenants.set_setting("other", "flows.definitions", {"send": SEND})
    for text in ("send it to b@example.com", "hello"):
        await theirs.say(text)
    turn = await theirs.say("yes")
    assert turn.action == "hand_off", "the other tenant's API is not this one's"
    assert log.received == []


async def test_why_the_api_could_not_be_used_is_logged_for_the_operator(
    app: Application, begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    await app.tenants.set_setting("acme", "flows.api.url", "http://127.0.0.2:9")
    talk = await begin()
    for text in ("send it to a@example.com", "hello", "yes"):
        turn = await talk.say(text)
    assert turn.action == "hand_off"
    [line] = [one.getMessage() for one in caplog.records if "acme" in one.getMessage() and "API" in one.getMessage()]
    assert line == (
        "a call of tenant acme's API failed: `security.api_hosts` of the deployment does not list this host"
    )


async def test_the_api_fails_politely_into_the_hands_of_a_person(begin: Begin, api: ApiServer) -> None:
    api.answer_with([ApiRoute(request="POST /mails", answers=(ApiAnswer(status=422),))])
    talk = await begin()
    for text in ("send it to a@example.com", "hello"):
        await talk.say(text)
    turn = await talk.say("yes")
    assert (turn.action, turn.mode) == ("hand_off", "queued")
    assert "I can't reach our systems" in turn.reply.parts[0]


async def test_a_token_is_stored_sealed_and_shown_to_nobody(app: Application, tmp_path: Path) -> None:
    await app.tenants.set_setting("acme", "flows.api.token", "sup3r-t0ken")
    shown = {one.key: one.value for one in (await app.tenants.resolved("acme")).rows()}
    assert "sup3r-t0ken" not in str(shown)
    assert b"sup3r-t0ken" not in file_bytes(tmp_path)


async def test_wrong_names_are_logged_and_the_rest_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.toml").write_text('[flows]\nuse = ["sned"]\n')
    async with shop(tmp_path) as app:
        talk = Conversation(app, "acme", await app.conversations.create("acme", ANA))
        assert await talk.hears("number please") == "Which number?"
    assert "flows.use: there is no flow 'sned'" in caplog.text


async def test_a_turn_without_a_flow_costs_little(begin: Begin) -> None:
    plugin = FlowsPlugin()
    from rejoinder.payloads import ConversationState, Message
    from rejoinder.testing import make_request
    from rejoinder_plugins.flows import FlowsSettings

    settings = {
        "flows": FlowsSettings(
            definitions={f"{name}{n}": dict(flow) for n in range(10) for name, flow in (("send", SEND), ("ask", ASK))}
        )
    }
    context = make_request(settings=settings, plugins=frozenset({"flows"})).context("flows")
    message = Message(id="m", text="What are your opening hours on Sundays, please?", raw_text="", at=FixedClock()())
    reading = Understanding(readings=(Reading(intent="hours", confidence=0.9),))
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(100):
            assert await plugin.decide_action(message, reading, ConversationState(), context) is None
        best = min(best, (time.perf_counter() - began) / 100)
    assert best < 100e-6, f"{best * 1e6:.0f} microseconds"


async def test_reports_count_flows_that_came_to_their_end_and_what_was_wanted(app: Application, begin: Begin) -> None:
    talk = await begin()
    for text in ("number please", "12345", "send it to ana@example.com", "hello", "no", "send it", "never mind"):
        await talk.say(text)
    rows = await report_rows(app.database, "acme", since=NOW - timedelta(days=1), until=NOW + timedelta(days=1))
    assert sorted(turn.flows_completed for turn in rows.turns) == [0, 0, 0, 0, 0, 0, 1]
    assert Counter(turn.label for turn in rows.turns) == {None: 5, "send": 2}
    made = report_of(rows, "acme", HelpDeskSettings(minutes_per_contact=6.0), first=NOW.date(), last=NOW.date())
    assert (made.total.flows_completed, made.total.hours_saved) == (1, 0.1)
