"""Moments as options of commands."""

from __future__ import annotations

from datetime import UTC, datetime

from rejoinder.errors import InvalidInputError

__all__ = ["parse_moment"]


def parse_moment(text: str | None, option: str) -> datetime | None:
    """Return the moment that an option names, in UTC where it names no time zone; None: the option was not given.

    Raises:
        InvalidInputError: it is no moment.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"{option}: expected a moment such as 2026-01-31T12:00:00Z, not {text!r}") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
