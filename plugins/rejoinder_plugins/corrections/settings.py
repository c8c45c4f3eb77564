"""Settings of the plugin `corrections`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CorrectionsSettings(BaseModel):
    """How remembered corrections compete with other answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: float = Field(
        default=0.96,
        ge=0.0,
        le=1.0,
        description="Score of a remembered answer that is barely trusted, as a share; trust and likeness lift it towards 1. "
        "Shipped answers stay below 0.96, so that with the default a person's correction always wins.",
    )
    citation_text: str = Field(
        default="Taught by a person",
        min_length=1,
        max_length=200,
        description="What is cited as the source of a remembered answer.",
    )
