"""The entries of a feed as documents."""

from __future__ import annotations

import io
from calendar import timegm
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from rejoinder.errors import InvalidInputError
from rejoinder.events.dates import parse_date

__all__ = ["read_feed"]

_DATES: Final = ("published", "updated", "created")
_MOST_ID: Final = 500


def read_feed(body: bytes, content_type: str) -> list[dict[str, Any]]:
    """Return the entries of an RSS or Atom feed as documents, oldest first where the feed has the newest first, as most have.

    A document's text is the title and, of content and summary, the longer one, as HTML. It has no id: an entry that was changed is a
    document of its own, which is folded where it says nearly the same; what the feed calls it is `data.entry`.

    Args:
        content_type: the header of the answer, which may name the encoding.
    Raises:
        InvalidInputError: it is no feed.
    """
    import feedparser

    headers = {"content-type": content_type or "application/xml"}
    # A stream, since bytes might be taken for the name of a file.
    parsed = feedparser.parse(io.BytesIO(body), response_headers=headers, resolve_relative_uris=False)
    if not parsed.version and not parsed.entries:
        raise InvalidInputError(f"it is neither RSS nor Atom: {parsed.get('bozo_exception', 'no feed in it')}"[:300])
    return [_document(dict(entry.items())) for entry in reversed(parsed.entries)]


def _document(entry: Mapping[str, Any]) -> dict[str, Any]:
    bodies = [*(one.get("value", "") for one in entry.get("content", ())), entry.get("summary", "")]
    title = entry.get("title", "")
    longest = max(bodies, key=len)
    document: dict[str, Any] = {"text": f"<p>{title}</p>\n<div>{longest}</div>", "format": "html"}
    if (at := _date(entry)) is not None:
        document["at"] = at
    if (link := str(entry.get("link", ""))).startswith(("http://", "https://")):
        document["url"] = link
    if name := str(entry.get("id", ""))[:_MOST_ID]:
        document["data"] = {"entry": name}
    return document


def _date(entry: Mapping[str, Any]) -> str | None:
    """Return the entry's date as it is written where that is understood, so that a missing time zone stays missing."""
    said = [str(entry[name]).strip() for name in _DATES if entry.get(name)]
    for one in said:
        try:
            parse_date(one)
        except InvalidInputError:
            continue
        return one
    parsed = next((entry[f"{name}_parsed"] for name in _DATES if entry.get(f"{name}_parsed")), None)
    if parsed is not None:
        with suppress(ValueError, OverflowError, OSError):  # no calendar has it
            return datetime.fromtimestamp(timegm(parsed), UTC).isoformat()
    return said[0] if said else None
