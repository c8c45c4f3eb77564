"""Dates as they are written in documents and feeds."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

from rejoinder.errors import InvalidInputError

__all__ = ["parse_date"]


def parse_date(said: str) -> datetime:
    """Return a date as it is written, without a time zone where it names none.

    Raises:
        InvalidInputError: it is neither ISO 8601 nor, as in feeds, RFC 2822.
    """
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(said)
    except (ValueError, TypeError, OverflowError):
        raise InvalidInputError(
            "at: it is no date that is understood; send ISO 8601, such as 2026-03-02T14:05:00Z"
        ) from None
