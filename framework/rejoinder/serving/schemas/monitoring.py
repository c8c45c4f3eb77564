"""Trends and alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from rejoinder.serving.schemas.parts import Incoming, Outgoing, example


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
