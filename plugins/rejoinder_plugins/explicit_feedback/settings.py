"""Settings of the plugin `explicit_feedback`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from rejoinder.payloads import Role


class ExplicitFeedbackSettings(BaseModel):
    """How much feedback counts, by who gave it and what kind it is. Weights are factors; 1 is one ordinary example."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customer_weight: float = Field(default=1.0, ge=0.0, le=10.0, description="Weight of what a customer says.")
    agent_weight: float = Field(default=2.0, ge=0.0, le=10.0, description="Weight of what an agent says.")
    analyst_weight: float = Field(default=2.0, ge=0.0, le=10.0, description="Weight of what an analyst says.")
    admin_weight: float = Field(default=3.0, ge=0.0, le=10.0, description="Weight of what an admin says.")
    judgement_weight: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Further factor for thumbs and ratings, which say less than a correction does.",
    )
    remark_weight: float = Field(
        default=0.2, ge=0.0, le=1.0, description="Further factor for remarks that begin with a clear yes or no."
    )
    passed_weight: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="Further factor against alternatives that were shown before the one that was chosen.",
    )
    max_intent_chars: int = Field(
        default=200, ge=1, le=1000, description="Longest intent name that a correction may give."
    )
    max_answer_chars: int = Field(default=4000, ge=1, le=8000, description="Longest answer that a correction may give.")

    def weight_of(self, role: Role) -> float:
        """Return the weight of what a caller of this role says; who only ingests data has none."""
        return {
            "customer": self.customer_weight,
            "agent": self.agent_weight,
            "analyst": self.analyst_weight,
            "admin": self.admin_weight,
        }.get(role, 0.0)
