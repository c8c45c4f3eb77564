"""Find card and phone numbers in a text: runs of digits, split at separators into groups, of which windows are looked at.

All is linear in the text: the pattern of a run never backtracks, and a window is checked with sums kept for all prefixes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final

_RUN: Final = re.compile(r"\+?\d(?:[ \t\u00a0\u2009\u202f()./_\u2010-\u2015\-]{0,3}+\d){6,}+")
"""Seven digits or more with at most three separators between two of them; possessive, so that it never backtracks."""

_GROUP: Final = re.compile(r"\d+")

_SHORTEST_CARD: Final = 13
_CARD_LENGTHS: Final = {
    "2": (16,),
    "3": (16, 15, 14),
    "4": (19, 16, 13),
    "5": (19, 18, 16, 15, 14, 13),
    "6": (19, 18, 17, 16, 15, 14, 13),
    "8": (19, 16),
}
"""Digits of a card number, longest first, by its first digit (ISO/IEC 7812; Visa 4, Mastercard 2 and 5, ...)."""

_PLAIN: Final = {ord(str(digit)): digit for digit in range(10)}
_DOUBLED: Final = dict(zip(_PLAIN, (0, 2, 4, 6, 8, 1, 3, 5, 7, 9), strict=True))
"""What a digit, plain and doubled, adds to the Luhn sum."""

_INTERNATIONAL: Final = range(15, 7, -1)
_DIALLED: Final = range(17, 9, -1)
_NATIONAL: Final = range(11, 8, -1)
"""Digits of a phone number, longest first: with a plus, with 00 (which count), with a single 0."""

_DATE: Final = re.compile(r"(?:\d{1,2}[./\-]\d{1,2}[./\-]\d{2,4}|\d{4}[./\-]\d{1,2}[./\-]\d{1,2})(?!\d)")


class Run:
    """A run of digits in a text, and the groups into which separators split it.

    Attributes:
        digits: all digits of the run, as ASCII.
        starts: where each group starts in the text.
        ends: where each group ends in the text.
        firsts: how many digits of the run stand before each group.
        group_ending_at: the group after which so many digits of the run have passed.
    """

    __slots__ = ("digits", "ends", "firsts", "group_ending_at", "starts", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        spans = [group.span() for group in _GROUP.finditer(text, start, end)]
        self.starts = [one for one, _ in spans]
        self.ends = [other for _, other in spans]
        digits = "".join([text[one:other] for one, other in spans])
        self.digits = digits if digits.isascii() else "".join([str(int(digit)) for digit in digits])
        counts = list(accumulate([other - one for one, other in spans]))
        self.firsts = [0, *counts[:-1]]
        self.group_ending_at = {count: group for group, count in enumerate(counts)}


def runs(text: str) -> list[Run]:
    """Return the runs of seven digits or more."""
    return [Run(text, *found.span()) for found in _RUN.finditer(text)]


def find_cards(run: Run) -> Iterator[tuple[int, int]]:
    """Yield start and end of each card number of a run: groups that make up a length its issuer uses, with a right check digit."""
    if len(run.digits) < _SHORTEST_CARD:
        return
    sums = _luhn_sums(run.digits)
    digits, group_ending_at = run.digits, run.group_ending_at
    after = -1
    for group, first in enumerate(run.firsts):
        if group <= after or digits[first] not in _CARD_LENGTHS:
            continue
        for length in _CARD_LENGTHS[digits[first]]:
            end = first + length
            last = group_ending_at.get(end)
            if last is not None and (sums[end % 2][end] - sums[end % 2][first]) % 10 == 0:
                yield run.starts[group], run.ends[last]
                after = last
                break


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Return the Luhn sums of all prefixes, for numbers that end at an even and at an odd place: every second digit is doubled."""
    at_even, at_odd = digits[::2], digits[1::2]  # places 0, 2, ... and 1, 3, ...
    even: list[int] = [0] * len(digits)
    odd = even.copy()
    even[::2], even[1::2] = [_DOUBLED[ord(one)] for one in at_even], [_PLAIN[ord(one)] for one in at_odd]
    odd[::2], odd[1::2] = [_PLAIN[ord(one)] for one in at_even], [_DOUBLED[ord(one)] for one in at_odd]
    return [0, *accumulate(even)], [0, *accumulate(odd)]


def find_phones(run: Run) -> Iterator[tuple[int, int]]:
    """Yield start and end of each phone number of a run; what stands before the first digit (a plus, a bracket) is part of it."""
    after = -1
    for group, (start, end) in enumerate(zip(run.starts, run.ends, strict=True)):
        may_begin = end - start in (1, 3) or run.digits[run.firsts[group]] == "0" or _with_lead(run.text, start) < start
        if group > after and may_begin and (last := _phone_from(run, group)) is not None:
            yield _with_lead(run.text, start), run.ends[last]
            after = last


def _phone_from(run: Run, group: int) -> int | None:
    """Return the last group of the longest phone number that begins with this group."""
    start, first = run.starts[group], run.firsts[group]
    with_lead = _with_lead(run.text, start)
    if run.text[with_lead] == "+":
        lengths = _INTERNATIONAL
    elif run.digits[first] == "0":
        second, third = run.digits[first + 1 : first + 2], run.digits[first + 2 : first + 3]
        lengths = _NATIONAL if second != "0" else _DIALLED if third != "0" else range(0)
    else:
        return _north_american(run, group)
    for length in lengths:
        last = run.group_ending_at.get(first + length)
        if last is not None and _stands_alone(run.text, with_lead, run.ends[last]):
            return last
    return None


def _north_american(run: Run, group: int) -> int | None:
    """Return the last group of a number written 3-3-4, such as 555-010-1234 or (555) 010-1234, with or without a leading 1."""
    area = group
    if run.ends[group] - run.starts[group] == 1:
        if run.digits[run.firsts[group]] != "1":
            return None
        area += 1
    spans = list(zip(run.starts[area : area + 3], run.ends[area : area + 3], strict=True))
    if [end - start for start, end in spans] != [3, 3, 4] or run.digits[run.firsts[area]] in "01":
        return None
    gaps = [run.text[one[1] : other[0]].strip() for one, other in pairwise(spans)]
    if any(gap not in ("", "-", ".", ")", ")-") for gap in gaps):
        return None
    return area + 2 if _stands_alone(run.text, run.starts[group], spans[2][1]) else None


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether no letter touches a number, and it is no date."""
    return not (
        (start and text[start - 1].isalnum()) or (end < len(text) and text[end].isalpha()) or _DATE.match(text, start)
    )


def _with_lead(text: str, start: int) -> int:
    """Return where a number begins, its opening bracket and plus included."""
    if start and text[start - 1] == "(":
        start -= 1
    if start and text[start - 1] == "+":
        start -= 1
    return start
