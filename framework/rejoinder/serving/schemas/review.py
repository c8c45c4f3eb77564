"""Questions for review, and clusters of unanswered ones."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from rejoinder.serving.schemas.parts import Incoming, Outgoing, Words, example


class GuessOut(Outgoing):
    """A label that the model finds likely."""

    label: str
    confidence: float = Field(ge=0, le=1)


class ReviewQuestionOut(Outgoing):
    """A question whose label would help."""

    id: str
    decision_id: str
    text: str = Field(description="What a customer asked, redacted.")
    guesses: list[GuessOut] = Field(
        description="What the model makes of it, best first; empty where there is no model."
    )
    in_scope: float | None = Field(description="Probability that it is about anything the model knows.")


class ReviewList(Outgoing):
    """The questions of this day (UTC) that wait for a label, the most useful first."""

    items: list[ReviewQuestionOut]


class ReviewAnswerIn(Incoming):
    """What a question is; `null`: it cannot be told, and it is not asked again."""

    model_config = Incoming.model_config | example(label="card_arrival")

    label: Words | None


class ReviewAnswerOut(Outgoing):
    """What became of it."""

    id: str
    state: Literal["answered", "skipped"]
    learned: bool = Field(description="Whether a model or memory changed.")
    note: str = Field(description="What the reviewer should know, e.g. that the label is new.")


ClusterStateName = Literal["open", "accepted", "rejected"]


class ClusterOut(Outgoing):
    """Questions about one thing that the bot cannot answer well."""

    id: str
    title: str
    label: str = Field(description="What the intent would be called, or is.")
    keywords: list[str] = Field(description="Words that tell these questions from others.")
    size: int = Field(description="How many different questions there are.")
    examples: list[str] = Field(description="The most typical ones, redacted.")
    state: ClusterStateName
    found_at: datetime


class ClusterList(Outgoing):
    """Clusters, the largest first."""

    items: list[ClusterOut]


class ClusterAcceptIn(Incoming):
    """How to take a cluster in: as an intent (`label`), with its answer (`answer`), or as an answer alone (only `answer`)."""

    model_config = Incoming.model_config | example(label="lost_luggage", answer="Please call the airport's desk.")

    label: Words | None = Field(default=None, description="Default, without an answer: the label proposed.")
    answer: Words | None = None


class ClusterAcceptedOut(Outgoing):
    """What became of it."""

    id: str
    label: str | None
    examples: int = Field(description="How many examples its questions became.")
    answer_setting: str = Field(description="The tenant's setting that holds the answer; empty where there is none.")
