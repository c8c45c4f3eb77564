"""Several intents in one message: each said by a part of it, surely enough that the part alone would be answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.payloads import Span

from rejoinder_plugins.intent.clauses import clauses, is_background

if TYPE_CHECKING:
    from rejoinder.context import Models
    from rejoinder.models.learner import Prediction

__all__ = ["Part", "several_intents", "sizeable_clauses"]

_FEWEST_WORDS: Final = 3
"""Words below which a part says too little to be trusted alone."""

_SURE_OF_WHOLE: Final = 0.9
"""From this confidence on a message as a whole one intent explains all of it; two intents side by side seldom reach it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message, and what the model says of it."""

    span: Span
    prediction: Prediction


def sizeable_clauses(text: str) -> list[Span]:
    """Return the parts of a text that say enough to be understood alone, in order."""
    return [span for span in clauses(text) if len(text[span.start : span.end].split()) >= _FEWEST_WORDS]


async def several_intents(
    models: Models, task: str, text: str, spans: list[Span], confidence: float, *, whole: Prediction
) -> list[Part]:
    """Return the parts of a text that say different intents, in order; [] where it has one, or none is sure enough.

    Of parts that say the same, the surest stands for all. Beside parts that ask or want something, those that only tell how things are
    count as their background where the model is sure of the whole. Only a text that can be cut costs anything: its parts are encoded
    together.

    Args:
        spans: its `sizeable_clauses`.
        confidence: least confidence in [0, 1] of each part; the part must be in scope as well.
        whole: what the model says of the whole text.
    """
    if whole.confidence >= _SURE_OF_WHOLE:
        spans = [span for span in spans if not is_background(text[span.start : span.end])] or spans
    if len(spans) < 2:
        return []
    said = await asyncio.gather(*(models.predict(task, text[span.start : span.end]) for span in spans))
    surest: dict[str, Part] = {}
    for span, one in zip(spans, said, strict=True):
        if one is None or not one.label or not one.accepted or one.confidence < confidence:
            continue
        known = surest.get(one.label)
        if known is None or one.confidence > known.prediction.confidence:
            surest[one.label] = Part(span, one)
    return sorted(surest.values(), key=lambda part: part.span.start) if len(surest) > 1 else []
