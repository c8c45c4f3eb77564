"""Which requests are a stream of events, a line of JSON each."""

from __future__ import annotations

from typing import Final

__all__ = ["EVENTS_PATH", "LINES", "STREAMED_PATHS", "is_lines"]

EVENTS_PATH: Final = "/v1/events"
STREAMED_PATHS: Final = (EVENTS_PATH, "/v1/items")
LINES: Final = "application/x-ndjson"


def is_lines(content_type: str) -> bool:
    """Tell whether a header `Content-Type` says JSON lines."""
    media = content_type.partition(";")[0].strip().lower()
    return media in (LINES, "application/jsonl", "application/json-lines")
