"""Settings of the plugin `small_talk`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]


class SmallTalkSettings(BaseModel):
    """What the bot says to small talk; an empty text (or none) leaves that kind to the other plugins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    greeting: Text | None = Field(default="Hello! What can I do for you?", description="Said to a greeting.")
    how_are_you: Text | None = Field(
        default="All well here, thank you. What can I do for you?", description="Said when asked how it is."
    )
    thanks: Text | None = Field(default="You're welcome! Is there anything else?", description="Said to thanks.")
    goodbye: Text | None = Field(default="Goodbye, and take care!", description="Said to a goodbye.")
    praise: Text | None = Field(default="I'm glad to hear that!", description="Said to praise.")
    apology: Text | None = Field(default="No harm done. How can I help?", description="Said to an apology.")
    are_you_a_bot: Text | None = Field(
        default="I'm a computer program that answers questions here. Just say so if you would rather talk to a person.",
        description="Said when asked whether it is a machine, who made it or what it is called.",
    )
    what_can_you_do: Text | None = Field(
        default="Ask me in your own words what you need, and I'll answer it or find somebody who can.",
        description="Said when asked what it can do.",
    )
    least_likeness: float = Field(
        default=0.62,
        ge=0.0,
        le=1.0,
        description="Cosine from which on a message that is none of the known phrases counts as one that it resembles.",
    )
    domain_confidence: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="A message in scope with an intent of at least this confidence is never taken for small talk.",
    )
