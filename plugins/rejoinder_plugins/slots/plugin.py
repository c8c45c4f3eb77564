"""The plugin's hooks."""

from __future__ import annotations

import asyncio
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rejoinder.context import Context
from rejoinder.errors import EncoderBusyError, ModelError, ModelIntegrityError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import ConversationState, Message, Task, Understanding
from rejoinder.slots.formats import read

from rejoinder_plugins.slots.reading import Mention, has_cue, said_values, updated
from rejoinder_plugins.slots.settings import SlotsSettings

if TYPE_CHECKING:
    from rejoinder.models.learner import Learner

TASK: Final = "slots"

_NEEDED: Final = ("dateparser", "email_validator", "price_parser", "stdnum")
"""What reads the formats: modules of the extra `rejoinder[flows]`."""
_SAMPLE: Final = "on 1 March 2020, $1, ana@example.com, 4111111111111111, DE89370400440532013000"


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

    def __init__(self) -> None:
        self._readers: set[str] = set()
        """The tenants from whose messages values are read."""

    @hookimpl()
    async def tenant_enabled(self, context: Context) -> None:
        """Find out whether values are read from the tenant's messages, and load what reads them: the first date takes far longer than
        a turn may."""
        settings: SlotsSettings = context.settings
        self._readers.discard(context.tenant)
        if settings.enabled is False:
            return
        if settings.enabled is None:
            learner = context.models.learner(TASK)
            if learner is None or not learner.size():
                return
            if missing := [name for name in _NEEDED if find_spec(name) is None]:
                context.logger.info("slots are not read: rejoinder[flows] is not installed (%s)", ", ".join(missing))
                return
        self._readers.add(context.tenant)
        for kind in {slot.type: slot for slot in settings.slots.values()}.values():
            await asyncio.to_thread(read, kind, _SAMPLE, context.now())

    @hookimpl()
    async def tenant_disabled(self, context: Context) -> None:
        """Forget the tenant."""
        self._readers.discard(context.tenant)

    @hookimpl(when=lambda settings: settings.enabled is not False)
    async def understand_intent(
        self, message: Message, state: ConversationState, context: Context
    ) -> Understanding | None:
        """Give the slots that a message fills, changes or empties; formats read what was typed, the model what may be stored."""
        settings: SlotsSettings = context.settings
        if (settings.enabled is None and context.tenant not in self._readers) or not message.raw_text.strip():
            return None
        now = _local(context)
        asks = state.question is not None and state.question.kind == "slot"
        mentions = await self._mentions(message.text, context) if asks or has_cue(message.text, settings.cues) else []
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
