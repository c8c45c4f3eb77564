"""What a tenant decides about people's data: the table `[privacy]` of its settings, which is the host's own and no plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SECTION", "PrivacySettings", "privacy_of"]

SECTION: Final = "privacy"


class PrivacySettings(BaseModel):
    """What people's feedback may be used for, and how long what they said is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    consent: Annotated[
        Literal["assumed", "required", "refused"],
        Field(
            description="Whose feedback may become training data: of all who did not refuse (`assumed`), only of those who agreed "
            "(`required`), of nobody (`refused`). Without it a reward still counts, and no example is stored."
        ),
    ] = "assumed"
    retention_days: Annotated[
        float,
        Field(
            ge=0,
            le=36_500,
            description="Days after which a conversation without a new turn is deleted, with its turns, decisions and feedback, and "
            "events of that age; 0: never.",
        ),
    ] = 0.0
    example_days: Annotated[
        float,
        Field(
            ge=0,
            le=36_500,
            description="Days after which an example is deleted and models forget it, as when its user is erased; 0: never.",
        ),
    ] = 0.0


def privacy_of(settings: Mapping[str, object]) -> PrivacySettings:
    """Return the table out of a tenant's settings; the defaults where they have none."""
    found = settings.get(SECTION)
    return found if isinstance(found, PrivacySettings) else PrivacySettings()
