"""The plugin `languages`: sure of another language, or silent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("py3langid", reason="needs the extra rejoinder[languages]")

from rejoinder.payloads import Action, ConversationState, Message, Question, Reading, Understanding
from rejoinder_plugins.dialogue import DialoguePlugin
from rejoinder_plugins.languages import LanguagesPlugin, LanguagesSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STRANGE = [
    ("de", "Wo bleibt meine Bestellung?"),
    ("de", "Ich möchte meine Karte sperren lassen"),
    ("es", "Quiero cancelar mi pedido por favor"),
    ("es", "¿Dónde está mi dinero?"),
    ("fr", "Je voudrais annuler ma commande"),
    ("it", "Vorrei un rimborso per il mio ordine"),
    ("nl", "Ik heb mijn pakket nog niet ontvangen"),
    ("pl", "Gdzie jest moja nowa karta?"),
    ("pt", "Não recebi o meu cartão ainda"),
    ("zh", "我的订单什么时候到"),
    ("ja", "注文をキャンセルしたいです"),
    ("ru", "Где мой заказ?"),
]
ENGLISH = [
    "hi", "ok", "refund pls", "atm fee??", "bonjour", "my card", "why is my PIN blocked", "cancel order AB-1234", "iban DE89 3704",
    "wher is my crad", "I paid in Zloty", "the café charged me twice", "lol no", "top-up via Google Pay failed",
]  # fmt: skip


async def understood(bench: Any, text: str, settings: LanguagesSettings | None = None) -> Any:
    one = bench(settings={"languages": settings} if settings else {}, languages=LanguagesPlugin())
    return await one.call("understand_intent", Message(id="m", text=text, raw_text=text, at=NOW), ConversationState())


@pytest.mark.parametrize(("code", "text"), STRANGE)
async def test_another_language_is_told(bench: Any, code: str, text: str) -> None:
    assert (await understood(bench, text)).language == code


@pytest.mark.parametrize("text", ENGLISH)
async def test_short_and_mixed_english_is_served(bench: Any, text: str) -> None:
    assert (await understood(bench, text)).language in (None, "en")


async def test_a_tenant_that_serves_a_language_reads_it(bench: Any) -> None:
    settings = LanguagesSettings(served={"en": "English", "de": "Deutsch"})
    assert (await understood(bench, "Wo bleibt meine Bestellung?", settings)).language == "de"


async def decided(bench: Any, understanding: Understanding, state: ConversationState | None = None) -> Action:
    one = bench(languages=LanguagesPlugin(), dialogue=DialoguePlugin())
    message = Message(id="m", text="Wo bleibt sie?", raw_text="Wo bleibt sie?", at=NOW)
    action: Action = await one.call("decide_action", message, understanding, state or ConversationState())
    return action


async def test_the_reply_is_polite_and_in_the_persons_language_where_we_have_words(bench: Any) -> None:
    german = await decided(bench, Understanding(language="de"))
    assert german.kind == "say"
    assert german.text == "Diese Sprache verstehe ich leider noch nicht. Ich helfe gern auf: English."
    finnish = await decided(bench, Understanding(language="fi"))
    assert finnish.text == "Sorry, I don't understand this language yet. I can help you in: English."


async def test_what_was_taught_and_open_questions_come_first(bench: Any) -> None:
    taught = Understanding(language="de", readings=(Reading(intent="delay", confidence=1.0, source="memory"),))
    assert (await decided(bench, taught)).kind == "answer"
    asked = ConversationState(question=Question(kind="slot", slot="address"))
    assert (await decided(bench, Understanding(language="de"), asked)).kind == "answer"
    assert (await decided(bench, Understanding(language="en"))).kind == "answer"


async def test_who_asks_for_a_person_in_another_language_gets_one(talk: Any) -> None:
    text = "Ich möchte mit einem Menschen sprechen"
    languages = {"languages": LanguagesPlugin()}
    one = talk(others=languages, hand_off_phrases=(text,))
    one.understandings[text] = Understanding(language="de")
    await one.say(text)
    assert one.action.kind == "hand_off"
    other = talk(others=languages)
    other.understandings[text] = Understanding(language="de")
    await other.say(text)
    assert other.action.reason == "language de"
