"""Hand-offs to people, and the agents who answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from rejoinder.handoff.suggesting import Suggestion
from rejoinder.serving.schemas.parts import Id, Incoming, Outgoing, Words, example
from rejoinder.store.hand_offs import AgentState, EventKind, HandOffOutcome, HandOffStatus


class HandOffOut(Outgoing):
    """One time that a conversation is a person's affair."""

    id: str
    conversation_id: str
    user_id: str
    status: HandOffStatus
    reason: str = Field(description="Why a person was called.")
    summary: str = Field(description="What an agent should know, in a few lines.")
    queued_at: datetime
    claimed_at: datetime | None
    agent_id: str | None = Field(description="Who has it, or had it last.")
    agent_name: str
    for_agent: str | None = Field(description="Only this agent is to take it, for now.")
    unanswered_since: datetime | None = Field(description="From when on the customer waits for an answer.")
    closed_at: datetime | None
    outcome: HandOffOutcome | None
    label: str | None = Field(description="The intent that it was about, as the agent said.")
    position: int | None = Field(description="In the queue; 1 is next.")
    wait_s: float | None = Field(description="Seconds that it is likely to take; null while no agent is there.")


class HandOffCursor(Outgoing):
    """Where the next page begins."""

    after: datetime
    after_id: str


class HandOffList(Outgoing):
    """Hand-offs in the order of the queue."""

    hand_offs: list[HandOffOut]
    next: HandOffCursor | None


class NoteOut(Outgoing):
    """Something that happened to a hand-off, or a note."""

    id: str
    kind: EventKind
    at: datetime
    agent_id: str | None
    agent_name: str
    text: str


class HandOffStory(HandOffOut):
    """A hand-off with all that is known of it."""

    context: dict[str, Any] = Field(description="What was known when a person was called, as it was stored.")
    events: list[NoteOut]
    contact: str | None = Field(description="The e-mail address or phone number that the customer left.")


class AgentMessageIn(Incoming):
    """What an agent answers."""

    model_config = example(text="A refund takes five working days.", teach=True)

    text: str = Field(description="Not empty, at most `server.max_text_chars` characters.")
    suggestion: Id | None = Field(
        default=None, description="`decision_id` of the suggestion that this is, edited or not."
    )
    teach: bool | None = Field(
        default=None,
        description="Whether the bot is to answer so from now on; null: once the matter is resolved, where it holds for others too.",
    )
    idempotency_key: Id | None = Field(default=None, description="Instead of the header `Idempotency-Key`.")


class SuggestionOut(Outgoing):
    """What the bot would answer."""

    suggestion: Suggestion | None = Field(description="null: the customer said nothing yet.")


class NoteIn(Incoming):
    """A note for other agents."""

    model_config = example(text="Wants the money back by Friday.")

    text: Words


class TransferIn(Incoming):
    """For whom a conversation goes back into the queue."""

    model_config = example(note="Needs somebody from billing.")

    to: Id | None = Field(default=None, description="An agent's id; null: for whoever takes it.")
    note: Annotated[str, StringConstraints(max_length=8000)] = ""


class CloseIn(Incoming):
    """How a hand-off ends."""

    model_config = example(resolved=True, label="refund")

    resolved: bool = True
    label: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="The intent that it was about; the bot learns it."
    )


class AgentIn(Incoming):
    """Whether an agent is there."""

    model_config = example(state="online")

    state: AgentState


class AgentOut(Outgoing):
    """An agent."""

    id: str
    name: str
    state: AgentState
    there: bool = Field(description="Online, and seen lately.")
    seen_at: datetime


class AgentList(Outgoing):
    """A tenant's agents by name."""

    agents: list[AgentOut]
