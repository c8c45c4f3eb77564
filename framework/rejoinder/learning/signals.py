"""What people did after a reply, read from their conversations: the feedback that nobody had to give.

A worker reads what was said since it last looked; nothing of it is on a turn's way. What it finds becomes feedback of the person's, in
the role "system", by the same desk as all other: plugins score it. One conversation gives the same signals however often it is read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from rejoinder.errors import RejoinderError
from rejoinder.payloads import Caller, Decision, FeedbackKind
from rejoinder.store.signals import SaidTurn, note_read, read_until, turns_to_read

if TYPE_CHECKING:
    from rejoinder.application import Application

Cosine = Callable[[str, str], Awaitable[float]]

_FIRST_LOOK: Final = timedelta(days=1)
_AT_ONCE: Final = 500
_CLOSING: Final = re.compile(
    r"\W*(?:ok(?:ay)?|great|perfect|cool|no|alright)?\W*(?:thanks?|thank you|thx|cheers|bye|goodbye|good ?bye|that'?s all|that is all|"
    r"never ?mind|all good|solved|got it)\b",
    re.IGNORECASE,
)

_logger = logging.getLogger("rejoinder.learning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One thing that a person did about a decision: what is said of it in `Feedback`."""

    decision_id: str
    user_id: str
    kind: FeedbackKind
    value: str


async def read_signals(application: Application, tenant: str) -> int:
    """Read a tenant's conversations since the last look, and give what they tell to the feedback desk; return how many signals there were.

    Raises:
        NotFoundError: there is no such tenant, or it is disabled.
    """
    settings, database, now = application.settings.learning, application.database, application.clock()
    if not settings.signals:
        return 0
    pause = timedelta(minutes=settings.abandon_minutes)
    until = now - pause  # whoever is still talking is read when they are done
    after = (await read_until(database, tenant) or until - _FIRST_LOOK, "")  # of that moment, some may not be read yet
    request = await application.models.request_for(tenant, Caller(id="system", role="system"))

    async def cosine(one: str, other: str) -> float:
        return float((await request.models.encode(one)) @ (await request.models.encode(other)))

    found = 0
    while conversations := await turns_to_read(database, tenant, after=after, until=until, limit=_AT_ONCE):
        for conversation in conversations:
            for signal in await signals_of(conversation.turns, cosine=cosine, rephrase_cosine=settings.rephrase_cosine):
                found += await _given(application, tenant, signal)
        after = (conversations[-1].updated_at, conversations[-1].id)
        await note_read(database, tenant, after[0])
    await note_read(database, tenant, until)
    return found


async def signals_of(turns: Sequence[SaidTurn], *, cosine: Cosine, rephrase_cosine: float) -> list[Signal]:
    """Return what a person did, from the turns of one conversation that is over, oldest first.

    Args:
        cosine: gives the likeness of two texts in [-1, 1].
        rephrase_cosine: from which on the next message is the same question in other words.
    """
    found = []
    for before, after in pairwise(turns):
        if before.decision is None:
            continue
        picked = _picked(before, after)
        if picked is not None:
            found.append(_signal(before.decision, before, "chosen", picked))
            continue
        done = await _after_reply(before, after, cosine, rephrase_cosine)
        if done is not None:
            found.append(_signal(before.decision, before, "behaviour", done))
    last = turns[-1] if turns else None
    if last is not None and last.decision is not None and _unanswered(last) and not _CLOSING.match(last.text):
        found.append(_signal(last.decision, last, "behaviour", "abandoned"))
    return found


async def _after_reply(before: SaidTurn, after: SaidTurn, cosine: Cosine, rephrase_cosine: float) -> str | None:
    if after.action == "hand_off":
        return "escalated"
    if not before.text.strip() or not after.text.strip():
        return None
    if _plain(before.text) == _plain(after.text):
        return "repeated"
    if before.action == "answer" and await cosine(before.text, after.text) >= rephrase_cosine:
        return "rephrased"
    return None


def _picked(before: SaidTurn, after: SaidTurn) -> str | None:
    """Return the alternative that the person chose where the bot had asked back: the next turn is about the same text, in other words."""
    asked, told = before.decision, after.decision
    if (
        asked is None
        or told is None
        or before.action != "ask"
        or told.input != asked.input
        or after.text == asked.input
    ):
        return None
    labels = [one.label for one in asked.candidates]
    return told.label if told.label in labels else None


def _unanswered(turn: SaidTurn) -> bool:
    return turn.decision is not None and not turn.decision.chosen and turn.action in ("answer", "ask")


def _signal(decision: Decision, turn: SaidTurn, kind: FeedbackKind, value: str) -> Signal:
    return Signal(decision_id=decision.id, user_id=decision.user_id or turn.user_id, kind=kind, value=value)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


async def _given(application: Application, tenant: str, signal: Signal) -> bool:
    """Hand one signal to the desk; return whether it was new. One that cannot be taken does not keep the others waiting."""
    caller = Caller(id=signal.user_id, role="customer" if signal.kind == "chosen" else "system")
    try:
        result = await application.feedback.give(
            tenant,
            caller,
            decision_id=signal.decision_id,
            kind=signal.kind,
            value=signal.value,
            idempotency_key=f"signal:{signal.decision_id}:{signal.kind}:{signal.value}",
        )
    except RejoinderError as error:
        _logger.warning("tenant %s: what was done about %s is not known: %s", tenant, signal.decision_id, error)
        return False
    return not result.repeated
