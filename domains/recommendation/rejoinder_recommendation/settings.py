"""Settings of the plugin `recommendation`: a tenant's rules for lists."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["RecommendationSettings"]


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
