"""What an agent is told of a conversation that comes to them, so that nobody has to repeat anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rejoinder.labels import humanised
from rejoinder.payloads import (
    ConversationState,
    EffectResult,
    FlowFrame,
    Json,
    Share,
    Understanding,
    Utterance,
    payload,
)

__all__ = ["HandOffContext", "context_of", "summary_of"]

_MOST_TRIED: Final = 5
_MOST_SLOTS: Final = 12
_LONGEST: Final = 160


@payload
class HandOffContext:
    """What was known when a person was called, as it may be stored.

    Attributes:
        question: what the customer said last.
        asked: what they said before it, oldest first.
        intent: the likeliest reading of the last; `title` is what a person would call it.
        slots: by name; what is secret is masked.
        flows: that were under way, the one that ran last.
        tried: what the bot said to the customer before, oldest first.
        calls: of the tenant's systems in the last turn that made any, and what they came to.
        misses: messages in a row that found no answer; `dislikes`: thumbs down.
    """

    question: str = ""
    asked: tuple[str, ...] = ()
    intent: str | None = None
    title: str = ""
    confidence: Share | None = None
    language: str | None = None
    slots: dict[str, Json]
    flows: tuple[FlowFrame, ...] = ()
    tried: tuple[str, ...] = ()
    calls: tuple[EffectResult, ...] = ()
    misses: int = 0
    dislikes: int = 0


def context_of(
    question: str,
    before: ConversationState,
    stored: ConversationState,
    understanding: Understanding,
    history: Sequence[Utterance],
) -> HandOffContext:
    """Return the context of a hand-off.

    Args:
        question: what the customer said, as it is stored.
        before: the state before the turn, with the flows that the hand-off ended.
        stored: the state after it, as it is stored.
        history: what was said before, oldest first.
    """
    top = next((one for one in understanding.readings if one.task == "intent"), None)
    tried = [line.text for line in history if line.speaker == "bot" and line.text]
    asked = [line.text for line in history if line.speaker == "user" and line.text]
    return HandOffContext(
        question=question,
        asked=tuple(asked[-_MOST_TRIED:]),
        intent=None if top is None else top.intent,
        title="" if top is None else top.title or humanised(top.intent),
        confidence=None if top is None else top.confidence,
        language=understanding.language,
        slots={name: slot.value for name, slot in stored.slots.items()},
        flows=before.flows,
        tried=tuple(tried[-_MOST_TRIED:]),
        calls=stored.effects or before.effects,
        misses=before.misses,
        dislikes=before.dislikes,
    )


def summary_of(context: HandOffContext, reason: str) -> str:
    """Return the context in a few lines, for an agent to read at a glance."""
    lines = [f"Customer: {_short(context.question)}", f"Why: {reason or 'no reason was given'}"]
    if context.asked:
        lines.insert(1, f"Before: {_short(context.asked[-1])}")
    if context.intent is not None:
        sure = "" if context.confidence is None else f" ({context.confidence:.0%} sure)"
        lines.append(f"About: {context.title}{sure}")
    known = {name: value for name, value in context.slots.items() if value is not None and not _is_internal(name)}
    if known:
        shown = [f"{humanised(name).lower()} {value}" for name, value in list(known.items())[:_MOST_SLOTS]]
        lines.append(f"Known: {_short(', '.join(shown))}")
    if context.flows:
        lines.append("Under way: " + ", ".join(f"{frame.flow} at {frame.step}" for frame in context.flows))
    failed = [f"{call.name}: {call.error}" for call in context.calls if not call.ok]
    if failed:
        lines.append(f"Failed: {_short('; '.join(failed))}")
    if context.misses or context.dislikes:
        counts = ((context.misses, "without an answer"), (context.dislikes, "thumbs down"))
        lines.append("So far: " + ", ".join(f"{count} {what}" for count, what in counts if count))
    if context.tried:
        lines.append(f"The bot said last: {_short(context.tried[-1])}")
    return "\n".join(lines)


def _is_internal(slot: str) -> bool:
    """Tell whether a plugin keeps something for itself in a slot, such as "aside/refund/email" or "order_number.earlier"."""
    return "/" in slot or "." in slot


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
