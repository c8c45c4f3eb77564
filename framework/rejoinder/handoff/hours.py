"""When people are there: opening hours of a week, in a time zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rejoinder.errors import InvalidInputError, did_you_mean

__all__ = ["OpeningHours", "time_zone_of"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINE: Final = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? +(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """The hours of a week at which people are there; no line at all means always.

    Attributes:
        spans: for each line the days (0 is Monday), and the times from (included) to (excluded); None: to the end of the day.
    """

    spans: tuple[tuple[frozenset[int], time, time | None], ...] = ()

    @classmethod
    def read(cls, lines: Sequence[str]) -> OpeningHours:
        """Return the hours that lines such as "mon-fri 09:00-17:30" and "sat 10:00-14:00" say; "24:00" is the end of a day.

        Raises:
            InvalidInputError: a line says something else; the text names it.

        Example:
            >>> hours = OpeningHours.read(["mon-fri 09:00-17:00"])
            >>> [hours.are_on(datetime(2026, 1, day, 9)) for day in (2, 3)]  # a Friday and a Saturday
            [True, False]
        """
        return cls(tuple(_span(line) for line in lines))

    def are_on(self, local: datetime) -> bool:
        """Tell whether people are there, at a moment of the clock on their wall."""
        now = local.time()
        return not self.spans or any(
            local.weekday() in days and begin <= now and (end is None or now < end) for days, begin, end in self.spans
        )


@lru_cache(maxsize=256)
def time_zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name in the IANA database, such as "Europe/Lisbon".

    Raises:
        InvalidInputError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            f"there is no time zone {name[:60]!r}: use a name such as 'UTC' or 'Europe/Lisbon'"
        ) from None


def _span(line: str) -> tuple[frozenset[int], time, time | None]:
    said = _LINE.fullmatch(line.strip().lower())
    if said is None:
        raise InvalidInputError(f"opening hours {line[:60]!r}: expected a line like 'mon-fri 09:00-17:30'")
    first = _day(said[1], line)
    last = first if said[2] is None else _day(said[2], line)
    days = frozenset((first + more) % 7 for more in range((last - first) % 7 + 1))
    begin, end = _time(said[3], said[4], line), _time(said[5], said[6], line)
    if begin is None or (end is not None and end <= begin):
        raise InvalidInputError(
            f"opening hours {line[:60]!r}: they end before they begin; write two lines around midnight"
        )
    return days, begin, end


def _day(name: str, line: str) -> int:
    if name not in _DAYS:
        raise InvalidInputError(
            f"opening hours {line[:60]!r}: there is no day {name!r}.{did_you_mean(name, _DAYS)} Days: {', '.join(_DAYS)}"
        )
    return _DAYS.index(name)


def _time(hour: str, minute: str, line: str) -> time | None:
    """Return a time of a day; None for 24:00."""
    if (int(hour), int(minute)) == (24, 0):
        return None
    try:
        return time(int(hour), int(minute))
    except ValueError:
        raise InvalidInputError(f"opening hours {line[:60]!r}: there is no time {hour}:{minute}") from None
