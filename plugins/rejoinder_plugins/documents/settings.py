"""Settings of the plugin `documents`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from rejoinder.payloads import Role

Template = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Tone = Literal["plain", "friendly", "formal", "own"]


class DocumentsTexts(BaseModel):
    """What is said around what was found, where the tone is `own`. Names in braces are filled: `{title}`, `{heading}`, `{url}`, those of
    `values`, and those of what the message named, such as `{order_number}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    greeting: str = Field(default="", max_length=2000, description="Said before the first answer of a conversation.")
    answer: Template = Field(default="{answer}", description="An answer; must hold `{answer}`.", pattern=r"\{answer\}")
    closing: str = Field(default="", max_length=2000, description="Said after an answer.")


class DocumentsSettings(BaseModel):
    """How answers are found in documents, read and worded."""

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
    tone: Tone = Field(
        default="plain",
        description="How answers are worded: `plain` as found, `friendly` or `formal` with shipped words around, `own` with `texts`.",
    )
    texts: DocumentsTexts = Field(
        default_factory=DocumentsTexts, description="The words around an answer of one's own."
    )
    values: dict[str, str] = Field(
        default_factory=dict, description="What names in braces in texts and past replies become, such as `company`."
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
