"""What somebody wants to be told of, read from their words as a condition."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError
from rejoinder.monitoring.rules import Comparison, Condition, Measure

__all__ = ["read_condition"]

_NUMBERS: Final = {
    "zero": 0.0, "half": 0.5, "a half": 0.5, "a third": 1 / 3, "one third": 1 / 3, "a quarter": 0.25, "two thirds": 2 / 3,
    "three quarters": 0.75, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0,
    "nine": 9.0, "ten": 10.0, "twenty": 20.0, "fifty": 50.0, "hundred": 100.0,
}  # fmt: skip
_NUMBER: Final = (
    r"(?:(?P<minus>minus|negative)\s+)?(?P<number>[-−+]?\d+(?:[.,]\d+)?|"
    + "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True))
    + r")\s*(?P<percent>%|per ?cent|percent)?"
)
_BELOW: Final = r"below|under|beneath|less than|lower than|fewer than|drops? to|falls? to|down to|sinks? to|<"
_ABOVE: Final = r"above|over|more than|higher than|greater than|at least|exceed(?:s|ing)?|rises? to|reach(?:es)?|up to|tops?|passes|>"
_HOURS: Final = {"hour": 1.0, "day": 24.0, "week": 168.0, "month": 720.0}

_TIMES: Final = re.compile(
    r"\b(?:(?P<word>doubl\w*|twice|tripl\w*|trebl\w*|threefold|twofold|fourfold|quadrupl\w*)|"
    r"(?P<times>\d+(?:\.\d+)?)\s*(?:times|x|-?fold)|(?:by|up)\s+(?P<more>\d+)\s*(?:%|per ?cent|percent))",
    re.IGNORECASE,
)
_COMPARED: Final = re.compile(rf"(?:(?P<below>{_BELOW})|(?P<above>{_ABOVE}))\s*{_NUMBER}(?![\w])", re.IGNORECASE)
_BARE: Final = re.compile(r"\b(?:at|to|of)\s+" + _NUMBER + r"(?![\w])", re.IGNORECASE)
_WINDOW: Final = re.compile(
    r"\b(?:with?in|in|over|during|for|per|an?|every)\s+(?:the\s+)?(?:last\s+|past\s+|next\s+)?"
    r"(?P<number>\d+|one|two|three|four|five|six|seven|eight|nine|ten)?\s*(?P<unit>hour|day|week|month)s?\b",
    re.IGNORECASE,
)
_NAMED_TIMES: Final = re.compile(r"\b(?:mentioned|named|discussed|quoted)\b.*\d\s*times", re.IGNORECASE)
_DAILY: Final = {"hourly": 1.0, "daily": 24.0, "weekly": 168.0}
_BAD: Final = re.compile(r"\b(?:bad|negative|adverse|critical|poor)\b", re.IGNORECASE)
_COUNTS: Final = re.compile(
    r"\b(?:news|press|mentioned|named|discussed|quoted|texts?|articles?|stor(?:y|ies)|mentions?|documents?|posts?|headlines?|coverage|publicity|volume|chatter|tweets?)\b",
    re.IGNORECASE,
)
_SHARE: Final = re.compile(
    r"\b(?:share|fraction|proportion|percentage)\b|%|\bper ?cent\b|\b(?:half|third|quarter)\b", re.IGNORECASE
)
_TURNS: Final = re.compile(
    r"\b(?:turns?|gets?|goes|becomes?|is|are|swings?|flips?)\s+(?:to\s+)?(?P<sign>negative|bad|positive|good)\b",
    re.IGNORECASE,
)


def read_condition(text: str, *, hours: float, documents: int) -> Condition | None:
    """Return the condition that words set, without the company's name; None where they set none, or one that cannot be.

    Args:
        hours, documents: the window and the least number of documents where they say nothing of it.

    Example:
        >>> found = read_condition("when bad news on  doubles within 6 hours", hours=24, documents=3)
        >>> found.measure, found.comparison, found.threshold, found.window_hours
        ('negative_count', 'times', 2.0, 6.0)
    """
    window, rest = _window(text)
    said = _times(rest) or _compared(rest) or _turned(rest)
    if said is None:
        return None
    measure, comparison, threshold = said
    try:
        return Condition(
            measure=measure,
            comparison=comparison,
            threshold=threshold,
            window_hours=window or hours,
            least_documents=documents,
        )
    except ValidationError:
        return None


def _window(text: str) -> tuple[float | None, str]:
    """Return the hours that are named, and the text without them."""
    match = _WINDOW.search(text)
    if match is None:
        for word, hours in _DAILY.items():
            if re.search(rf"\b{word}\b", text, re.IGNORECASE):
                return hours, text
        return None, text
    said = (match["number"] or "1").casefold()
    number = float(said) if said.isdigit() else _NUMBERS[said]
    return number * _HOURS[match["unit"].casefold()], f"{text[: match.start()]} {text[match.end() :]}"


def _times(text: str) -> tuple[Measure, Comparison, float] | None:
    match = _TIMES.search(text)
    if match is None or (_SHARE.search(text) and match["more"] is None) or _NAMED_TIMES.search(text):
        return None
    if match["times"]:
        factor = float(match["times"])
    elif match["more"]:
        factor = 1.0 + float(match["more"]) / 100.0
    else:
        word = match["word"].casefold()
        factor = (
            2.0 if word.startswith(("doubl", "twi", "twofold")) else 4.0 if word.startswith(("quad", "four")) else 3.0
        )
    return ("negative_count" if _BAD.search(text) else "count"), "times", factor


def _compared(text: str) -> tuple[Measure, Comparison, float] | None:
    match = _COMPARED.search(text) or _BARE.search(text)
    if match is None:
        return None
    groups = match.groupdict()
    value = _number(groups)
    measure = _measure(text, groups, value)
    if groups.get("percent"):
        value /= 100.0
    if groups.get("below"):
        return measure, "below", value
    if groups.get("above"):
        return measure, "above", value
    falls = measure == "sentiment" and value <= 0
    return measure, "below" if falls else "above", value


def _measure(text: str, groups: dict[str, str | None], value: float) -> Measure:
    number = (groups["number"] or "").casefold()
    bad = _BAD.search(re.sub(r"\b(?:negative)\s+(?=\d)", "", text, flags=re.IGNORECASE)) is not None
    if groups["percent"] or (bad and (_SHARE.search(text) or number in ("half", "a half"))):
        return "negative_share"
    if bad and _COUNTS.search(text):
        return "negative_count"
    if _COUNTS.search(text) and abs(value) > 1 and not re.search(r"\b(?:sentiment|mood|tone)\b", text, re.IGNORECASE):
        return "count"
    return "sentiment"


def _turned(text: str) -> tuple[Measure, Comparison, float] | None:
    match = _TURNS.search(text)
    if match is None:
        return None
    return "sentiment", "below" if match["sign"].casefold() in ("negative", "bad") else "above", 0.0


def _number(groups: dict[str, str | None]) -> float:
    said = (groups["number"] or "").casefold()
    value = _NUMBERS[said] if said in _NUMBERS else float(said.replace("−", "-").replace(",", "."))
    return -abs(value) if groups.get("minus") else value
