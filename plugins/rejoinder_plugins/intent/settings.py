"""Settings of the plugin `intent`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class IntentSettings(BaseModel):
    """How the intent model's predictions are passed on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_readings: int = Field(default=10, ge=1, le=100, description="Most intents that are passed on for one message.")
    titles: dict[str, str] = Field(
        default_factory=dict,
        description="What people call an intent, by its name, as in `Did you mean: <title>?`; wins over the domain's own titles.",
    )
