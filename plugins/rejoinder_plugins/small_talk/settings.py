"""Settings of the plugin `small_talk`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from rejoinder.wording import Tone

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]


SHIPPED: Final[Mapping[Tone, Mapping[str, str]]] = {
    "friendly": {
        "greeting": "Hi there! What can I do for you?",
        "how_are_you": "I'm doing great, thanks for asking! What can I do for you?",
        "thanks": "Happy to help! Anything else?",
        "goodbye": "Bye for now, and have a great day!",
        "praise": "Aw, thank you, that's lovely to hear!",
        "apology": "No worries at all! How can I help?",
        "assent": "Great! Anything else?",
    },
    "formal": {
        "greeting": "Good day. How may I assist you?",
        "how_are_you": "Thank you for asking. How may I assist you?",
        "thanks": "You are most welcome. May I assist you with anything else?",
        "goodbye": "Thank you for contacting us. Goodbye.",
        "praise": "Thank you for your kind words.",
        "apology": "There is no need to apologise. How may I assist you?",
        "assent": "Very well. May I assist you with anything else?",
        "are_you_a_bot": "I am a computer program that answers questions here. Please say so if you would prefer to speak to a person.",
        "what_can_you_do": "Please tell me in your own words what you need. I will answer it, or find somebody who can.",
    },
}
"""What is said in a tone (the table `[wording]`) where the tenant has no text of its own; the defaults hold for the rest."""


class SmallTalkSettings(BaseModel):
    """What the bot says to small talk; an empty text (or none) leaves that kind to the other plugins. Where the tenant's tone is `friendly`
    or `formal`, what is not set here is worded so."""

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
    assent: Text | None = Field(
        default="All right. Is there anything else?",
        description="Said to a message that only takes note, such as `ok`.",
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

    def text(self, kind: str, tone: Tone) -> str | None:
        """Return what is said to a kind of small talk in a tone; "" or None: nothing."""
        own: str | None = getattr(self, kind)
        return own if kind in self.model_fields_set else SHIPPED.get(tone, {}).get(kind, own)
