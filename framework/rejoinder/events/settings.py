"""What a tenant decides about its stream of events: the table `[events]` of its settings, which is the host's own and no plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from rejoinder.handoff.hours import time_zone_of

__all__ = ["SECTION", "TenantEventSettings", "events_of"]

SECTION: Final = "events"


def _known_zone(name: str) -> str:
    time_zone_of(name)
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]


class TenantEventSettings(BaseModel):
    """How the dates of documents are read, and which documents say the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: ZoneName = Field(
        default="UTC", description="Time zone of dates that name none, such as `America/New_York`."
    )
    time_zones: dict[str, ZoneName] = Field(
        default_factory=dict, description="The same by source, for sources whose clock is another one."
    )
    earliest: datetime = Field(
        default=datetime(1990, 1, 1, tzinfo=UTC), description="Documents from before this moment are refused."
    )
    future_minutes: float = Field(
        default=60.0, ge=0, le=525_600, description="How far ahead of the server's clock a date may be."
    )
    near_duplicates: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="Share of common word triples (of all that two texts have) from which on the later one is folded into the earlier: "
        "kept, but not read. 0: none is.",
    )
    near_duplicate_hours: float = Field(
        default=72.0,
        gt=0,
        le=8760,
        description="Longest time between the dates of two documents of which one is folded.",
    )

    rating_scale: tuple[float, float] = Field(
        default=(0.0, 10.0),
        description="The lowest and the highest rating that a `rate` may have; the middle counts as neither.",
    )
    bot_events_per_minute: int = Field(
        default=120,
        ge=1,
        description="Whoever does more with items within a minute is taken for a program: it is kept, and never learned from.",
    )

    @field_validator("rating_scale")
    @classmethod
    def _wide(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError("the first number must be less than the second")
        return value

    @field_validator("earliest")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value

    def zone_of(self, source: str) -> str:
        """Return the time zone of a source's dates that name none."""
        return self.time_zones.get(source, self.time_zone)


def events_of(settings: Mapping[str, object]) -> TenantEventSettings:
    """Return the table out of a tenant's settings; the defaults where they have none."""
    found = settings.get(SECTION)
    return found if isinstance(found, TenantEventSettings) else TenantEventSettings()
