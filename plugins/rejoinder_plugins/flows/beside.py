"""Several intents in one message: which of its parts begin flows, and which are questions to be answered beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rejoinder.context import Context
from rejoinder.payloads import ConversationState, Message, Query, Reading, Understanding

__all__ = ["Part", "parts_of", "query_for"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message that says an intent of its own.

    Attributes:
        text: its words, redacted.
        typed: its words as they were typed; the whole message where it is not known which these are.
        flow: the flow that the intent begins, if any.
    """

    reading: Reading
    text: str
    typed: str
    flow: str | None


def parts_of(message: Message, understanding: Understanding, flows: Mapping[str, str]) -> list[Part]:
    """Return the parts of a message in their order; [] where it says one thing.

    Args:
        flows: the flow that each intent begins.
    """
    found = []
    for one in understanding.readings:
        if one.task == "intent" and one.span is not None:
            text = message.text[one.span.start : one.span.end]
            typed = (
                text if message.text == message.raw_text else message.raw_text
            )  # places are those of the redacted text
            found.append(Part(one, text, typed, flows.get(one.intent)))
    return found if len(found) > 1 else []


def query_for(parts: Sequence[Part], state: ConversationState, context: Context) -> Query:
    """Return what is to be answered for the parts of a message that begin no flow."""
    said = dict.fromkeys(part.text for part in parts)
    return Query(
        text=" ".join(said),
        user_id=context.caller.id,
        session_id=context.session_id,
        intents=tuple(part.reading for part in parts),
        entities=state.entities,
        filters={name: slot.value for name, slot in state.slots.items() if not slot.sensitive and "/" not in name},
        history=context.history,
        explore=False,
    )
