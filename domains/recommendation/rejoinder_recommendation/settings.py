"""Settings of the plugin `recommendation`: a tenant's rules for lists, and for conversations about items."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ChatSettings", "RecommendationSettings"]


class ChatSettings(BaseModel):
    """What is recommended in conversation, and how much of it at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="Recommend the tenant's items in conversation.")
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


class RecommendationSettings(BaseModel):
    """What may be listed, what stands first, and how much is left to chance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pin: tuple[str, ...] = Field(default=(), description="Ids of items that stand first in every list, in this order.")
    exclude: tuple[str, ...] = Field(default=(), description="Ids or tags of items that are never listed.")
    boost: dict[str, float] = Field(
        default_factory=dict,
        description="By id or tag, what is added to an item's score, which mostly lies between 0 and 1; less than 0 puts it further down.",
    )
    in_stock_only: bool = Field(default=True, description="List only items that are available.")
    repeat: bool = Field(
        default=False, description="Also list items that the person clicked, bought, rated or dismissed."
    )
    freshness: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="What is added to the score of an item that comes out now; less for older ones.",
    )
    freshness_days: float = Field(default=30.0, gt=0, description="Age at which `freshness` counts half.")
    diversity: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="How much likeness to what stands above counts against an item; 0: not at all.",
    )
    explore: bool = Field(
        default=True, description="Leave a part of the order to chance, to learn what a person likes."
    )
    chat: ChatSettings = Field(default_factory=ChatSettings, description="Recommendation in conversation.")
