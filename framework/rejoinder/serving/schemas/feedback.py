"""Feedback on what was answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from rejoinder.payloads import Part, Reward
from rejoinder.serving.schemas.parts import Id, Incoming, Outgoing, Words, example


class _FeedbackIn(Incoming):
    decision_id: Id
    about: Part = "whole"
    index: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="Which answer, span, entity or position."
    )
    idempotency_key: Id | None = Field(default=None, description="Instead of the header `Idempotency-Key`.")


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected 1 or -1, not true or false")  # noqa: TRY004  # for pydantic
    return value


class ThumbsIn(_FeedbackIn):
    """Thumbs up (1) or down (-1)."""

    model_config = example(decision_id="dec_1", kind="thumbs", value=1)

    kind: Literal["thumbs"]
    value: Annotated[Literal[1, -1], BeforeValidator(_no_truth)]


class RatingIn(_FeedbackIn):
    """One to five stars."""

    model_config = example(decision_id="dec_1", kind="rating", value=4)

    kind: Literal["rating"]
    value: Annotated[int, Field(ge=1, le=5)]


class WordsIn(_FeedbackIn):
    """The right intent, the right answer, the alternative that was chosen (its id or label), a remark, or what the person did.

    What the shipped plugins know of `behaviour`: click, purchase, rephrased, repeated, abandoned, escalated.
    """

    model_config = example(decision_id="dec_1", kind="corrected_intent", value="card_arrival")

    kind: Literal["corrected_intent", "corrected_answer", "chosen", "free_text", "behaviour"]
    value: Words


class DwellIn(_FeedbackIn):
    """For how many seconds the person looked at it."""

    model_config = example(decision_id="dec_1", kind="dwell", value=42.5, about="position", index=0)

    kind: Literal["dwell"]
    value: Annotated[float, Field(ge=0, le=86_400)]


FeedbackIn = Annotated[ThumbsIn | RatingIn | WordsIn | DwellIn, Field(discriminator="kind")]


class FeedbackOut(Outgoing):
    """What feedback came to; durable, and learned where `learned` says so."""

    id: str
    rewards: list[Reward]
    examples: int
    learned: bool
    repeated: bool
    note: str = Field(default="", description="What whoever gave it should know, e.g. that an intent is new.")
