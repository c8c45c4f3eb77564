"""What a tenant decides about its help desk: the table `[help_desk]` of its settings, which is the host's own and no plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from rejoinder.handoff.hours import OpeningHours, time_zone_of

__all__ = ["SECTION", "HelpDeskSettings", "HelpDeskTexts", "help_desk_of"]

SECTION: Final = "help_desk"

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class HelpDeskTexts(BaseModel):
    """What a customer is told around a hand-off; `{agent}`, `{position}` and `{minutes}` are filled in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position: Text = Field(
        default="You are number {position} in the queue.",
        description="Said to who begins to wait, where an agent was ever there.",
    )
    wait: Text = Field(
        default="It should take about {minutes} min.", description="Said after it while agents are there."
    )
    someone: Text = Field(default="a colleague", description="What an agent without a name is called.")
    joined: Text = Field(default="You are talking to {agent} now.", description="Said when an agent takes over.")
    left: Text = Field(
        default="{agent} had to leave. The next colleague answers you here.",
        description="Said when the conversation goes back into the queue.",
    )
    released: Text = Field(default="You are talking to the bot again.", description="Said when the bot answers again.")
    closed: Text = Field(
        default="{agent} has ended the conversation. If there is anything else, just write to me.",
        description="Said when an agent closes the conversation.",
    )
    nobody: Text = Field(
        default="I'm sorry, nobody is there to answer you right now. You can leave an e-mail address or a phone number, and we get "
        "back to you, or we go on here.",
        description="Said outside of the opening hours, and when nobody came in time.",
    )
    contact_option: Text = Field(
        default="Leave my address", description="Title of the option that leaves an e-mail address or a phone number."
    )
    go_on_option: Text = Field(
        default="Go on with the bot", description="Title of the option that waits for nobody any more."
    )
    go_on_phrases: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = Field(
        default=("never mind", "nevermind", "cancel", "forget it", "stop waiting", "i don't want to wait"),
        max_length=100,
        description="Messages that mean the same as this option while a customer waits.",
    )
    contact: Text = Field(
        default="At which e-mail address or phone number can we reach you?", description="Said when that was chosen."
    )
    contact_taken: Text = Field(
        default="Thank you, we'll get back to you. Is there anything else?", description="Said when it was given."
    )


class HelpDeskSettings(BaseModel):
    """When people are there, how long they may take, and what a contact costs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: str = Field(
        default="UTC", max_length=100, description="Of the opening hours and the reports, e.g. `Europe/Lisbon`."
    )
    hours: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description="When people are there, in lines such as `mon-fri 09:00-17:30`; empty: always.",
    )
    patience_s: float = Field(
        default=600.0,
        ge=1.0,
        le=604_800.0,
        description="How long a customer waits while no agent is there, before the bot goes on.",
    )
    longest_wait_s: float = Field(
        default=3600.0,
        ge=1.0,
        le=604_800.0,
        description="How long a customer waits while agents are there but none takes the conversation, before the bot goes on.",
    )
    agent_silence_s: float = Field(
        default=600.0,
        ge=1.0,
        le=604_800.0,
        description="How long an agent may leave a customer without an answer, before the conversation goes back into the queue.",
    )
    presence_s: float = Field(
        default=90.0,
        ge=5.0,
        le=86_400.0,
        description="How long an agent counts as there after their last sign of life.",
    )
    typical_s: float = Field(
        default=300.0,
        ge=1.0,
        le=86_400.0,
        description="Time that an agent needs for a conversation, for the estimate of the wait, until ten of them were measured.",
    )
    learn: bool = Field(default=True, description="Whether the bot learns from what agents answer.")
    minutes_per_contact: float = Field(
        default=6.0,
        ge=0.0,
        le=1440.0,
        description="Minutes of a person's work that a conversation which needs no person saves, for the reports.",
    )
    low_confidence: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Decisions that were less sure than this are reported as failures."
    )
    texts: HelpDeskTexts = Field(
        default_factory=HelpDeskTexts, description="What customers are told around a hand-off."
    )

    def are_people_there(self, now: datetime) -> bool:
        """Tell whether a moment is within the opening hours."""
        return self._opening_hours.are_on(now.astimezone(time_zone_of(self.time_zone)))

    @cached_property
    def _opening_hours(self) -> OpeningHours:
        return OpeningHours.read(self.hours)

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        time_zone_of(name)
        return name

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        OpeningHours.read(lines)
        return lines


def help_desk_of(settings: Mapping[str, object]) -> HelpDeskSettings:
    """Return the table out of a tenant's settings; the defaults where they have none."""
    found = settings.get(SECTION)
    return found if isinstance(found, HelpDeskSettings) else HelpDeskSettings()
