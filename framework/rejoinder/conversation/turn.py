"""What one message came to, and what may be put between two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rejoinder.handoff.lobby import Change
from rejoinder.handoff.waiting import Place
from rejoinder.payloads import ActionKind, Mode, Question, Reply, payload

__all__ = ["Interjection", "Speaker", "Turn"]

Speaker = Literal["bot", "agent", "none"]


@payload
class Turn:
    """What one message came to, as it is stored and as it is given back for a repeated message.

    Attributes:
        number: 1 for the conversation's first turn.
        answered: whether an answer was found.
        label: the intent that was answered (None: the answer is none of an intent), or the likeliest one where nothing was; None for small
            talk, what answers a flow, and what is out of scope.
        speaker: who answered; "none" while the customer waits for a person.
        author: the name of the agent who answered.
        place: where the customer stands in the queue for a person.
    """

    id: str
    conversation_id: str
    number: int
    text: str
    reply: Reply
    action: ActionKind
    decision_id: str | None = None
    answered: bool = False
    label: str | None = None
    confidence: float | None = None
    mode: Mode = "bot"
    speaker: Speaker = "bot"
    model_versions: dict[str, str] = field(default_factory=dict)
    author: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interjection:
    """What is put into a conversation outside of a customer's turn.

    Attributes:
        mode: who answers from now on.
        text: what is said; None: only the state changes.
        first: what the bot says just before, as a turn of its own.
        question: what the conversation waits for from now on; its options are shown with the text.
        author: the name of the agent who says it.
        also: what is to be written in the same transaction.
    """

    mode: Mode
    text: str | None = None
    first: str | None = None
    question: Question | None = None
    speaker: Literal["bot", "agent"] = "bot"
    author: str | None = None
    also: Change | None = None
