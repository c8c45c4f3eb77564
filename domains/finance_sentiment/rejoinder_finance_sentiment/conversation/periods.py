"""Periods that people name, resolved against a clock and a time zone: "this week", "on Tuesday", "since March", "in Q2".

Days, weeks (from Mondays), months, quarters and years are those of the calendar; "the past week" and "the last 30 days" end now. What has
no year is the latest that has begun. No period reaches beyond now.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from rejoinder.slots.formats import find
from rejoinder.slots.kinds import Slot

__all__ = ["Period", "past_days", "read_period"]

_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS: Final = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], 1
    )
} | {"a": 1, "an": 1, "couple of": 2, "a couple of": 2, "few": 3, "a few": 3}
_ORDINALS: Final = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": 4}
_UNIT_DAYS: Final = {"day": 1, "week": 7, "fortnight": 14}
_UNIT_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_DATE: Final = Slot(type="date", title="day", when="past")

_MONTH_NAMES: Final = "|".join(f"{name}|{name[:3]}" for name in _MONTHS) + "|sept"
_DAY_NAMES: Final = "|".join(f"{name}|{name[:3]}|{name[:4]}" for name in _DAYS) + "|thurs"
_UNIT: Final = "hour|day|week|fortnight|month|quarter|year"
_NUMBER: Final = r"\d{1,3}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True))
_YEAR: Final = r"(?:19|20)\d\d"


@dataclass(frozen=True, slots=True)
class Period:
    """A period, and the one that it is compared with.

    Attributes:
        says: what it is called, as in "this week".
        start, end: moments in UTC; documents dated from `start` to before `end` count.
        before_start, before_end: of the period before: of the same calendar unit where there is one, else of the same length.
    """

    says: str
    start: datetime
    end: datetime
    before_start: datetime
    before_end: datetime

    def in_words(self, zone: tzinfo) -> str:
        """Say it with its days, as the time zone has them."""
        first, last = self.start.astimezone(zone), (self.end - timedelta(microseconds=1)).astimezone(zone)
        if self.end - self.start < timedelta(days=2) and first.date() != last.date():
            return f"{self.says} ({first:%-d %b %H:%M} to {last:%-d %b %Y %H:%M})"
        if first.date() == last.date():
            return f"{self.says} ({first:%a %-d %b %Y})"
        return f"{self.says} ({first:%a %-d %b %Y} to {last:%a %-d %b %Y})"

    def to_json(self) -> dict[str, str]:
        """Return what JSON can say."""
        moments = ("start", "end", "before_start", "before_end")
        return {"says": self.says, **{name: getattr(self, name).isoformat() for name in moments}}

    @classmethod
    def from_json(cls, kept: dict[str, str]) -> Period:
        """Return what `to_json` gave."""
        return cls(kept["says"], *map(datetime.fromisoformat, list(kept.values())[1:]))


@dataclass(frozen=True, slots=True)
class _Named:
    """A stretch of the calendar: local days from `first` to before `after`, and how far back the one before it lies."""

    first: date
    after: date
    days: int = 0
    months: int = 0


def past_days(days: int, now: datetime) -> Period:
    """Return the last so many days, up to now."""
    return _rolling(timedelta(days=days), f"the last {days} days", now)


def read_period(text: str, now: datetime, zone: tzinfo, *, earlier: Period | None = None) -> tuple[Period, str] | None:
    """Return the period that a text names, and the text without the words for it; None: it names none.

    Args:
        now: the present moment, aware.
        zone: whose calendar is meant.
        earlier: the period that was spoken of, which "the week before" is before of.

    Example:
        >>> now = datetime(2026, 11, 29, 12, tzinfo=UTC)
        >>> found, rest = read_period("How is Acme this week?", now, UTC)
        >>> found.start.isoformat(), found.before_start.isoformat(), rest
        ('2026-11-23T00:00:00+00:00', '2026-11-16T00:00:00+00:00', 'How is Acme  ?')
    """
    today = now.astimezone(zone).date()
    for pattern, read in _READERS:
        for match in pattern.finditer(text):
            found = read(match, now, today, zone, earlier)
            if found is not None:
                return found, f"{text[: match.start()]} {text[match.end() :]}"
    for day in find(_DATE, text, now.astimezone(zone)):
        first = date.fromisoformat(str(day.value))
        if first <= today:
            said = text[day.start : day.end].removeprefix("on ")
            period = _calendar(f"on {said}", _Named(first, first + timedelta(days=1), days=1), now, zone)
            if period is not None:
                return period, f"{text[: day.start]} {text[day.end :]}"
    return None


# --- what the words mean -------------------------------------------------------------------------------------------

_Reader = Callable[[re.Match[str], datetime, date, tzinfo, Period | None], Period | None]


def _to_date(match: re.Match[str], now: datetime, today: date, zone: tzinfo, _: Period | None) -> Period | None:
    unit = {"w": "week", "m": "month", "q": "quarter", "y": "year"}[match["unit"][0].casefold()]
    named = _unit_of(unit, today, back=False)
    return None if named is None else _calendar(f"the {unit} to date", named, now, zone)


def _between(match: re.Match[str], now: datetime, today: date, zone: tzinfo, _: Period | None) -> Period | None:
    first, last = _stretch(match["first"], today), _stretch(match["last"], today)
    if first is None or last is None or last.after <= first.first:
        return None
    return _calendar(f"from {match['first']} to {match['last']}", _Named(first.first, last.after), now, zone)


def _since(match: re.Match[str], now: datetime, today: date, zone: tzinfo, _: Period | None) -> Period | None:
    found = _stretch(match["first"], today)
    if found is None:
        return None
    return _calendar(f"since {match['first']}", _Named(found.first, today + timedelta(days=1)), now, zone)


def _rolled(match: re.Match[str], now: datetime, _: date, zone: tzinfo, __: Period | None) -> Period | None:
    said = match["number"] or "1"
    number = int(said) if said.isdigit() else _NUMBERS[said.casefold()]
    unit = match["unit"].casefold().rstrip("s")
    unit = "hour" if unit in ("h", "hr") else unit
    if number < 1:
        return None
    if unit in _UNIT_MONTHS:
        local = now.astimezone(zone)
        first = _shifted(local.date(), months=number * _UNIT_MONTHS[unit])
        length = now - datetime(first.year, first.month, first.day, local.hour, local.minute, tzinfo=zone)
    else:
        length = timedelta(hours=number) if unit == "hour" else timedelta(days=number * _UNIT_DAYS[unit])
    says = f"the last {number} {unit}s" if number > 1 else f"the last {unit}"
    return _rolling(length, says, now)


def _preceding(match: re.Match[str], now: datetime, today: date, zone: tzinfo, earlier: Period | None) -> Period | None:
    if earlier is not None:
        length = earlier.start - earlier.before_start
        return Period(
            f"the {match['unit']} before",
            earlier.before_start,
            earlier.before_end,
            earlier.before_start - length,
            earlier.before_end - length,
        )
    named = _stretch(f"last {match['unit']}", today)
    return None if named is None else _calendar(f"the {match['unit']} before", named, now, zone)


def _plain(match: re.Match[str], now: datetime, today: date, zone: tzinfo, _: Period | None) -> Period | None:
    said = " ".join(match["first"].split())
    named = _stretch(said, today)
    if named is None or named.first > today:
        return None
    if not _BARE.match(said):
        return _calendar(said, named, now, zone)
    return _calendar(f"{'on' if named.days == 1 else 'in'} {said}", named, now, zone)


_BARE: Final = re.compile(
    rf"(?:{_DAY_NAMES}|{_MONTH_NAMES})\b|q?\d|(?:the )?(?:first|second|third|fourth) quarter", re.IGNORECASE
)
"""Names that stand with "on" or "in"."""

_POINT: Final = (
    rf"(?:the\s+day\s+before\s+yesterday|today|yesterday|this\s+morning|tonight|overnight|the\s+weekend|"
    rf"(?:this|last|previous)\s+(?:{_UNIT}|weekend|{_DAY_NAMES}|{_MONTH_NAMES})|the\s+(?:previous|current)\s+(?:{_UNIT})|"
    rf"(?:the\s+)?(?:start|beginning)\s+of\s+(?:the|this)\s+(?:week|month|quarter|year)|"
    rf"q[1-4](?:\s+(?:of\s+)?{_YEAR})?|(?:the\s+)?(?:first|1st|second|2nd|third|3rd|fourth|4th)\s+quarter(?:\s+(?:of\s+)?{_YEAR})?|"
    rf"(?:{_MONTH_NAMES})\.?\s+{_YEAR}|(?:{_DAY_NAMES})|(?:{_MONTH_NAMES})|{_YEAR}-\d\d-\d\d|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?"
    rf"(?:{_MONTH_NAMES})(?:\s+{_YEAR})?|{_YEAR})"
)
_LONG_POINT: Final = rf"(?:(?:{_MONTH_NAMES})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+{_YEAR})?|{_POINT})"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$-])(?:{pattern})(?![\w-])", re.IGNORECASE)


_READERS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = (
    (
        _compiled(rf"(?:between|from)\s+(?P<first>{_LONG_POINT})\s+(?:and|to|until|till)\s+(?P<last>{_LONG_POINT})"),
        _between,
    ),
    (_compiled(r"(?P<unit>[wmqy]td|(?:week|month|quarter|year)[\s-]to[\s-]date)"), _to_date),
    (_compiled(rf"(?:ever\s+)?since\s+(?P<first>{_LONG_POINT})"), _since),
    (_compiled(rf"(?:the\s+)?(?P<unit>{_UNIT})\s+before(?:\s+(?:that|then))?"), _preceding),
    (
        _compiled(
            rf"(?:(?:in|over|for|during|within)\s+)?(?:the\s+)?(?:last|past|previous)\s+(?P<number>{_NUMBER})\s*(?P<unit>h|hrs?|(?:{_UNIT})s?)"
        ),
        _rolled,
    ),
    (_compiled(rf"(?:(?:in|over|for|during)\s+)?(?:the\s+)?past\s+(?P<number>(?!))?(?P<unit>{_UNIT})"), _rolled),
    (_compiled(rf"(?:(?:in|over|for|during)\s+)?the\s+last\s+(?P<number>(?!))?(?P<unit>{_UNIT})"), _rolled),
    (_compiled(rf"(?P<number>{_NUMBER})\s+(?P<unit>(?:{_UNIT})s?)"), _rolled),
    # "may" and "march" alone are verbs more often than months
    (
        _compiled(rf"(?:in|on|over|for|during|of|back\s+in)\s+(?P<first>{_POINT})(?!\s+\d)"),
        _plain,
    ),
    (
        _compiled(rf"(?P<first>(?!(?:may|march|mar|sun|sat|mon|wed)(?![\w-]))(?!{_YEAR}(?!-)){_POINT})(?!\s+\d)"),
        _plain,
    ),
)


def _stretch(said: str, today: date) -> _Named | None:
    """Return the stretch of the calendar that words stand for, the latest that has begun."""
    words = [word for word in said.casefold().replace(".", "").replace(",", "").split() if word not in ("the", "of")]
    text = " ".join(words)
    day = timedelta(days=1)
    for reader in (_relative, _by_name, _by_number):
        found = reader(text, words, today)
        if found is not None:
            return found
    for one in find(_DATE, said, datetime(today.year, today.month, today.day, 12, tzinfo=UTC)):
        first = date.fromisoformat(str(one.value))
        return _Named(first, first + day, days=1)
    return None


def _relative(text: str, words: list[str], today: date) -> _Named | None:
    day = timedelta(days=1)
    back = {"today": 0, "this morning": 0, "tonight": 0, "overnight": 0, "yesterday": 1, "day before yesterday": 2}
    if text in back:
        first = today - back[text] * day
        return _Named(first, first + day, days=1)
    if text in ("weekend", "last weekend", "this weekend"):
        saturday = today - ((today.weekday() - 5) % 7) * day
        if text == "last weekend" and today.weekday() >= 5:
            saturday -= 7 * day
        return _Named(saturday, saturday + 2 * day, days=7)
    if len(words) == 2 and words[0] in ("this", "last", "previous", "current") and words[1] in _UNIT.split("|"):
        return _unit_of(words[1], today, back=words[0] in ("last", "previous"))
    if words[0] in ("start", "beginning"):
        return _unit_of(words[-1], today, back=False)
    return None


def _unit_of(unit: str, today: date, *, back: bool) -> _Named | None:
    if unit in _UNIT_MONTHS:
        size = _UNIT_MONTHS[unit]
        first = date(today.year, (today.month - 1) // size * size + 1, 1)
        first = _shifted(first, months=size) if back else first
        return _Named(first, _shifted(first, months=-size), months=size)
    if unit == "hour":
        return None
    size = _UNIT_DAYS[unit]
    first = today - timedelta(days=(today.weekday() if size > 1 else 0) + (size if back else 0))
    return _Named(first, first + timedelta(days=size), days=size)


def _by_name(text: str, words: list[str], today: date) -> _Named | None:
    """Read names of days and months, and quarters."""
    last = words[0] in ("last", "previous")
    name = words[1] if len(words) > 1 and words[0] in ("last", "previous", "this") else words[0]
    for number, full in enumerate(_DAYS):
        if len(words) <= 2 and len(name) >= 3 and full.startswith(name):
            back = (today.weekday() - number) % 7 or (7 if last else 0)
            first = today - timedelta(days=back)
            return _Named(first, first + timedelta(days=1), days=1)
    year = next((int(word) for word in words[1:] if re.fullmatch(_YEAR, word)), None)
    if words[0][:1].isdigit() and not re.fullmatch(r"[1-4](?:st|nd|rd|th)", words[0]):
        return None
    for number, full in enumerate(_MONTHS, 1):
        if len(name) >= 3 and full.startswith("sep" if name == "sept" else name) and not _has_day(words):
            return _months(number, 1, year, today, last=last)
    quarter = re.match(r"q([1-4])\b", text)
    which = int(quarter[1]) if quarter else _ORDINALS.get(words[0]) if "quarter" in words else None
    return None if which is None else _months(3 * which - 2, 3, year, today)


def _by_number(text: str, words: list[str], today: date) -> _Named | None:
    if re.fullmatch(_YEAR, text):
        return _months(1, 12, int(text), today)
    return None


def _has_day(words: list[str]) -> bool:
    return any(re.fullmatch(r"\d{1,2}(?:st|nd|rd|th)?", word) for word in words)


def _months(month: int, size: int, year: int | None, today: date, *, last: bool = False) -> _Named:
    first = date(year or today.year, month, 1)
    current = date(today.year, (today.month - 1) // size * size + 1, 1)
    if year is None and (first > today or (last and first == current)):
        first = date(today.year - 1, month, 1)
    return _Named(first, _shifted(first, months=-size), months=size)


# --- moments -------------------------------------------------------------------------------------------------------


def _calendar(says: str, named: _Named, now: datetime, zone: tzinfo) -> Period | None:
    """Return the period of a stretch, up to now."""
    start, after = _midnight(named.first, zone), _midnight(named.after, zone)
    end = min(after, now.astimezone(UTC))
    if end <= start:
        return None
    if named.days or named.months:
        before = _midnight(_shifted(named.first, days=named.days, months=named.months), zone)
        before_end = start if end == after else min(start, before + (end - start))
    else:
        before, before_end = start - (end - start), start
    return Period(says, start, end, before, before_end)


def _rolling(length: timedelta, says: str, now: datetime) -> Period:
    end = now.astimezone(UTC)
    return Period(says, end - length, end, end - 2 * length, end - length)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _shifted(day: date, *, days: int = 0, months: int = 0) -> date:
    """Return the day so far before; of a shorter month its last."""
    months_since = day.year * 12 + day.month - 1 - months
    year, month = divmod(months_since, 12)
    length = ((date(year + month // 11, (month + 1) % 12 + 1, 1)) - date(year, month + 1, 1)).days
    return date(year, month + 1, min(day.day, length)) - timedelta(days=days)
