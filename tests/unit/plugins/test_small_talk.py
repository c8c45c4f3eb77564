"""The plugin `small_talk`: answers what no domain knows about, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import EncoderBusyError
from rejoinder.payloads import Action, ConversationState, FlowFrame, Message, Question, Reading, Understanding
from rejoinder.wording import WordingSettings
from rejoinder_plugins.dialogue import DialoguePlugin
from rejoinder_plugins.small_talk import SmallTalkPlugin, SmallTalkSettings
from rejoinder_plugins.small_talk.phrases import PHRASES, exact_kind
from rejoinder_plugins.small_talk.settings import SHIPPED

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOMAIN = Understanding(readings=(Reading(intent="lost_card", confidence=0.9),), in_scope=0.9)


@pytest.fixture
def talking(bench: Any, models: Any) -> Any:
    """A host with the plugin before the dialogue; what is said is near a phrase only where it begins with its first word."""

    def make(settings: SmallTalkSettings | None = None, *, busy: bool = False) -> Any:
        fake = models()
        places: dict[str, int] = {}

        def vector(text: str) -> Any:
            return np.eye(512, dtype=np.float32)[places.setdefault(text.split()[0], len(places))]

        async def encode(text: str) -> Any:
            if busy:
                raise EncoderBusyError("busy", retry_after_s=1.0)
            return vector(text)

        async def base_encoder() -> Any:
            return SimpleNamespace(hash="h", encode=lambda texts: np.stack([vector(text) for text in texts]))

        fake.encode, fake.base_encoder = encode, base_encoder
        chosen = {"small_talk": settings} if settings else {}
        plugin = SmallTalkPlugin()
        made = bench(models=fake, settings=chosen, small_talk=plugin, dialogue=DialoguePlugin())
        made.small_talk = plugin
        return made

    return make


async def warmed(one: Any) -> Any:
    """Wait, at most 0.5 s, until the phrases are encoded."""
    await one.call("tenant_enabled")
    await asyncio.wait((one.small_talk._warming,), timeout=0.5)
    return one


async def reply(
    one: Any, text: str, known: Understanding | None = None, state: ConversationState | None = None
) -> Action:
    message = Message(id="m", text=text, raw_text=text, at=NOW)
    now = state or ConversationState()
    read = await one.call("understand_intent", message, now)
    known = known or Understanding(in_scope=0.1)
    both = Understanding(readings=(*known.readings, *read.readings), in_scope=known.in_scope)
    action: Action = await one.call("decide_action", message, both, now)
    return action


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Hello!", "greeting"),
        ("hi there, bot", "greeting"),
        ("ok thanks, bye", "goodbye"),
        ("Thank you very much!!", "thanks"),
        ("Are you a robot?", "are_you_a_bot"),
        ("what can you do", "what_can_you_do"),
        ("ok", "assent"),
        ("Great, got it!", "assent"),
        ("\U0001f44d\U0001f3fd", "assent"),
        ("thanks, perfect", "thanks"),
    ],
)
async def test_phrases_are_answered(talking: Any, text: str, kind: str) -> None:
    action = await reply(talking(), text)
    assert (action.kind, action.text) == ("say", getattr(SmallTalkSettings(), kind))


@pytest.mark.parametrize("text", ["hi, where is my card", "where is my order", "great price", "1234", ""])
def test_other_messages_are_no_phrases(text: str) -> None:
    assert exact_kind(text) is None


async def test_what_resembles_a_phrase_counts_where_the_domain_knows_nothing(talking: Any) -> None:
    one = await warmed(talking())
    assert (await reply(one, "howdy partner from afar")).text == SmallTalkSettings().greeting
    assert (await reply(one, "howdy partner from afar", DOMAIN)).kind == "answer"
    strict = await warmed(talking(SmallTalkSettings(least_likeness=1.0)))
    assert (await reply(strict, "zebra crossing")).kind == "answer"


async def test_a_domains_own_greeting_is_not_taken_from_it(talking: Any) -> None:
    own = Understanding(readings=(Reading(intent="greeting", confidence=0.95),), in_scope=0.9)
    assert (await reply(talking(), "hello", own)).kind == "answer"


@pytest.mark.parametrize(
    "state",
    [
        ConversationState(question=Question(kind="confirm")),
        ConversationState(flows=(FlowFrame(flow="track", step="ask"),)),
        ConversationState(mode="agent"),
    ],
)
async def test_an_open_question_and_a_person_come_first(talking: Any, state: ConversationState) -> None:
    assert "small talk" not in (await reply(talking(), "thanks", state=state)).reason


async def test_a_tenant_words_each_kind_or_leaves_it_out(talking: Any) -> None:
    one = talking(SmallTalkSettings(greeting="Ahoy!", thanks=None, goodbye=" "))
    assert (await reply(one, "hello")).text == "Ahoy!"
    assert (await reply(one, "thanks")).kind == "answer"
    assert (await reply(one, "bye")).kind == "answer"


async def test_without_an_encoder_the_phrases_still_count(talking: Any) -> None:
    one = await warmed(talking(busy=True))
    assert (await reply(one, "hello")).text == SmallTalkSettings().greeting
    assert (await reply(one, "howdy partner from afar")).kind == "answer"


def test_each_kind_has_an_answer_and_no_phrase_is_of_two() -> None:
    assert set(PHRASES) <= set(SmallTalkSettings.model_fields)
    every = [phrase for phrases in PHRASES.values() for phrase in phrases]
    assert len(every) == len(set(every))


async def test_small_talk_is_in_the_tenants_tone_save_where_it_has_its_own_words(talking: Any) -> None:
    one = talking(SmallTalkSettings(goodbye="Tschüss!"))
    plain = (await reply(one, "hello")).text
    one.settings["wording"] = WordingSettings(tone="formal")
    assert (await reply(one, "hello")).text == "Good day. How may I assist you?" != plain
    assert (await reply(one, "bye")).text == "Tschüss!"
    one.settings["wording"] = WordingSettings(tone="own")
    assert (await reply(one, "hello")).text == plain


@pytest.mark.parametrize("tone", SHIPPED)
def test_a_tone_words_only_kinds_that_there_are(tone: str) -> None:
    assert set(SHIPPED[tone]) <= set(PHRASES)  # type: ignore[index]  # a tone
