"""Events, and what was observed in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from rejoinder.serving.schemas.parts import Incoming, Outgoing, example


class EventResult(Outgoing):
    """What became of one row."""

    index: int = Field(description="Its place in what was sent, or its line, from 0.")
    id: str | None = Field(description="The event's; null where the row names none that can be used.")
    status: Literal["accepted", "duplicate", "folded", "refused"]
    reason: str = Field(description="Why it was not simply accepted, or how it was understood.")
    of: str | None = Field(description="The event that it repeats.")


class EventsTaken(Outgoing):
    """What became of events that were sent; all but those refused are durable."""

    accepted: int
    duplicate: int = Field(description="There already, with the same content.")
    folded: int = Field(description="Near-duplicates of others: kept, but not read.")
    refused: int
    results: list[EventResult] = Field(
        description="Of the first 10000 rows, and of refused ones behind them, in order."
    )
    results_left_out: int


class EventOut(Outgoing):
    """An event in the tenant's stream."""

    id: str
    position: int = Field(description="Its place in the order of arrival.")
    source: str
    kind: str
    at: datetime
    received_at: datetime
    status: Literal["new", "done", "folded", "set_aside"]
    duplicate_of: str | None
    attempts: int = Field(description="How often plugins failed to read it.")
    error: str | None = Field(description="Why, the last time.")
    text: str | None
    url: str | None
    user_id: str | None
    session_id: str | None
    item_id: str | None
    data: dict[str, Any]


class EventList(Outgoing):
    """Events in the order of their arrival."""

    events: list[EventOut]
    unread: int = Field(description="How many events wait to be read.")
    undetected: int = Field(description="How many were read, and not yet looked through for changes.")


class ObservationOut(Outgoing):
    """What a plugin read from an event."""

    event_id: str
    type: str
    key: str
    at: datetime
    value: Any
    confidence: float
    position: int = Field(description="The event's place in the stream.")


class JudgementIn(Incoming):
    """What somebody says of an observation: which label is right, or whether the one that was read is."""

    model_config = example(type="sentiment", key="company:Acme", label="negative")

    type: str = Field(min_length=1, max_length=200, description="The observation's.")
    key: str = Field(default="", max_length=500, description="The observation's.")
    label: str | None = Field(default=None, min_length=1, max_length=200)
    right: bool | None = None


class EventDetails(EventOut):
    """An event with what was read from it."""

    observations: list[ObservationOut]
