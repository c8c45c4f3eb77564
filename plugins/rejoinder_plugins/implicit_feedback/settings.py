"""Settings of the plugin `implicit_feedback`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ImplicitFeedbackSettings(BaseModel):
    """How much each thing that people do counts; 0: it says nothing. A thumb counts 0.5, a correction 1.

    The defaults keep all that can be said against one reply without words below a third of a thumb.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rephrased_weight: float = Field(
        default=0.05, ge=0.0, le=1.0, description="Weight of asking the same in other words, against the reply before."
    )
    repeated_weight: float = Field(
        default=0.05, ge=0.0, le=1.0, description="Weight of asking the very same again, against the reply before."
    )
    abandoned_weight: float = Field(
        default=0.02, ge=0.0, le=1.0, description="Weight of leaving after a message that got no answer."
    )
    escalated_weight: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Weight of asking for a person, against the reply before."
    )
    click_weight: float = Field(default=0.1, ge=0.0, le=1.0, description="Weight of a click, for what was clicked.")
    skipped_weight: float = Field(
        default=0.03, ge=0.0, le=1.0, description="Weight against what stood above something clicked or bought."
    )
    purchase_weight: float = Field(
        default=1.0, ge=0.0, le=10.0, description="Weight of a purchase, for what was bought."
    )
    dwell_weight: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Weight of the time for which something was looked at."
    )
    long_dwell_s: float = Field(
        default=30.0, gt=0.0, le=3600.0, description="From so many seconds on, what was looked at was welcome."
    )
    short_dwell_s: float = Field(
        default=5.0, ge=0.0, le=3600.0, description="Up to so many seconds, it was not what the person looked for."
    )
