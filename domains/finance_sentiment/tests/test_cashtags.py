"""Companies named by their tickers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rejoinder.payloads import Event
from rejoinder_finance_sentiment.cashtags import mentions

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "tickers"),
    [
        ("$AAPL beats $msft, and $AAPL again", ["AAPL", "MSFT"]),
        ("($BRK.B) up; $T.", ["BRK.B", "T"]),
        ("it costs $5, US$AAPL, $$AAPL, $TOOLONG, $", []),
        (None, []),
    ],
)
def test_tickers(text: str | None, tickers: list[str]) -> None:
    found = list(mentions([Event(id="e1", kind="document", at=NOON, text=text)]))
    assert [one.key for one in found] == tickers
    assert all(one.event_id == "e1" and one.at == NOON for one in found)


def test_the_span_is_that_of_the_first_mention() -> None:
    [found] = mentions([Event(id="e1", kind="document", at=NOON, text="Is $IBM back? $IBM is")])
    assert found.value == {"start": 3, "end": 7}
