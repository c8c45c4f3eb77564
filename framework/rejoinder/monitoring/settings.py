"""What a tenant decides about its alerts: the table `[alerts]` of its settings, which is the host's own and no plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["SECTION", "AlertSettings", "alerts_of"]

SECTION: Final = "alerts"

Receiver = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]


class AlertSettings(BaseModel):
    """Who is told of changes, and how many false alarms are wanted at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    receivers: tuple[Receiver, ...] = Field(
        default=(),
        description="Who gets alerts, such as `webhook` and `email`, as the plugins that deliver them name them. The event stream of the "
        "API has all.",
    )
    group_hours: float = Field(
        default=24.0,
        ge=0,
        le=8760,
        description="Alerts about the same, or from the same documents, so soon after each other are told as one. 0: each by itself.",
    )
    false_alarms_per_day: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="Alerts a day that people may find to be noise: their marks move the tenant's threshold towards so many.",
    )
    max_attempts: int = Field(
        default=12,
        ge=1,
        le=100,
        description="Times that a delivery is tried; then it is set aside, where a person sees it.",
    )
    rules_per_user: int = Field(
        default=100, ge=0, le=1000, description="Rules of alerts that one user may have at most."
    )


def alerts_of(settings: Mapping[str, object]) -> AlertSettings:
    """Return the table out of a tenant's settings; the defaults where they have none."""
    found = settings.get(SECTION)
    return found if isinstance(found, AlertSettings) else AlertSettings()
