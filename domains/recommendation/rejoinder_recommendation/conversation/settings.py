"""Settings of the plugin `recommendation_chat`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ConversationSettings"]


class ConversationSettings(BaseModel):
    """What is recommended in conversation, and how much of it at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    catalogue: Literal["movies", "none"] = Field(
        default="none",
        description="What to recommend where the tenant brings no items: `movies` (films that ReDial's dialogues speak of) or `none`.",
    )
    items: int = Field(default=3, ge=1, le=10, description="Items shown at once.")
    domain_confidence: float = Field(
        default=0.6,
        ge=0.0,
        le=1.0,
        description="A message with an intent of at least this confidence is left to the other plugins, unless it names an item or "
        "speaks of what was shown.",
    )
    question_liked: str = Field(
        default="Gladly. Which one did you like lately?",
        description="First question to a person of whom nothing is known.",
    )
    question_mood: str = Field(
        default="What are you in the mood for?", description="Second question; kinds are offered."
    )
    question_limits: str = Field(
        default="Is there anything that it must not be, or a limit, such as a price or a year?",
        description="Third question.",
    )
