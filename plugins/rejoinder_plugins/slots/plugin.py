"""The plugin's hooks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rejoinder.context import Context
from rejoinder.errors import EncoderBusyError, ModelError, ModelIntegrityError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import ConversationState, Message, Task, Understanding

from rejoinder_plugins.slots.reading import Mention, said_values, updated
from rejoinder_plugins.slots.settings import SlotsSettings

if TYPE_CHECKING:
    from rejoinder.models.learner import Learner

TASK: Final = "slots"


def _token_classifier() -> Learner:
    from rejoinder.models.tasks.token_classification import (
        TokenClassifier,  # heavy, and needed only where a model is loaded
    )

    return TokenClassifier()


class SlotsPlugin:
    """Reads values from messages: by checked formats, and by a model of words for what has no format."""

    rejoinder_spec = ">=1.0,<2"
    settings = SlotsSettings

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        """Bring the task "slots"."""
        return [
            Task(
                name=TASK,
                learner=_token_classifier,
                description="Where messages say values, such as products and addresses, labelled with the slots' names.",
            )
        ]

    @hookimpl(when=lambda settings: settings.enabled)
    async def understand_intent(
        self, message: Message, state: ConversationState, context: Context
    ) -> Understanding | None:
        """Give the slots that a message fills, changes or empties; formats read what was typed, the model what may be stored."""
        settings: SlotsSettings = context.settings
        if not message.raw_text.strip():
            return None
        now = _local(context)
        mentions = await self._mentions(message.text, context)
        said = said_values(settings.slots, message.raw_text, mentions, now, context.caller.locale)
        slots = updated(settings.slots, message.raw_text, said, state, keep=settings.earlier)
        return Understanding(slots=tuple(slots)) if slots else None

    async def _mentions(self, text: str, context: Context) -> list[Mention]:
        """Return what the learned model finds; nothing while it has learned nothing, or the encoder has no states of tokens for it."""
        settings: SlotsSettings = context.settings
        try:
            prediction = await context.models.predict(TASK, text)
        except (EncoderBusyError, ModelIntegrityError):
            raise
        except ModelError as error:
            context.logger.debug("slots are read by their formats alone: %s", error)
            return []
        if prediction is None:
            return []
        return [
            Mention(span.label, span.text, span.confidence)
            for span in prediction.spans
            if span.confidence >= settings.least_confidence
        ]


def _local(context: Context) -> datetime:
    """Return the present moment where the person is."""
    try:
        return context.now().astimezone(ZoneInfo(context.caller.time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        return context.now()
