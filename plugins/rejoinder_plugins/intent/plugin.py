"""The plugin's hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context, Deployment
from rejoinder.hooks import hookimpl
from rejoinder.labels import humanised
from rejoinder.payloads import Message, Reading, Span, Task, Understanding

from rejoinder_plugins.intent.cleaning import cleaned, has_held_letters
from rejoinder_plugins.intent.settings import IntentSettings
from rejoinder_plugins.intent.several import Part, several_intents, sizeable_clauses

if TYPE_CHECKING:
    from rejoinder.models.learner import Learner, Prediction

TASK: Final = "intent"

OUT_OF_SCOPE: Final = "out_of_scope"
"""What people say a message is (`corrected_intent`, an imported example) that the bot should not know about; it is never a reading."""

LEARNED_THRESHOLD: Final = 0.5
"""What `Understanding.in_scope` is compared with: a text that the model accepts is at or above it, any other below."""

_JUST_BELOW: Final = 0.499


def _text_classifier() -> Learner:
    from rejoinder.models.tasks.text_classification import (
        TextClassifier,  # heavy, and needed only where a model is loaded
    )

    return TextClassifier(oos_label=OUT_OF_SCOPE)


class IntentPlugin:
    """Reads intents from messages with the tenant's own model, corrections included."""

    rejoinder_spec = ">=1.0,<2"
    settings = IntentSettings

    def __init__(self) -> None:
        self._titles: Mapping[str, str] = {}

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        """Bring the task "intent"."""
        return [
            Task(
                name=TASK, learner=_text_classifier, description="What a message is about, of the intents seen so far."
            )
        ]

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Collect what the installed domains call their intents; of two domains that name one intent, the first counts."""
        titles: dict[str, str] = {}
        for domain in deployment.domains:
            for intent, title in domain.intents.items():
                titles.setdefault(intent, title)
        self._titles = titles

    @hookimpl()
    async def understand_intent(self, message: Message, context: Context) -> Understanding | None:
        """Give the model's ranking as readings, or one for each part that says an intent of its own.

        None while the model has learned nothing or there is nothing to read.
        """
        if not message.text.strip():
            return None
        settings: IntentSettings = context.settings
        text = await self._read_as(message.text, context)
        spans = sizeable_clauses(text) if settings.several else []  # while the text is encoded
        prediction = await context.models.predict(TASK, text)
        if prediction is None:
            return None
        if spans and prediction.source != "memory":
            least = settings.several_confidence
            parts = await several_intents(context.models, TASK, text, spans, least, whole=prediction)
            if parts:
                return self._of_parts(parts, text, message.text, context)
        return Understanding(
            readings=tuple(
                self._reading(label, share, prediction, settings)
                for label, share in prediction.ranking[: settings.max_readings]
                if label and label != OUT_OF_SCOPE
            ),
            in_scope=_in_scope(prediction),
            model_versions=dict(context.models.versions),
        )

    async def _read_as(self, text: str, context: Context) -> str:
        """Return what the model is to read: the text cleaned, save where somebody taught what just this text means."""
        settings: IntentSettings = context.settings
        if has_held_letters(text):
            clean = await asyncio.to_thread(cleaned, text, settings.code_words)
        else:
            clean = cleaned(text, settings.code_words)
        if clean == text or not clean:
            return text
        taught = await context.models.recall(TASK, text)
        return text if taught is not None and taught.exact else clean

    def _of_parts(self, parts: list[Part], text: str, typed: str, context: Context) -> Understanding:
        settings: IntentSettings = context.settings
        return Understanding(
            readings=tuple(
                self._reading(
                    part.prediction.label,
                    part.prediction.confidence,
                    part.prediction,
                    settings,
                    span=part.span if text == typed else Span(start=0, end=len(typed)),
                )
                for part in parts[: settings.max_readings]
            ),
            in_scope=max(_in_scope(part.prediction) for part in parts),
            model_versions=dict(context.models.versions),
        )

    def _reading(
        self, label: str, share: float, prediction: Prediction, settings: IntentSettings, *, span: Span | None = None
    ) -> Reading:
        return Reading(
            intent=label,
            confidence=min(1.0, max(0.0, float(share))),
            task=TASK,
            title=settings.titles.get(label) or self._titles.get(label) or humanised(label),
            span=span,
            source=prediction.source,
        )


def _in_scope(prediction: Prediction) -> float:
    """Return the probability of being in scope, moved to the side of 0.5 on which the model's own threshold puts the text."""
    share = min(1.0, max(0.0, float(prediction.in_scope)))
    return max(share, LEARNED_THRESHOLD) if prediction.accepted else min(share, _JUST_BELOW)
