"""What a tenant decides about questions in conversation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from rejoinder.payloads import Role

__all__ = ["ConversationSettings"]


class ConversationSettings(BaseModel):
    """Who may ask about companies in conversation, and how it is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="Whether questions about companies are answered in conversation.")
    roles: tuple[Role, ...] = Field(
        default=("analyst", "admin"),
        description="Who is answered; what others ask is left to the other plugins.",
    )
    least_confidence: float = Field(
        default=0.35, ge=0, le=1, description="Confidence of an intent from which on the question is answered."
    )
    days: int = Field(default=7, ge=1, le=366, description="Length of the period where a question names none.")
    documents: int = Field(default=3, ge=1, le=20, description="Documents that an answer cites at most.")
    rule_hours: float = Field(
        default=24.0, ge=1, le=8760, description="Hours that a rule looks back where nobody says how many."
    )
    rule_documents: int = Field(
        default=3, ge=1, le=10_000, description="Documents that a rule wants at least before it says anything."
    )
