"""Trends and alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from rejoinder.monitoring.rules import Condition
from rejoinder.serving.schemas.parts import Incoming, Outgoing, Words, example


class EvidenceOut(Outgoing):
    """A document that drove an alert."""

    source: str = Field(description="The event's id.")
    title: str = ""
    url: str | None = None
    quote: str | None = None
    span: Any = None


class AlertOut(Outgoing):
    """A change, and what became of its alert."""

    id: str
    incident: str = Field(description="The same for every report of the same change: what receivers know it by.")
    title: str
    severity: Literal["info", "warning", "critical"]
    at: datetime = Field(description="When the change was seen, by the dates of the documents.")
    raised_at: datetime
    key: str = Field(description="What it is about.")
    explanation: str
    evidence: list[EvidenceOut]
    data: dict[str, Any] = Field(description="The figures, and the companies that may be touched.")
    part_of: str | None = Field(description="The incident that it is told with.")
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    mark: Literal["useful", "noise"] | None
    marked_at: datetime | None
    marked_by: str | None


class AlertList(Outgoing):
    """Alerts, newest first."""

    alerts: list[AlertOut]


class DeliveryOut(Outgoing):
    """An alert on its way to a receiver."""

    receiver: str
    status: Literal["pending", "delivered", "set_aside"]
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    delivered_at: datetime | None


class AlertDetails(AlertOut):
    """An alert with its parts and deliveries."""

    parts: list[AlertOut]
    deliveries: list[DeliveryOut]


class AlertRuleIn(Incoming):
    """What somebody wants to be told of."""

    model_config = example(
        key="ACME", condition={"measure": "sentiment", "comparison": "below", "threshold": -0.2, "window_hours": 24}
    )

    key: str = Field(min_length=1, max_length=200, description="The key of the mentions that it is about.")
    name: str = Field(default="", max_length=200, description="What people call it.")
    condition: Condition


class AlertRuleOut(Outgoing):
    """A rule."""

    id: str
    user_id: str = Field(description="Whose rule it is.")
    key: str
    name: str
    condition: Condition
    says: str = Field(description="The condition in words.")
    holds: bool = Field(description="Whether the condition held when it was last looked at.")
    looked_at: datetime | None = Field(description="When that was, by the dates of the documents.")
    created_at: datetime


class AlertRuleList(Outgoing):
    """Rules, oldest first."""

    rules: list[AlertRuleOut]


class MarkIn(Incoming):
    """What somebody thinks of an alert."""

    model_config = example(mark="noise")

    mark: Literal["useful", "noise"]


class MarkOut(Outgoing):
    """What marks have done."""

    mark: Literal["useful", "noise"]
    threshold_shift: float = Field(
        description="What the tenant's marks have added to its threshold (natural logarithm): above 0 there are fewer alerts."
    )


ProposalStateName = Literal["open", "accepted", "rejected"]


class NewTopicOut(Outgoing):
    """Documents about one thing that no topic fits."""

    id: str
    title: str
    name: str = Field(description="What the topic would be called, or is.")
    keywords: list[str] = Field(description="Words that tell these documents from others.")
    size: int = Field(description="How many documents there are.")
    examples: list[str] = Field(description="The most typical ones, addresses left out.")
    state: ProposalStateName
    found_at: datetime


class NewTopicList(Outgoing):
    """Proposed topics, the largest first."""

    items: list[NewTopicOut]


class TopicAcceptIn(Incoming):
    """How to take a proposed topic in."""

    model_config = Incoming.model_config | example(name="metals", words=["gold", "silver*"])

    name: Words | None = Field(default=None, description="Default: the one proposed.")
    words: list[Words] = Field(
        default_factory=list, max_length=100, description="Words of which one makes a text be about it."
    )


class AcceptedTopicOut(Outgoing):
    """What became of it."""

    id: str
    name: str
    setting: str = Field(description="The tenant's setting that holds the topic.")
    words: list[str]
    examples: list[str] = Field(description="Documents that the model learns it from.")
