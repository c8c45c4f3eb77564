"""Companies that a text names by their tickers, as in "$AAPL"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rejoinder.payloads import Event, Observation

__all__ = ["MENTION", "mentions"]

MENTION: Final = "mention"
"""The type of an observation that a text names a company; its key is the ticker."""

_CASHTAG: Final = re.compile(r"(?<![\w$])\$([A-Za-z]{1,5}(?:\.[A-Za-z]{1,2})?)(?!\w)")


def mentions(events: Iterable[Event]) -> Iterator[Observation]:
    """Yield a mention for each different ticker of each text, with its first span in characters as value."""
    for event in events:
        found: dict[str, tuple[int, int]] = {}
        for match in _CASHTAG.finditer(event.text or ""):
            found.setdefault(match[1].upper(), match.span())
        for ticker, (start, end) in found.items():
            yield Observation(
                event_id=event.id, type=MENTION, key=ticker, at=event.at, value={"start": start, "end": end}
            )
