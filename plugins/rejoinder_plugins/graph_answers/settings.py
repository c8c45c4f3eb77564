"""Settings of the plugin `graph_answers`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from rejoinder.payloads import Role

Language = Literal["en"]


class GraphAnswersSettings(BaseModel):
    """How questions are answered from the graph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(
        default=0.35,
        ge=0.0,
        le=1.0,
        description="Confidence below which nothing is answered; higher: fewer wrong answers, and more often none.",
    )
    max_hops: int = Field(
        default=3, ge=1, le=3, description="Longest chain of relations from what a question is about to its answer."
    )
    max_named: int = Field(
        default=10, ge=1, le=100, description="Most entities that one answer names; of more, their number is said."
    )
    max_citations: int = Field(default=3, ge=0, le=20, description="Most chains of relations that one answer cites.")
    max_score: float = Field(
        default=0.95,
        ge=0.0,
        le=1.0,
        description="Score of an answer that is certain, as a share; below 0.96, so that what a person taught wins.",
    )
    history: int = Field(
        default=4,
        ge=0,
        le=20,
        description="Earlier lines of the conversation in which a word such as `it` may have its meaning.",
    )
    languages: tuple[Language, ...] = Field(
        default=("en",), description="Languages whose words for counting, picking and filtering are understood."
    )
    customer_weight: float = Field(
        default=1.0, ge=0.0, le=10.0, description="Weight of a customer's word on an answer."
    )
    staff_weight: float = Field(
        default=2.0, ge=0.0, le=10.0, description="Weight of the word of an agent, analyst or admin."
    )
    judgement_weight: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Further factor for thumbs and ratings, which say less than a correction does.",
    )

    def weight_of(self, role: Role) -> float:
        """Return the weight of what a caller of this role says; who only ingests data has none."""
        if role == "ingest":
            return 0.0
        return self.customer_weight if role == "customer" else self.staff_weight
