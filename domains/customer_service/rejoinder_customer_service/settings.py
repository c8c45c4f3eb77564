"""Settings of the domain."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

CatalogueName = Literal["banking77", "bitext", "none"]
AnswerText = Annotated[str, StringConstraints(min_length=1, max_length=8000)]


class CustomerServiceSettings(BaseModel):
    """Which questions the bot can answer, and how it names the company."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    catalogue: CatalogueName = Field(
        default="banking77",
        description="The questions and answers to start from: `banking77` (77 questions of a bank's customers), `bitext` (27 of a "
        "shop's) or `none`.",
    )
    company: str = Field(
        default="our company", min_length=1, max_length=200, description="What `{company}` in an answer becomes."
    )
    values: dict[str, str] = Field(
        default_factory=dict,
        description="What other names in braces in an answer become, such as `support_email`; the shipped defaults hold otherwise.",
    )
    answers: dict[str, AnswerText] = Field(
        default_factory=dict,
        description="Answers of the tenant's own, by intent: in place of the shipped ones, or for intents that are not shipped.",
    )
    examples_per_intent: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Shipped examples of the data set that models start from, for each intent; unset: all.",
    )
    everyday: bool = Field(
        default=True,
        description="Whether models start from everyday wordings as well, where the catalogue has some (`bitext`).",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        description="Decides which examples are chosen where not all are; same seed, same choice.",
    )
    slots: bool = Field(
        default=True,
        description="Whether the tenant's model of slots starts from the shipped examples (product, address, order number, date, amount); "
        "never where the catalogue is `none`.",
    )
    max_candidates: int = Field(default=5, ge=1, le=100, description="Most answers offered for one message.")
