"""Who asks for a person, and the action that gives a conversation to one, for all plugins that do."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rejoinder.context import Context
from rejoinder.payloads import Action, ConversationState, Effect, Understanding

from rejoinder_plugins.dialogue.phrases import asks_for_person
from rejoinder_plugins.dialogue.settings import DialogueSettings

__all__ = ["ANGRY", "ASKS", "NOTIFY", "TASK", "calls_for_person", "hand_off", "sounds_angry", "wants_person"]

TASK: Final = "hand_off"
"""The task of the reading by which the dialogue tells the plugins before it that a message calls for a person."""

ASKS: Final = "asks"
ANGRY: Final = "angry"
"""Why it does: it asks for one, or it is angry."""

NOTIFY: Final = "notify_hand_off"
"""The effect that tells people of a hand-off."""


def wants_person(text: str, settings: DialogueSettings) -> bool:
    """Tell whether the words of a message ask for a person, where one can take over."""
    return settings.hand_off and asks_for_person(text, more=settings.hand_off_phrases)


def sounds_angry(understanding: Understanding) -> bool:
    """Tell whether the dialogue has heard anger in a message."""
    return any(one.task == TASK and one.intent == ANGRY for one in understanding.readings)


def calls_for_person(understanding: Understanding) -> bool:
    """Tell whether the dialogue has read from a message that it calls for a person."""
    return any(one.task == TASK for one in understanding.readings)


def hand_off(
    state: ConversationState,
    context: Context,
    *,
    about: str,
    reason: str,
    text: str,
    notifier: str = "",
    timeout_s: float = 5.0,
) -> Action:
    """Return the action: the conversation waits for a person, who is notified where a plugin is named that does so.

    Args:
        about: what the customer said.
        text: what the customer is told.
        notifier: the plugin that runs the effect `notify_hand_off`; "": none does.
    """
    effects: tuple[Effect, ...] = ()
    if notifier:
        arguments = {
            "conversation_id": context.session_id,
            "user_id": context.caller.id,
            "reason": reason,
            "text": about,
            "at": context.now().isoformat(),
        }
        effects = (Effect(name=NOTIFY, plugin=notifier, arguments=arguments, timeout_s=timeout_s),)
    waiting = replace(state, mode="queued", question=None, misses=0, dislikes=0, flows=())
    return Action(kind="hand_off", state=waiting, text=text, reason=reason, effects=effects)
