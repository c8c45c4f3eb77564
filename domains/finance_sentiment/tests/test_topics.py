"""Topics by words."""

from __future__ import annotations

import pytest
from rejoinder_finance_sentiment.reading.topics import TopicWords
from rejoinder_finance_sentiment.settings import TOPICS, TopicSettings


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("Acme to acquire 7 % of Globex", {"mergers"}),
        ("Net  profit of Acme fell; Moody's downgrades it", {"earnings", "ratings"}),
        ("The CEO of Acme resigned over a fraud", {"management", "legal"}),
        ("Acme's garden party", set()),
        ("", set()),
    ],
)
def test_shipped_topics(text: str, topics: set[str]) -> None:
    assert TopicWords(TOPICS).found(text) == topics


def test_words_are_taken_as_they_are() -> None:
    words = TopicWords({"odd": TopicSettings(words=("c++", "(a|b)*")), "none": TopicSettings()})
    assert words.found("in C++ today") == {"odd"}
    assert words.found("c, a, b") == set()
    assert words.found("(a|b)c") == {"odd"}
