"""Topics of a text: by the words that a tenant declares, and by what people have taught."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rejoinder.context import Context
from rejoinder.payloads import Event, Observation

from rejoinder_finance_sentiment.reading.sentiment import clipped
from rejoinder_finance_sentiment.settings import FinanceSentimentSettings, TopicSettings

if TYPE_CHECKING:
    from rejoinder.models.learner import Learner, Prediction

__all__ = ["TOPIC", "TopicWords", "new_learner", "topics"]

TOPIC: Final = "topic"
"""The task, and the type of its observations; the key is the topic."""

_BY_WORDS: Final = 0.8
"""Confidence that a text with a topic's words is about it, while nobody has taught otherwise."""

_UNLIKELY: Final = 0.2
"""Probability by the model below which words alone make no topic."""


def new_learner() -> Learner:
    """Return a learner of the task that knows nothing yet."""
    # heavy, and needed only where a model is loaded
    from rejoinder.models.tasks.multi_label import MultiLabelClassifier

    return MultiLabelClassifier()


class TopicWords:
    """Finds words of topics in texts.

    Example:
        >>> words = TopicWords({"deals": TopicSettings(words=("acquir*", "take over"))})
        >>> words.found("Acme acquires Globex"), words.found("Acme takes over"), words.found("A take over")
        ({'deals'}, set(), {'deals'})
    """

    def __init__(self, topics: Mapping[str, TopicSettings]) -> None:
        """See the settings for what words mean."""
        self._patterns = {
            name: re.compile("|".join(map(_pattern, topic.words)), re.IGNORECASE)
            for name, topic in topics.items()
            if topic.words
        }

    def found(self, text: str) -> set[str]:
        """Return the topics of which a text has words."""
        return {name for name, pattern in self._patterns.items() if pattern.search(text)}


async def topics(events: Sequence[Event], context: Context) -> list[Observation]:
    """Return the topics of each event's text: those whose words it has, unless the model finds that unlikely, and those that the model
    finds."""
    settings: FinanceSentimentSettings = context.settings
    texts = [(event, text) for event in events if (text := clipped(event.text)).strip()]
    said: Sequence[Prediction | None] = await context.models.predict_many(TOPIC, [text for _, text in texts]) or []
    words = _words_of(settings)
    observed = []
    for (event, text), prediction in zip(texts, said or [None] * len(texts), strict=True):
        shares = _shares(words.found(text), prediction, settings.topics)
        observed += [
            Observation(event_id=event.id, type=TOPIC, key=topic, at=event.at, confidence=share, value={"label": topic})
            for topic, share in sorted(shares.items(), key=lambda one: (-one[1], one[0]))
        ]
    return observed


def _shares(by_words: set[str], said: Prediction | None, declared: Mapping[str, TopicSettings]) -> dict[str, float]:
    """Return the topics that hold, with how sure that is."""
    likely = dict(said.ranking) if said is not None else {}
    taught = said is not None and said.source == "memory"
    found = {name: likely.get(name, 1.0) for name in (said.labels if said is not None else ()) if name in declared}
    if taught:
        return found
    for name in by_words:
        own = likely.get(name)
        if own is None or own >= _UNLIKELY:
            found[name] = max(_BY_WORDS, found.get(name, 0.0))
    return found


@lru_cache(maxsize=64)
def _compiled(topics: tuple[tuple[str, TopicSettings], ...]) -> TopicWords:
    return TopicWords(dict(topics))


def _words_of(settings: FinanceSentimentSettings) -> TopicWords:
    return _compiled(tuple(settings.topics.items()))


def _pattern(words: str) -> str:
    parts = [re.escape(part.removesuffix("*")) + (r"\w*" if part.endswith("*") else "") for part in words.split()]
    return r"(?<!\w)" + r"\s+".join(parts) + r"(?!\w)"
