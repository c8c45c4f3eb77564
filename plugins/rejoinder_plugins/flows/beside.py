"""Several intents in one message: which of its parts begin flows, and which are questions to be answered beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rejoinder.context import Context
from rejoinder.errors import EncoderBusyError, ModelError
from rejoinder.payloads import ConversationState, Message, Query, Reading, Span, Understanding

from rejoinder_plugins.flows.compiled import Compiled
from rejoinder_plugins.intent.clauses import clauses

__all__ = ["Part", "parts_of", "query_for"]

_TASK: Final = "intent"
_SURE: Final = 0.8
"""From this confidence on a part alone counts as saying its intent, as the plugin `intent` has it."""
_FEWEST_WORDS: Final = 3
"""Words below which a part says too little to be trusted alone."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message that says something of its own.

    Attributes:
        text: its words, redacted.
        typed: its words as they were typed; the whole message where it is not known which these are.
        reading: its intent; None: its words begin a flow, whatever the intent.
        flow: the flow that it begins, if any.
    """

    text: str
    typed: str
    reading: Reading | None
    flow: str | None


async def parts_of(message: Message, understanding: Understanding, compiled: Compiled, context: Context) -> list[Part]:
    """Return the parts of a message in their order; [] where it says one thing.

    They are those that were read from it. Where none were and the message can be cut, a part that says what begins a flow is one, with
    the other parts whose intent the model is sure of.
    """
    read = [one for one in understanding.readings if one.task == _TASK]
    spans = [(one.span, one) for one in read if one.span is not None]
    if len(spans) > 1:
        return [_part(message, span, one, compiled.intents.get(one.intent)) for span, one in spans]
    places = clauses(message.text)
    if len(places) < 2 or not any(compiled.phrases.find(message.text[one.start : one.end]) for one in places):
        return []
    try:
        found = [await _cut(message, place, compiled, context) for place in places]
    except EncoderBusyError:
        raise
    except ModelError as error:
        context.logger.info("a message is not cut into parts: %s", error)
        return []
    parts = [one for one in found if one is not None]
    return parts if len(parts) > 1 and any(one.flow is not None for one in parts) else []


async def _cut(message: Message, place: Span, compiled: Compiled, context: Context) -> Part | None:
    """Return a part by its words or, where these begin no flow, by an intent that is sure; None where it says neither."""
    text = message.text[place.start : place.end]
    said = await context.models.predict(_TASK, text) if len(text.split()) >= _FEWEST_WORDS else None
    reading = None
    if said is not None and said.label and said.accepted and said.confidence >= _SURE:
        reading = Reading(intent=said.label, confidence=said.confidence, task=_TASK, span=place, source=said.source)
    named = compiled.phrases.find(text)
    flow = None if reading is None else compiled.intents.get(reading.intent)
    if named is not None and (reading is None or flow == named):
        return _part(message, place, reading, named)
    return None if reading is None else _part(message, place, reading, flow)


def _part(message: Message, place: Span, reading: Reading | None, flow: str | None) -> Part:
    text = message.text[place.start : place.end]
    # places are those of the redacted text
    return Part(text, text if message.text == message.raw_text else message.raw_text, reading, flow)


def query_for(parts: Sequence[Part], state: ConversationState, context: Context) -> Query:
    """Return what is to be answered for the parts of a message that begin no flow."""
    said = dict.fromkeys(part.text for part in parts)
    return Query(
        text=" ".join(said),
        user_id=context.caller.id,
        session_id=context.session_id,
        intents=tuple(part.reading for part in parts if part.reading is not None),
        entities=state.entities,
        filters={name: slot.value for name, slot in state.slots.items() if not slot.sensitive and "/" not in name},
        history=context.history,
        explore=False,
    )
