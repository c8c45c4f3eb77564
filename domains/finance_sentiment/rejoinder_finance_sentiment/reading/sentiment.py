"""Sentiment of a text, and of each company in it.

Both are one task: what is said of a company in a text is the sentiment of the text in which it is marked and the others are masked
(`text_about`), so that what people teach of the one helps the other. A text that names one company is taken to be about it; only of those
with several each company is read by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.models.training.objectives.entity import text_about
from rejoinder.payloads import Event, Observation

from rejoinder_finance_sentiment.data_sets import LABELS
from rejoinder_finance_sentiment.reading.companies import Mention

if TYPE_CHECKING:
    from rejoinder.models.learner import Learner, Prediction

__all__ = ["SENTIMENT", "clipped", "new_learner", "sentiments"]

SENTIMENT: Final = "sentiment"
"""The task, and the type of its observations: of a text where the key is empty, else of the company that the key names."""

_MOST_CHARS: Final = 2000
"""More than an encoder reads of a text."""


def new_learner() -> Learner:
    """Return a learner of the task that knows nothing yet."""
    # heavy, and needed only where a model is loaded
    from rejoinder.models.tasks.text_classification import TextClassifier

    return TextClassifier(labels=LABELS, mends_slips=False)


def clipped(text: str | None) -> str:
    """Return the part of a text that is read."""
    return (text or "")[:_MOST_CHARS]


@dataclass(frozen=True, slots=True)
class _Asked:
    event: Event
    key: str
    text: str


async def sentiments(
    events: Sequence[Event], mentions: Sequence[Sequence[Mention]], context: Context, *, most_companies: int
) -> list[Observation]:
    """Return the sentiment of each event's text and of each company in it; [] while nobody has taught any.

    An observation's value has the `label`, the probability of each, their `score` (positive less negative, in [-1, 1]), and where
    something else was read than the event's text, that as `read`; its confidence is the label's probability.

    Args:
        mentions: of each event's text.
        most_companies: of so many companies of a text at most it is read by itself; the others get the text's.
    """
    asked: list[_Asked] = []
    for event, found in zip(events, mentions, strict=True):
        text = clipped(event.text)
        if not text.strip():
            continue
        asked.append(_Asked(event, "", text))
        places = {(one.start, one.end) for one in found}
        if len(places) < 2:
            continue
        names = {text[start:end] for start, end in places}
        for one in found[:most_companies]:
            name = text[one.start : one.end]
            asked.append(_Asked(event, one.key, text_about(text, name, names - {name})))
    said = await context.models.predict_many(SENTIMENT, [one.text for one in asked])
    if said is None:
        return []
    read = {(one.event.id, one.key): _observation(one, found) for one, found in zip(asked, said, strict=True)}
    observed = []
    for event, found in zip(events, mentions, strict=True):
        whole = read.get((event.id, ""))
        if whole is None:
            continue
        observed.append(whole)
        for one in found:
            own = read.get((event.id, one.key), whole)
            observed.append(
                Observation(
                    event_id=event.id,
                    type=SENTIMENT,
                    key=one.key,
                    at=event.at,
                    value=own.value,
                    confidence=own.confidence,
                )
            )
    return observed


def _observation(asked: _Asked, said: Prediction) -> Observation:
    shares = dict(said.ranking)
    shares = {label: round(shares.get(label, 0.0), 4) for label in LABELS}
    value = {"label": said.label, **shares, "score": round(shares["positive"] - shares["negative"], 4)}
    if asked.text != (asked.event.text or ""):
        value["read"] = asked.text
    return Observation(
        event_id=asked.event.id,
        type=SENTIMENT,
        key=asked.key,
        at=asked.event.at,
        value=value,
        confidence=min(1.0, max(0.0, float(said.confidence))),
    )
