"""Settings of the plugin `documents`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from rejoinder.payloads import Role


class DocumentsSettings(BaseModel):
    """How answers are found in documents and read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidates: int = Field(
        default=40, ge=1, le=200, description="Passages that the reranker looks at, of those that retrieval found."
    )
    depth: int = Field(
        default=100, ge=1, le=1000, description="Passages of each ranking (by words, meaning, entities) that are fused."
    )
    max_answers: int = Field(default=3, ge=1, le=20, description="Most answers offered for one message.")
    max_sentences: int = Field(
        default=3,
        ge=1,
        le=20,
        description="Most sentences of a passage that an answer repeats; past replies are said whole.",
    )
    max_score: float = Field(
        default=0.9,
        ge=0.0,
        le=1.0,
        description="Score of an answer that is certain, as a share; below 0.96, so that what a person taught wins.",
    )
    read: bool = Field(
        default=True,
        description="Whether the best passage is read by the tenant's model of the task `question_answering`, where it has one.",
    )
    max_entities: int = Field(
        default=5,
        ge=0,
        le=50,
        description="Entities of the graph in the message whose names are searched for; 0: none.",
    )
    values: dict[str, str] = Field(
        default_factory=dict, description="What names in braces in past replies become, such as `company`."
    )
    customer_weight: float = Field(
        default=1.0, ge=0.0, le=10.0, description="Weight of a customer's word on an answer."
    )
    staff_weight: float = Field(
        default=2.0, ge=0.0, le=10.0, description="Weight of the word of an agent, analyst or admin."
    )

    def weight_of(self, role: Role) -> float:
        """Return the weight of what a caller of this role says; who only ingests data has none."""
        if role == "ingest":
            return 0.0
        return self.customer_weight if role == "customer" else self.staff_weight
