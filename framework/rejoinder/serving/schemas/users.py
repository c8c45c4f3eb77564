"""What users may ask for: consent, erasure."""

from __future__ import annotations

from pydantic import Field

from rejoinder.serving.schemas.parts import Incoming, Outgoing, example


class ConsentIn(Incoming):
    """Whether a user may be learned from."""

    model_config = example(consent=False)

    consent: bool | None = Field(description="Yes, no, or null: not answered, so that the tenant's setting decides.")


class ConsentOut(Outgoing):
    """What a user said of being learned from."""

    user_id: str
    consent: bool | None
    forgotten: int = Field(description="Examples of theirs that models were made to forget.")


class ErasureOut(Outgoing):
    """What an erasure did."""

    counts: dict[str, int] = Field(description="Rows that named the user, by table; empty: nothing was stored of them.")
    examples: int = Field(description="Examples that models are made to forget.")
    marked: list[str] = Field(description="Model versions that were trained on some of these.")
    runs: list[str] = Field(description="Runs that were queued to learn anew without them.")
    erasure_id: str = Field(
        description="Of the audit row, which does not name the user; empty where nothing was erased."
    )
    pending: bool = Field(
        description="Models are still being made anew without these; the learning status tells when it is done."
    )
