"""The action that gives a conversation to a person, for all plugins that do."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rejoinder.context import Context
from rejoinder.payloads import Action, ConversationState, Effect

__all__ = ["NOTIFY", "hand_off"]

NOTIFY: Final = "notify_hand_off"
"""The effect that tells people of a hand-off."""


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
