"""Decide what is done with a message about companies: answer, ask which company is meant, or leave it to others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.payloads import Action, ConversationState, Message, Option, Reading, Understanding
from rejoinder.store.trends import Stretch

from rejoinder_finance_sentiment.conversation import alert_talk, intents, rule_talk
from rejoinder_finance_sentiment.conversation.choosing import places_named, says_yes
from rejoinder_finance_sentiment.conversation.memory import Memory, Request
from rejoinder_finance_sentiment.conversation.naming import Directory, Named
from rejoinder_finance_sentiment.conversation.periods import Period, past_days, read_period
from rejoinder_finance_sentiment.conversation.slips import mended
from rejoinder_finance_sentiment.conversation.turn import Turn

if TYPE_CHECKING:
    from rejoinder.monitoring.tenant_monitoring import TenantMonitoring

__all__ = ["decide"]

_COMPANY: Final = "finance_sentiment.company"
"""The slot of the question which company is meant."""

_MOST_COMPARED: Final = 6
_OFFERED: Final = 4
_IN_SCOPE: Final = 0.5
_LONGEST_CHOICE: Final = 6
"""Words in which a company is picked at most."""
_ASKS: Final = re.compile(
    r"\b(?:how|what|why|which|who|when|compare|alert|tell|show|list|remove|acknowledge|is|are|was|were|do|does|did)\b",
    re.IGNORECASE,
)
_OF_ONE: Final = frozenset((intents.WHY, intents.AFFECTED))


async def decide(
    message: Message,
    understanding: Understanding,
    state: ConversationState,
    directory: Directory,
    monitoring: TenantMonitoring,
    context: Context,
) -> Action | None:
    """Return what to do with a message; None where it is about something else."""
    memory = Memory.of(state)
    asked = state.question.slot if state.question is not None else None
    offered = state.question.options if state.question is not None else ()
    if asked in (_COMPANY, rule_talk.CONFIRM, rule_talk.CONDITION):
        state = replace(state, question=None)
    reading = _meant(understanding, context)
    if (picked := _picked(message.text, state)) is not None:
        reading, about = picked
        message, state = replace(message, text=about), replace(state, question=None)
    turn = Turn(
        message=message,
        state=state,
        memory=memory,
        directory=directory,
        monitoring=monitoring,
        context=context,
        request=Request(intent=reading.intent if reading is not None else "", text=message.text),
        named=Named(),
    )
    if (said := rule_talk.done(turn) or alert_talk.done(turn)) is not None:
        return said
    if (said := await _answer_to(asked, offered, turn)) is not None:
        return said
    if reading is None:
        return None
    return await _handle(_read(replace(turn, memory=replace(memory, waiting=None, rule={}))))


def _meant(understanding: Understanding, context: Context) -> Reading | None:
    """Return the reading of the message, where its likeliest intent is one of ours."""
    reading = next((one for one in understanding.readings if one.task == intents.TASK), None)
    if reading is None or reading.intent not in intents.INTENTS:
        return None
    if reading.source == "memory":
        return reading
    in_scope = understanding.in_scope is None or understanding.in_scope >= _IN_SCOPE
    return reading if in_scope and reading.confidence >= context.settings.conversation.least_confidence else None


def _picked(text: str, state: ConversationState) -> tuple[Reading, str] | None:
    """Return the intent of ours that was picked where the bot had asked which one is meant, and the text that it asked about."""
    question = state.question
    if question is None or question.kind != "clarify" or not question.about:
        return None
    said = text.strip().casefold()
    for one in question.options:
        if one.value in intents.INTENTS and said in (one.title.casefold(), one.value):
            return Reading(intent=one.value, confidence=1.0, source="choice"), question.about
    return None


async def _answer_to(asked: str | None, offered: Sequence[Option], turn: Turn) -> Action | None:
    """Take the message as the answer to what was asked; None where it is none."""
    if asked == rule_talk.CONFIRM:
        return rule_talk.confirmed(turn)
    if asked == rule_talk.CONDITION:
        return rule_talk.conditioned(turn)
    waiting = turn.memory.waiting
    if asked != _COMPANY or waiting is None:
        return None
    key = _chosen(turn, offered)
    if key is None:
        return None
    keys = tuple(dict.fromkeys((*waiting.keys, key)))
    return await _handle(
        replace(turn, memory=replace(turn.memory, waiting=None), request=waiting, named=Named(keys=keys))
    )


def _chosen(turn: Turn, offered: Sequence[Option]) -> str | None:
    """Return the company that answers the question which one is meant."""
    text = turn.message.text
    if len(offered) == 1 and says_yes(text):
        return offered[0].value
    said = text.strip().casefold()
    for one in offered:
        if said in (one.title.casefold(), one.value.casefold()):
            return one.value
    if places := places_named(text, len(offered)):
        return offered[places[0]].value
    asks_anew = turn.request.intent not in ("", intents.FOLLOW_UP) and _ASKS.search(text) is not None
    if asks_anew or len(text.split()) > _LONGEST_CHOICE:
        return None
    return next(iter(turn.directory.read(text).keys), None)


def _read(turn: Turn) -> Turn:
    """Return the turn with the companies and the time that the message names."""
    named = turn.directory.read(turn.message.text)
    last = turn.memory.last
    named = replace(named, rest=mended(named.rest, intents.plain_words()))
    found = read_period(
        named.rest, turn.context.now(), turn.monitoring.time_zone, earlier=None if last is None else last.period
    )
    period, rest = found if found is not None else (None, named.rest)
    if turn.request.intent == intents.RULE_ADD:  # hours and days say there how far a rule looks back
        period, rest = None, named.rest
    named = turn.directory.with_strangers(named, rest)
    return replace(turn, named=named, request=replace(turn.request, keys=named.keys, period=period, text=rest))


async def _handle(turn: Turn) -> Action | None:
    intent = turn.request.intent
    if turn.named.unknown:
        return _stranger(turn)
    match intent:
        case intents.ALERTS:
            return await alert_talk.listed(turn)
        case intents.ALERT_SHOW:
            return await alert_talk.show(turn)
        case intents.ACKNOWLEDGE:
            return await alert_talk.acknowledge(turn)
        case intents.RULES:
            return await rule_talk.listed(turn)
        case intents.RULE_REMOVE:
            return await rule_talk.remove(turn)
    if intent == intents.FOLLOW_UP:
        turn = _followed_up(turn)
    keys = turn.named.keys or turn.spoken_of
    if turn.request.intent == intents.COMPARE and len(turn.named.keys) == 1:
        keys = tuple(dict.fromkeys((*turn.spoken_of, *turn.named.keys)))
    if not keys:
        return await _which(turn, "Which company do you mean?", ())
    if turn.request.intent == intents.COMPARE and len(keys) < 2:
        return await _which(turn, f"With which company shall I compare {turn.directory.name(keys[0])}?", keys)
    keys = keys[:1] if turn.request.intent in _OF_ONE else keys[:_MOST_COMPARED]
    if turn.request.intent == intents.RULE_ADD:
        return rule_talk.add(turn, keys)
    request = replace(turn.request, keys=keys, period=turn.request.period or _period(turn))
    return turn.answers(
        {"request": request.to_json(), "as_of": turn.context.now().isoformat()},
        replace(turn.memory, last=request),
        f"asked about companies: {request.intent}",
    )


def _period(turn: Turn) -> Period:
    """Return the period of a question that names none: that of the last question, where it goes on with its companies."""
    last = turn.memory.last
    if last is not None and last.period is not None:
        asks_on = turn.request.intent != intents.LEVEL and set(turn.named.keys) & set(last.keys)
        if not turn.named.keys or asks_on:
            return last.period
    return past_days(turn.settings.days, turn.context.now())


def _followed_up(turn: Turn) -> Turn:
    """Return the turn as the last question, with what the message names in place of what that named."""
    last = turn.memory.last
    intent = intents.LEVEL if last is None or last.intent == intents.ALERT_SHOW else last.intent
    period = turn.request.period or (last.period if last is not None else None)
    text = f"{last.text if last is not None else ''} {turn.request.text}"
    return replace(turn, request=replace(turn.request, intent=intent, period=period, text=text))


def _stranger(turn: Turn) -> Action:
    """Say that a company is not known, or is one of several; ask which one is meant, where some may be."""
    named = turn.named
    options = tuple(Option(title=turn.directory.name(key), value=key) for key in named.meant)
    if not options:
        text = f"I know no company that is called “{named.unknown}”: it is not declared, and no text was about it."
        return turn.says(text, turn.memory, "unknown company")
    titles = [one.title for one in options]
    choice = titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} or {titles[-1]}"
    text = f"I know no company that is called “{named.unknown}”. Did you mean {choice}?"
    if named.shared:
        text = f"Several companies are called “{named.unknown}”. Do you mean {choice}?"
    memory = replace(turn.memory, waiting=replace(turn.request, keys=named.keys))
    return turn.asks(text, _COMPANY, memory, "unknown company", options=options)


async def _which(turn: Turn, text: str, keys: Sequence[str]) -> Action:
    """Ask which company is meant, and offer those that texts were about of late."""
    period = past_days(30, turn.context.now())
    busy = await turn.monitoring.keys(
        "mention", Stretch(period.start, period.end, period.end), limit=_OFFERED + len(keys)
    )
    options = tuple(
        Option(title=turn.directory.name(key), value=key)
        for key in busy
        if key not in keys and key in turn.directory.companies
    )[:_OFFERED]
    memory = replace(turn.memory, waiting=replace(turn.request, keys=tuple(keys)))
    return turn.asks(text, _COMPANY, memory, "no company named", options=options)
