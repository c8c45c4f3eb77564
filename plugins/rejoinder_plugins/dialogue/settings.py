"""Settings of the plugin `dialogue`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class DialogueTexts(BaseModel):
    """What the bot itself says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unknown: tuple[Text, ...] = Field(
        default=(
            "Sorry, I don't know the answer to that.",
            "I'm afraid I can't help with that one yet.",
            "I still haven't found an answer to this. Could you put it in other words?",
        ),
        min_length=1,
        max_length=10,
        description="Said when there is no answer; the next one is used each time in a row, so that none comes twice running.",
    )
    hand_off_offer: Text = Field(
        default="Would you like to talk to a person?", description="Said after the above where a person can take over."
    )
    hand_off: Text = Field(
        default="I'm passing you on to a colleague, who will answer you here. You don't need to repeat what you wrote.",
        description="Said when the conversation goes to a person.",
    )
    hand_off_not_notified: Text = Field(
        default="I've put you in the queue for a colleague, who will answer you here. It may take a little longer than usual.",
        description="Said instead when the people could not be notified.",
    )
    hand_off_declined: Text = Field(
        default="All right. What else can I help you with?", description="Said when a person was offered and declined."
    )
    clarify: Text = Field(default="Which of these do you mean?", description="Said above the options when asking back.")
    clarify_again: Text = Field(
        default="Please choose one of these, or tell me in other words what you need.",
        description="Said when the reply to the options was no choice.",
    )
    none_option: Text = Field(default="None of these", description="Title of the option that rejects all others.")
    none_chosen: Text = Field(
        default="Sorry for the misunderstanding. Could you tell me in other words what you need?",
        description="Said when all options were rejected.",
    )
    empty: Text = Field(
        default="I didn't catch that. What can I help you with?", description="Said to a message without words."
    )
    found: Text = Field(default="Here is what I found:", description="Said above answers that are cards without text.")
    yes_option: Text = Field(default="Yes, please", description="Title of the option that accepts a person.")
    no_option: Text = Field(default="No, thanks", description="Title of the option that declines a person.")


class DialogueSettings(BaseModel):
    """When the bot answers, asks back, says that it does not know, and hands over to a person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: float = Field(
        default=0.35,
        ge=0.0,
        le=1.0,
        description="Answers scored below this are not given; the bot says that it does not know.",
    )
    max_answers: int = Field(default=1, ge=1, le=10, description="Most answers shown in one reply.")
    max_candidates: int = Field(default=5, ge=1, le=100, description="Most answers asked of each plugin.")
    min_in_scope: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Where the message is less probably in scope than this, intents are not trusted and only the text counts; "
        "0.5 is the threshold that the intent model learned, 0 trusts it always.",
    )
    clarify_margin: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="The bot asks back when the best intents are closer than this in confidence; 0: never.",
    )
    min_confidence: float = Field(
        default=0.2, ge=0.0, le=1.0, description="Intents less confident than this are not offered when asking back."
    )
    sure_confidence: float = Field(
        default=0.6, ge=0.0, le=1.0, description="From this confidence of the best intent on, the bot never asks back."
    )
    max_options: int = Field(default=3, ge=2, le=10, description="Most intents offered when asking back.")
    hand_off: bool = Field(default=True, description="Whether a person can take over the conversation.")
    hand_off_on_anger: bool = Field(
        default=True, description="Whether a message that is plainly angry goes to a person, where one can take over."
    )
    hand_off_anger_confidence: float = Field(
        default=0.7,
        ge=0.0,
        le=1.0,
        description="How probable the learned head must find it that a message is angry, where its words alone do not say so.",
    )
    hand_off_after_misses: int = Field(
        default=1, ge=1, le=10, description="A person is offered when so many messages in a row found no answer."
    )
    hand_off_after_failures: int = Field(
        default=3,
        ge=0,
        le=100,
        description="After so many messages in a row that found no answer, the next one goes to a person unasked; 0: never.",
    )
    hand_off_after_dislikes: int = Field(
        default=2,
        ge=0,
        le=100,
        description="After so many thumbs down without one up, the next message goes to a person unasked; 0: never.",
    )
    hand_off_intents: tuple[Phrase, ...] = Field(
        default=(),
        description="Intents that mean `I want a person`, which then hand over when the bot is sure of them (`sure_confidence`).",
    )
    hand_off_notifier: str = Field(
        default="",
        max_length=200,
        description="Name of the plugin that notifies people of a hand-off, by running the effect `notify_hand_off`, such as "
        "`hand_off_webhook`; empty: they see it in the console only.",
    )
    hand_off_notify_timeout_s: float = Field(
        default=5.0, ge=0.1, le=60.0, description="Time that the notification may take."
    )
    hand_off_phrases: tuple[Phrase, ...] = Field(
        default=(), max_length=200, description="More whole messages that ask for a person, in any language."
    )
    yes_phrases: tuple[Phrase, ...] = Field(
        default=(), max_length=200, description="More whole messages that mean yes."
    )
    no_phrases: tuple[Phrase, ...] = Field(default=(), max_length=200, description="More whole messages that mean no.")
    texts: DialogueTexts = Field(default_factory=DialogueTexts, description="What the bot itself says.")
