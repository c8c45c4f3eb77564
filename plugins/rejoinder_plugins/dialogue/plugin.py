"""The plugin's hooks."""

from __future__ import annotations

from rejoinder.context import Context
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Action, Answer, ConversationState, Message, Query, Reading, Reply, Understanding

from rejoinder_plugins.dialogue.anger_listener import AngerListener
from rejoinder_plugins.dialogue.compose import ranked, reply_to
from rejoinder_plugins.dialogue.decide import Turn
from rejoinder_plugins.dialogue.hand_off import ANGRY, ASKS, TASK, wants_person
from rejoinder_plugins.dialogue.settings import DialogueSettings


class DialoguePlugin:
    """The shipped dialogue: answers, asks back between near ties, admits what it does not know, and hands over to a person."""

    rejoinder_spec = ">=1.0,<2"
    settings = DialogueSettings

    def __init__(self) -> None:
        self._anger = AngerListener()

    @hookimpl()
    async def tenant_enabled(self, context: Context) -> None:
        """Begin to get ready to hear anger, once in a process; returns at once."""
        self._anger.warm(context)

    @hookimpl()
    async def stop(self) -> None:
        """Free what hears anger."""
        self._anger.close()

    @hookimpl(when=lambda settings: settings.hand_off)
    async def understand_intent(self, message: Message, context: Context) -> Understanding | None:
        """Say whether a message calls for a person, as a reading of the task "hand_off", so that plugins asked earlier leave it alone."""
        settings: DialogueSettings = context.settings
        if wants_person(message.text, settings):
            wish = ASKS
        elif settings.hand_off_on_anger and await self._anger.hears(message.text, context):
            wish = ANGRY
        else:
            return None
        return Understanding(readings=(Reading(intent=wish, confidence=1.0, task=TASK, source=context.plugin),))

    @hookimpl(trylast=True)
    async def decide_action(
        self, message: Message, understanding: Understanding, state: ConversationState, context: Context
    ) -> Action:
        """Choose what to do; as the last plugin asked, it always has something."""
        return await Turn(message, understanding, state, context).decide()

    @hookimpl(trylast=True)
    async def rank_answers(self, query: Query, answers: tuple[Answer, ...], context: Context) -> list[Answer]:
        """Keep the answers that are good enough to be a reply; lists of another kind pass untouched."""
        return ranked(query, answers, context.settings) if query.kind == "reply" else list(answers)

    @hookimpl(trylast=True)
    async def compose_reply(
        self, action: Action, answers: tuple[Answer, ...], state: ConversationState, context: Context
    ) -> Reply | None:
        """Put the reply into words."""
        return reply_to(action, answers, state, context)
