"""Put an action and its answers into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rejoinder.context import Context
from rejoinder.payloads import Action, Answer, Card, Citation, ConversationState, Option, Query, Question, Reply
from rejoinder.wording import named_in, worded

from rejoinder_plugins.dialogue.settings import DialogueSettings


def reply_to(action: Action, answers: tuple[Answer, ...], state: ConversationState, context: Context) -> Reply | None:
    """Return the reply; None for a flow step without words, which its own plugin composes.

    Where something else was answered while a flow waits for an answer of its own, what it asked is said again at the end; what an action
    says beside its answers comes after them where it asks something, else before.
    """
    settings: DialogueSettings = context.settings
    match action.kind:
        case "silent":
            return Reply(parts=())
        case "answer":
            open_question = state.question if is_of_a_flow(state.question) else None
            closes = open_question is None or not open_question.text
            reply = _answered(action, answers, context, closes) if answers else _unknown(state, context)
            if action.text:
                return _beside(action, reply)
            if open_question is None or not open_question.text:
                return reply
            return replace(reply, parts=(*reply.parts, open_question.text), options=open_question.options)
        case "hand_off":
            return Reply(parts=(_hand_off_text(action, state, settings),))
        case "ask" | "say":
            question = action.question
            return Reply(parts=(action.text or settings.texts.empty,), options=question.options if question else ())
        case _:
            options = action.question.options if action.question else ()
            return Reply(parts=(action.text,), options=options) if action.text else None


def is_of_a_flow(question: Question | None) -> bool:
    """Tell whether a flow waits for the answer to this question."""
    return question is not None and question.kind in ("slot", "confirm")


def ranked(query: Query, answers: Sequence[Answer], settings: DialogueSettings) -> list[Answer]:
    """Return the answers worth giving: scored high enough, each text or item once, at most as many as the tenant wants.

    Where parts of the message say intents of their own, the best answer to each comes first, in the order in which they were said; what
    somebody taught as the answer to the whole message stands for all of its parts.
    """
    result: list[Answer] = []
    seen: set[str] = set()
    for answer in answers:
        same = " ".join((answer.text or answer.item or answer.id).split()).casefold()
        if answer.score >= settings.min_score and same not in seen:
            seen.add(same)
            result.append(answer)
    if result and result[0].source == "correction":
        return result[: settings.max_answers]
    said = sorted((one.span.start, one.intent) for one in query.intents if one.span is not None)
    for_each = [found for _, intent in said if (found := next((one for one in result if one.intent == intent), None))]
    if len(for_each) > 1:
        return for_each
    return result[: settings.max_answers]


def _answered(action: Action, answers: tuple[Answer, ...], context: Context, closes: bool) -> Reply:
    settings: DialogueSettings = context.settings
    said = tuple(answer.text.strip() for answer in answers if answer.text and answer.text.strip())
    shown = [
        answer.card or (Card(title=answer.item) if answer.item and not answer.text else None) for answer in answers
    ]
    cards = tuple(card for card in shown if card is not None)
    citations = dict.fromkeys(citation for answer in answers for citation in answer.citations)
    slots = _about(next(iter(citations), None)) | (named_in(action.query) if action.query is not None else {})
    first = not any(line.speaker == "bot" for line in context.history)
    parts = worded(said or (settings.texts.found,), context.wording, slots, first=first, closes=closes)
    return Reply(parts=parts, cards=cards, citations=tuple(citations))


def _about(citation: Citation | None) -> dict[str, str]:
    """Return what a tenant's words may say of what is cited."""
    if citation is None:
        return {}
    return {
        "title": citation.title,
        "heading": citation.title.rpartition(" > ")[2],
        "url": citation.url or "",
    }


def _beside(action: Action, reply: Reply) -> Reply:
    text = action.text or ""
    if action.question is None:
        return replace(reply, parts=(text, *reply.parts))
    return replace(reply, parts=(*reply.parts, text), options=action.question.options)


def _unknown(state: ConversationState, context: Context) -> Reply:
    settings: DialogueSettings = context.settings
    texts = settings.texts.unknown
    turn = max(state.misses, 1) - 1
    rotated = [texts[(turn + step) % len(texts)] for step in range(len(texts))]
    last = next((line.text for line in reversed(context.history) if line.speaker == "bot"), "")
    unknown = next((text for text in rotated if text not in last), rotated[0])
    if not settings.hand_off or state.misses < settings.hand_off_after_misses or is_of_a_flow(state.question):
        return Reply(parts=(unknown,))
    yes = Option(title=settings.texts.yes_option, value="yes")
    no = Option(title=settings.texts.no_option, value="no")
    return Reply(parts=(unknown, settings.texts.hand_off_offer), options=(yes, no))


def _hand_off_text(action: Action, state: ConversationState, settings: DialogueSettings) -> str:
    if any(effect.name == "notify_hand_off" and not effect.ok for effect in state.effects):
        return settings.texts.hand_off_not_notified
    return action.text or settings.texts.hand_off
