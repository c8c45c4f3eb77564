"""Conversations, messages and turns."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from rejoinder.handoff.waiting import Place
from rejoinder.payloads import ActionKind, Decision, FlowFrame, Mode, Reply
from rejoinder.serving.schemas.parts import Id, Incoming, Outgoing, example


class ConversationIn(Incoming):
    """A new conversation of the caller."""

    model_config = example(channel="web")

    channel: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,40}$")] = "api"


class ConversationCreated(Outgoing):
    """The id of a new conversation."""

    model_config = example(id="conv_0192f0c1a2b31c00f9f8e7d6c5b4a39")

    id: str


class LineOut(Outgoing):
    """One line of a conversation."""

    speaker: Literal["user", "bot", "agent"]
    author: str | None = Field(description="The name of the agent who wrote it.")
    text: str = Field(description="As it was stored, after redaction.")
    at: datetime


class CustomerHandOffOut(Outgoing):
    """What a customer is told of a hand-off."""

    status: Literal["queued", "active"]
    agent: str | None = Field(description="The name of who answers.")
    position: int | None = Field(description="In the queue; 1 is next.")
    wait_s: float | None = Field(description="Seconds that it is likely to take; null while no agent is there.")


class ConversationOut(Outgoing):
    """A conversation, and its last lines, oldest first."""

    id: str
    user_id: str
    mode: Mode = Field(description="Who answers: the bot, nobody yet (queued), or a person.")
    turns: int
    flows: list[FlowFrame] = Field(
        description="The flows that wait, the one that runs last, and the step at which each is."
    )
    slots: dict[str, Any] = Field(description="What is known, by name, as it was stored: what is secret is masked.")
    history: list[LineOut]
    hand_off: CustomerHandOffOut | None = Field(description="While a person is wanted, or answers.")


class ConversationSummary(Outgoing):
    """A conversation in a list."""

    id: str
    user_id: str
    channel: str
    mode: Mode
    turns: int
    created_at: datetime
    updated_at: datetime


class ConversationPage(Outgoing):
    """Conversations, most recently changed first."""

    conversations: list[ConversationSummary]
    next: datetime | None = Field(description="Ask for the next page with `before=` this.")


class MessageIn(Incoming):
    """One message of a person."""

    model_config = example(text="Where is my order?", idempotency_key="5f0c")

    text: str = Field(description="Not empty, at most `server.max_text_chars` characters.")
    idempotency_key: Id | None = Field(default=None, description="Instead of the header `Idempotency-Key`.")


class TurnOut(Outgoing):
    """What a message came to; durable."""

    id: str
    conversation_id: str
    number: int
    text: str = Field(description="The message as it was stored, after redaction.")
    reply: Reply
    action: ActionKind
    decision_id: str | None = Field(description="What feedback names; none where a person speaks for the bot.")
    answered: bool = Field(description="Whether an answer was found.")
    label: str | None = Field(
        description="The intent that was answered, null for an answer of none; the likeliest one where nothing was."
    )
    confidence: float | None
    mode: Mode
    speaker: str = Field(description="bot, agent, or none while the customer waits for a person.")
    model_versions: dict[str, str]
    author: str | None = Field(description="The name of the agent who answered.")
    place: Place | None = Field(description="Where the customer stands in the queue for a person.")


class StoredTurnOut(Outgoing):
    """A turn as it was stored."""

    id: str
    number: int
    text: str | None = Field(description="What the person said, redacted; null where an agent spoke unasked.")
    reply: Reply | None
    action: ActionKind
    speaker: str
    author: str | None = Field(description="The name of the agent who answered.")
    started_at: datetime
    duration_ms: float


class TurnPage(Outgoing):
    """Turns, oldest first."""

    turns: list[StoredTurnOut]
    next: int | None = Field(description="Ask for the next page with `after=` this.")


class CallOut(Outgoing):
    """One call of one hook of one plugin."""

    hook: str
    plugin: str
    at_ms: float
    took_ms: float
    outcome: str
    detail: str


class TurnStory(StoredTurnOut):
    """A turn, what was decided in it, and what each plugin did."""

    decisions: list[Decision]
    trace: list[CallOut]
