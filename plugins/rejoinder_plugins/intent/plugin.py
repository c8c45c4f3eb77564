"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context, Deployment
from rejoinder.hooks import hookimpl
from rejoinder.labels import humanised
from rejoinder.payloads import Message, Reading, Task, Understanding

from rejoinder_plugins.intent.settings import IntentSettings

if TYPE_CHECKING:
    from rejoinder.models.learner import Learner, Prediction

TASK: Final = "intent"

LEARNED_THRESHOLD: Final = 0.5
"""What `Understanding.in_scope` is compared with: a text that the model accepts is at or above it, any other below."""

_JUST_BELOW: Final = 0.499


def _text_classifier() -> Learner:
    from rejoinder.models.tasks.text_classification import (
        TextClassifier,  # heavy, and needed only where a model is loaded
    )

    return TextClassifier()


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
        """Give the model's ranking as readings; None while it has learned nothing or there is nothing to read."""
        if not message.text.strip():
            return None
        prediction = await context.models.predict(TASK, message.text)
        if prediction is None:
            return None
        settings: IntentSettings = context.settings
        return Understanding(
            readings=tuple(
                Reading(
                    intent=label,
                    confidence=min(1.0, max(0.0, float(share))),
                    task=TASK,
                    title=settings.titles.get(label) or self._titles.get(label) or humanised(label),
                    source=prediction.source,
                )
                for label, share in prediction.ranking[: settings.max_readings]
                if label
            ),
            in_scope=_in_scope(prediction),
            model_versions=dict(context.models.versions),
        )


def _in_scope(prediction: Prediction) -> float:
    """Return the probability of being in scope, moved to the side of 0.5 on which the model's own threshold puts the text."""
    share = min(1.0, max(0.0, float(prediction.in_scope)))
    return max(share, LEARNED_THRESHOLD) if prediction.accepted else min(share, _JUST_BELOW)
