"""Read the values of slots from what people write.

`read` takes the answer to a question about one slot; `find` looks for a value in a message that may be about anything, and so
wants to see clearer signs. Both give values in a form that JSON can hold: dates as `2026-03-01`, amounts as numbers.

| type | read as | signs that `find` wants |
|---|---|---|
| `order_number` | up to 4 letters, then 3 to 12 digits | the word "order" (or "number", "#") before it, or letters in it |
| `code` | one of the slot's forms | a form with a letter in it, or a word of the slot's title before it |
| `number` | an integer or decimal | never found unasked |
| `amount` | price-parser | a currency |
| `date` | dateparser, at the person's time, in their locale's order of day and month | a day with month or a word such as "yesterday" |
| `email` | email-validator, no look-up | as read |
| `postcode` | 3 to 10 letters and digits with a digit in it | "postcode", "zip" or "zip code" before it |
| `card_last` | four digits | "ending (in)" or "last four (digits)" before them |
| `card` | 12 to 19 digits that pass python-stdnum's Luhn check | as read |
| `iban` | python-stdnum | as read |
| `choice` | words of one of its choices | as read |
| `yes_no` | yes or no | never found unasked |
| `text`, `address` | the whole message | never found unasked |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from rejoinder.payloads import Json
from rejoinder.slots.kinds import Slot

__all__ = ["Found", "find", "problem_with", "read"]

_LONGEST: Final = 1000
"""Characters of a message that are looked at."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and where in the text it stands."""

    value: Json
    start: int
    end: int


_ORDER: Final = re.compile(r"(?<![\w@.-])#?([A-Za-z]{1,4}-?\d{3,12}|\d{3,12})(?![\w@-])(?!\.\d)")
_ORDER_SIGN: Final = re.compile(
    r"(?:\border(?:\s+(?:number|no\.?|nr\.?|id|is|it'?s))*|\bnumber(?:\s+is)?|#)\s*[:#]?\s*$", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"(?<![\w.,])-?\d{1,12}(?:\.\d{1,6})?(?![\w])")
_MONEY: Final = re.compile(
    r"(?:[$€£¥₹]|\b(?:usd|eur|gbp|chf|dollars?|euros?|pounds?)\b)\s?\d[\d.,]*\d|(?:[$€£¥₹]|\b(?:usd|eur|gbp|chf)\b)\s?\d"
    r"|\d[\d.,]*\s?(?:[$€£¥₹]|(?:usd|eur|gbp|chf|dollars?|euros?|pounds?|bucks)\b)",
    re.IGNORECASE,
)
_AMOUNT: Final = re.compile(r"\d[\d.,]*")
_EMAIL: Final = re.compile(r"[^\s<>(),;:\"]{1,64}@[^\s<>(),;:\"@]{1,190}\.[^\s<>(),;:\"@.]{2,24}")
_POSTCODE: Final = re.compile(r"(?<![\w-])[A-Za-z\d]{2,5}(?:[ -]?[A-Za-z]?\d[A-Za-z\d]{0,3})?(?![\w-])")
_POSTCODE_SIGN: Final = re.compile(r"\b(?:post ?code|zip(?: code)?)(?:\s+is)?\s*:?\s*$", re.IGNORECASE)
_FOUR: Final = re.compile(r"(?<!\d)\d{4}(?!\d)")
_FOUR_SIGN: Final = re.compile(
    r"(?:\bending(?:\s+(?:in|with|on))?|\blast\s+(?:four|4)(?:\s+digits?)?(?:\s+(?:is|are))?)\s*:?\s*$", re.IGNORECASE
)
_CARD: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){11,18}(?!\d)")
_IBAN: Final = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z\d]){11,30}")
_DAY_SIGN: Final = re.compile(
    r"\d{1,4}\s*[./-]\s*\d{1,2}\s*[./-]\s*\d{1,4}|\b(?:yesterday|today|tomorrow|ago|last|next|this|mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|satur|sun)"
    r"(?:day)?\b|\d(?:st|nd|rd|th)?\s+(?:of\s+)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+\d",
    re.IGNORECASE,
)
_NO_DAY: Final = re.compile(r"(?<!\w)[A-Za-z]{1,6}-?\d{3,}\b")
"""Codes such as order numbers, which are taken for years."""
_NEAR: Final = 40
"""Characters before and after the first sign of a day that are searched for one."""
_ADDRESS_WORDS: Final = 2
_WORD: Final = re.compile(r"\w+")


def read(slot: Slot, text: str, now: datetime, *, locale: str = "en") -> Json:
    """Return the value that an answer gives a slot, or None: it gives none.

    Args:
        now: the present moment where the person is, for "yesterday".
        locale: the person's, such as "en-GB", for "05/11/2026".

    Example:
        >>> read(Slot(type="amount", title="amount"), "about 12,50 please", datetime(2026, 1, 1))
        12.5
    """
    found = next(_readings(slot, text[:_LONGEST].strip(), now, locale, asked=True), None)
    return None if found is None else found.value


def find(slot: Slot, text: str, now: datetime, *, locale: str = "en") -> list[Found]:
    """Return the values for a slot that a message says unasked, in their order; arguments as `read`.

    Example:
        >>> [one.value for one in find(Slot(type="order_number", title="order number"), "cancel order 1234", datetime(2026, 1, 1))]
        ['1234']
    """
    if slot.is_free or slot.type in ("number", "yes_no"):
        return []
    return list(_readings(slot, text[:_LONGEST], now, locale, asked=False))


def problem_with(slot: Slot, value: Json, today: date) -> str | None:
    """Return why a value that could be read cannot be taken, in words for the person; None where it can.

    Example:
        >>> problem_with(Slot(type="date", title="day", when="past"), "2026-02-01", date(2026, 1, 1))
        'a day in the past'
    """
    if slot.type == "date":
        day = date.fromisoformat(str(value))
        if slot.when == "past" and day > today:
            return "a day in the past"
        if slot.when == "future" and day < today:
            return "a day that is still to come"
        return None
    if slot.type in ("number", "amount"):
        size = float(value)
        if slot.minimum is not None and size < slot.minimum:
            return f"at least {slot.minimum:g}"
        if slot.maximum is not None and size > slot.maximum:
            return f"at most {slot.maximum:g}"
    if slot.is_free:
        if slot.minimum is not None and len(str(value)) < slot.minimum:
            return f"at least {slot.minimum:g} characters"
        if slot.maximum is not None and len(str(value)) > slot.maximum:
            return f"at most {slot.maximum:g} characters"
    return None


def _readings(slot: Slot, text: str, now: datetime, locale: str, *, asked: bool) -> Iterator[Found]:
    match slot.type:
        case "text" | "address":
            yield from _free(slot, text)
        case "yes_no":
            if (said := _yes_or_no(text)) is not None:
                yield Found(said, 0, len(text))
        case "choice":
            yield from _choices(slot, text)
        case "date":
            yield from _dates(slot, text, now, locale)
        case "amount":
            yield from _amounts(text, asked=asked)
        case _:
            yield from _matches(slot, text, asked=asked)


def _matches(slot: Slot, text: str, *, asked: bool) -> Iterator[Found]:
    """Yield what a pattern finds and a check lets pass."""
    pattern, sign, check = _pattern_of(slot)
    for match in pattern.finditer(text):
        signed = sign is None or sign.search(text[: match.start(1) if pattern.groups else match.start()]) is not None
        if not asked and not signed and not _speaks_for_itself(slot, match.group()):
            continue
        value = check(match.group(1) if pattern.groups else match.group())
        if value is not None:
            yield Found(value, *match.span())


def _speaks_for_itself(slot: Slot, text: str) -> bool:
    return (
        slot.type in ("order_number", "code")
        and any(sign.isalpha() for sign in text)
        and any(sign.isdigit() for sign in text)
    )


def _pattern_of(slot: Slot) -> tuple[re.Pattern[str], re.Pattern[str] | None, Callable[[str], Json]]:
    match slot.type:
        case "order_number":
            return _ORDER, _ORDER_SIGN, str.upper
        case "code":
            return _code(slot.forms), _title_sign(slot.title), str.upper
        case "number":
            return _NUMBER, None, lambda text: float(text) if "." in text else int(text)
        case "email":
            return _EMAIL, None, _email
        case "postcode":
            return (
                _POSTCODE,
                _POSTCODE_SIGN,
                lambda text: text.upper() if any(sign.isdigit() for sign in text) else None,
            )
        case "card_last":
            return _FOUR, _FOUR_SIGN, lambda text: text
        case "card":
            return _CARD, None, _card
        case _:
            return _IBAN, None, _iban


@lru_cache(maxsize=256)
def _code(forms: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of a code's forms; `Slot` lets none pass that could take long on some text."""
    classes = {"@": "[A-Za-z]", "#": r"\d", "*": r"[A-Za-z\d]"}
    patterns = []
    for form in forms:
        parts = re.findall(r"([@#*])(\{[\d,]+\})?|([^@#*])", form)
        patterns.append("".join(classes[kind] + count if kind else re.escape(plain) for kind, count, plain in parts))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(patterns)})(?![\w-])", re.IGNORECASE)


@lru_cache(maxsize=256)
def _title_sign(title: str) -> re.Pattern[str]:
    words = "|".join(re.escape(word) for word in _WORD.findall(title))
    return re.compile(rf"\b(?:{words})(?:\s+(?:is|it'?s))?\s*[:#]?\s*$", re.IGNORECASE)


def _email(text: str) -> Json:
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(text.strip(".'"), check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def _card(text: str) -> Json:
    from stdnum import luhn

    digits = re.sub(r"\D", "", text)
    return digits if luhn.is_valid(digits) else None


def _iban(text: str) -> Json:
    from stdnum import iban
    from stdnum.exceptions import ValidationError

    words = text.split()
    for end in range(len(words), 0, -1):  # words that follow it look like part of it
        try:
            return str(iban.validate(" ".join(words[:end])))
        except ValidationError:
            continue
    return None


def _amounts(text: str, *, asked: bool) -> Iterator[Found]:
    from price_parser import Price

    for match in (_AMOUNT if asked and not _MONEY.search(text) else _MONEY).finditer(text):
        amount = Price.fromstring(match.group().rstrip(".,")).amount_float
        if amount is not None:
            yield Found(round(amount, 2), *match.span())


@lru_cache(maxsize=256)
def _date_order(locale: str) -> str:
    """Return the order of day, month and year in dates of numbers, as CLDR has it for a locale: such as "DMY"."""
    from dateparser.languages.loader import default_loader

    language, _, region = locale.replace("_", "-").partition("-")
    for name in (f"{language.lower()}-{region.upper()}", language.lower()):
        try:
            return str(default_loader.get_locale(name).info.get("date_order", "MDY"))
        except ValueError:  # dateparser has no such region, or language
            continue
    return "MDY"


def _dates(slot: Slot, text: str, now: datetime, locale: str) -> Iterator[Found]:
    """Yield the days that are said near the first sign of one: to look through a long text can take most of a second."""
    sign = _DAY_SIGN.search(text)
    if sign is None:
        return
    from dateparser.search import search_dates

    begin = text.rfind(" ", 0, max(0, sign.start() - _NEAR)) + 1
    end = text.find(" ", sign.end() + _NEAR)
    near = text[begin : end if end >= 0 else None][: 4 * _NEAR]
    for pattern in (_NO_DAY, _MONEY):
        near = pattern.sub(lambda match: " " * len(match.group()), near)

    settings = {
        "DATE_ORDER": _date_order(locale),
        "RELATIVE_BASE": now.replace(tzinfo=None),
        "PREFER_DATES_FROM": {"past": "past", "future": "future"}.get(slot.when, "current_period"),
    }
    for written, moment in search_dates(near, languages=["en"], settings=settings) or ():
        if _DAY_SIGN.search(written):
            start = begin + near.find(written)
            yield Found(moment.date().isoformat(), start, start + len(written))


def _choices(slot: Slot, text: str) -> Iterator[Found]:
    """Yield the choice whose words a text says; none where it says those of two."""
    found: dict[str, Found] = {}
    for value, phrases in slot.choices.items():
        for phrase in (value.replace("_", " "), *phrases):
            match = re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE)
            if match is not None and (
                value not in found or match.end() - match.start() > found[value].end - found[value].start
            ):
                found[value] = Found(value, *match.span())
    longest = [
        one
        for one in found.values()
        if not any(other.start <= one.start and one.end <= other.end and other is not one for other in found.values())
    ]
    if len(longest) == 1:
        yield longest[0]


def _free(slot: Slot, text: str) -> Iterator[Found]:
    value = " ".join(text.split())
    if not any(sign.isalnum() for sign in value):
        return
    if slot.type == "address" and (not any(sign.isdigit() for sign in value) or len(value.split()) < _ADDRESS_WORDS):
        return
    yield Found(value, 0, len(text))


_YES: Final = frozenset(
    ("yes", "yeah", "yep", "yup", "sure", "y", "true", "i do", "i have", "correct", "ok", "okay", "of course")
)
_NO: Final = frozenset(
    ("no", "nope", "nah", "n", "false", "i dont", "i do not", "i havent", "i have not", "not really", "none")
)


def _yes_or_no(text: str) -> bool | None:
    said = " ".join(_WORD.findall(text.casefold().replace("'", "").replace("’", "")))
    first = said.split(" ", 1)[0]
    if said in _YES or first in ("yes", "yeah", "yep", "yup", "sure"):
        return True
    return False if said in _NO or first in ("no", "nope", "nah") else None
