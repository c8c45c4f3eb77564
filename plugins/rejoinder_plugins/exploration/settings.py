"""Settings of the plugin `exploration`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ExplorationSettings(BaseModel):
    """Whether and where the order of answers is left to chance, to learn from what people say of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=False, description="Let chance choose the first answer where the bot is unsure.")
    margin: float = Field(
        default=0.15,
        gt=0.0,
        le=1.0,
        description="Only answers whose score is within this of the best one's may come first.",
    )
    sure_score: float = Field(
        default=0.9, ge=0.0, le=1.0, description="From this score of the best answer on, nothing is left to chance."
    )
    prior_strength: float = Field(
        default=4.0, gt=0.0, le=1000.0, description="Pieces of feedback that an answer's score counts for."
    )
    max_candidates: int = Field(default=5, ge=2, le=20, description="Most answers among which chance chooses.")
