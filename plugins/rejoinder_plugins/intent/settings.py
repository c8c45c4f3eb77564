"""Settings of the plugin `intent`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Word = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
Meaning = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class IntentSettings(BaseModel):
    """How messages are read, and how the intent model's predictions are passed on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_readings: int = Field(default=10, ge=1, le=100, description="Most intents that are passed on for one message.")
    titles: dict[str, str] = Field(
        default_factory=dict,
        description="What people call an intent, by its name, as in `Did you mean: <title>?`; wins over the domain's own titles.",
    )
    several: bool = Field(
        default=True,
        description="Whether a message may have several intents, each said by a part of it and answered by itself.",
    )
    several_confidence: float = Field(
        default=0.8,
        ge=0.0,
        le=1.0,
        description="From this confidence on a part of a message counts as saying an intent of its own.",
    )
    code_words: dict[Word, Meaning] = Field(
        default_factory=dict,
        max_length=1000,
        description="Words of the company's own and what they mean in plain ones, such as `WH7` and `northern warehouse`.",
    )
