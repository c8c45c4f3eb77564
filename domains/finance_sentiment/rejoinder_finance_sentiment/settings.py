"""Settings of the domain."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from rejoinder_finance_sentiment.surge.settings import SurgeSettings


class FinanceSentimentSettings(BaseModel):
    """What is watched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    surges: SurgeSettings = Field(default_factory=SurgeSettings, description="The watch for surges.")
