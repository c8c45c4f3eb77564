"""Settings of the plugin `redaction`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RedactionSettings(BaseModel):
    """What is masked before a text is stored, logged or learned from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    card_numbers: bool = Field(
        default=True,
        description="Mask payment card numbers (13 to 19 digits whose check digit is right) as [CARD_NUMBER].",
    )
    ibans: bool = Field(
        default=True, description="Mask bank account numbers (IBAN whose check digits are right) as [IBAN]."
    )
    emails: bool = Field(default=True, description="Mask e-mail addresses as [EMAIL].")
    phones: bool = Field(
        default=True,
        description="Mask phone numbers as [PHONE]: with + or 00, with a leading 0 and 9 to 11 digits, or like 555-010-1234.",
    )
    keep: tuple[str, ...] = Field(
        default=(),
        max_length=1000,
        description="Numbers and addresses of the company itself, such as its hotline, which stay readable however they are spaced.",
    )
