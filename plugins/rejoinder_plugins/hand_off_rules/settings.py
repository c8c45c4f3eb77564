"""Settings of the plugin `hand_off_rules`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from rejoinder.handoff.hours import OpeningHours, time_zone_of

Phrase = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class HandOffRule(BaseModel):
    """One rule: all that it names must hold; of a list, any one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Phrase = Field(description="Told to the agent as the reason.")
    intents: tuple[Phrase, ...] = Field(default=(), max_length=200, description="The message may be one of these.")
    min_confidence: float = Field(
        default=0.5, ge=0.0, le=1.0, description="It is read so at least this surely, whatever else it may be."
    )
    words: tuple[Phrase, ...] = Field(
        default=(), max_length=500, description="The message has one of these words or phrases."
    )
    slots: tuple[Phrase, ...] = Field(default=(), max_length=50, description="The message fills one of these slots.")
    hours: tuple[Phrase, ...] = Field(
        default=(), max_length=50, description="It is one of these hours, e.g. `mon-fri 09:00-17:00`; empty: always."
    )
    text: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = Field(
        default=None, description="What the customer is told; unset: as `hand_off_rules.text`."
    )

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        OpeningHours.read(lines)
        return lines

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if not (self.intents or self.words or self.slots):
            raise ValueError(
                "a rule needs intents, words or slots: without any of them it would hand off every message"
            )
        return self


class HandOffRulesSettings(BaseModel):
    """Which messages go to a person, whatever else the bot could do with them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[HandOffRule, ...] = Field(
        default=(), max_length=100, description="The first rule that holds gives the conversation to a person."
    )
    time_zone: str = Field(default="UTC", max_length=100, description="Of the rules' hours, e.g. `Europe/Lisbon`.")
    text: Annotated[str, StringConstraints(min_length=1, max_length=2000)] = Field(
        default="I'm passing you on to a colleague, who will answer you here. You don't need to repeat what you wrote.",
        description="What the customer is told.",
    )
    notifier: str = Field(
        default="",
        max_length=200,
        description="Name of the plugin that notifies people, as `dialogue.hand_off_notifier`.",
    )

    def has_rules(self) -> bool:
        """Tell whether there is anything to look for."""
        return bool(self.rules)

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        time_zone_of(name)
        return name
