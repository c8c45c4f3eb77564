"""The plugin's hooks."""

from __future__ import annotations

import re

from rejoinder.context import Context
from rejoinder.handoff.hours import OpeningHours, time_zone_of
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Action, ConversationState, Message, Understanding

from rejoinder_plugins.dialogue.decide import merged
from rejoinder_plugins.dialogue.hand_off import hand_off
from rejoinder_plugins.hand_off_rules.settings import HandOffRule, HandOffRulesSettings


class HandOffRulesPlugin:
    """Gives messages to a person by the tenant's rules, also out of the middle of a flow."""

    rejoinder_spec = ">=1.0,<2"
    settings = HandOffRulesSettings

    @hookimpl(tryfirst=True, when=HandOffRulesSettings.has_rules)
    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action | None:
        """Hand off by the first rule that holds; None where none does."""
        settings: HandOffRulesSettings = context.settings
        if state.mode != "bot":
            return None
        for rule in settings.rules:
            if _holds(rule, message, understanding) and _is_its_hour(rule, settings, context):
                return hand_off(
                    merged(state, understanding),
                    context,
                    about=message.text,
                    reason=f"rule: {rule.name}",
                    text=rule.text or settings.text,
                    notifier=settings.notifier,
                )
        return None


def _holds(rule: HandOffRule, message: Message, understanding: Understanding) -> bool:
    sure = {
        one.intent for one in understanding.readings if one.task == "intent" and one.confidence >= rule.min_confidence
    }
    if rule.intents and sure.isdisjoint(rule.intents):
        return False
    if rule.words and not any(_has(message.text, word) for word in rule.words):
        return False
    said = {slot.name for slot in understanding.slots if slot.value is not None}
    return not rule.slots or not said.isdisjoint(rule.slots)


def _has(text: str, phrase: str) -> bool:
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE) is not None


def _is_its_hour(rule: HandOffRule, settings: HandOffRulesSettings, context: Context) -> bool:
    if not rule.hours:
        return True
    return OpeningHours.read(rule.hours).are_on(context.now().astimezone(time_zone_of(settings.time_zone)))
