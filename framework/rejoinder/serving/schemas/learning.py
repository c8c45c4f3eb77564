"""How learning stands."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from rejoinder.payloads import Json
from rejoinder.serving.schemas.parts import Outgoing


class LearningVersion(Outgoing):
    """How one model version did, as far as people said; null: nobody said anything that tells."""

    task: str
    version: str
    state: str | None = None
    decisions: int
    rated: int = Field(description="Decisions of which feedback says whether they were right.")
    accuracy: float | None = None
    recall: float | None = Field(default=None, description="Mean over the labels that were right or asked for.")
    csat: float | None = Field(default=None, description="Share of thumbs up and of ratings of 4 and 5.")
    ece: float | None = Field(
        default=None, description="Expected calibration error of the confidences against rewards."
    )
    reward: float | None = Field(default=None, description="Mean reward.")
    drift: float | None = Field(default=None, description="By how much the mean reward was seen to change; 0: not.")
    containment: float | None = Field(default=None, description="Share of its conversations without a person.")


class LearningExamples(Outgoing):
    """Of how many examples models of a task may learn."""

    task: str
    examples: int
    held_back: int = Field(description="Those of them that no model is trained on.")


class LearningErasure(Outgoing):
    """An erasure that models are still being made anew for; it names nobody."""

    erasure_id: str
    at: datetime
    reason: str
    examples: int = Field(description="Examples that models are made to forget.")
    tasks: list[str] = Field(description="Tasks of which a version was trained on some of them.")


class LearningStatus(Outgoing):
    """Where a tenant's learning stands."""

    since: datetime
    conversations: int
    containment: float | None = Field(default=None, description="Share of conversations without a person.")
    examples: list[LearningExamples]
    versions: list[LearningVersion]
    runs: list[dict[str, Json]]
    trials: list[dict[str, Json]]
    decided: list[dict[str, Json]] = Field(description="What gate, trials and people decided, and why.")
    erasures: list[LearningErasure] = Field(
        description="Erasures for which models are still being made anew, oldest first."
    )
