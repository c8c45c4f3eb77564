"""Find IBANs: a country code, two check digits, and as many characters as the country has, which satisfy ISO 7064 mod 97-10."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_COUNTRIES: Final = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
LENGTHS: Final = {country: length for length, countries in _COUNTRIES.items() for country in countries.split()}
"""Characters of an IBAN by country (SWIFT IBAN registry, release 99)."""

_SEPARATOR: Final = r"[ \-\u00a0]?"
_START: Final = re.compile(rf"[A-Za-z]{{2}}{_SEPARATOR}[0-9]{_SEPARATOR}[0-9]")
_WHOLE: Final = {
    length: re.compile(rf"[A-Za-z0-9](?:{_SEPARATOR}[A-Za-z0-9]){{{length - 1}}}") for length in _COUNTRIES
}
_STRIP: Final = str.maketrans("", "", " -\u00a0")
_NUMBERS: Final = str.maketrans({chr(55 + number): str(number) for number in range(10, 36)})
"""Letters as the numbers that mod 97-10 counts them as: A is 10, Z is 35."""


def find_ibans(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each IBAN, left to right, none overlapping.

    Example:
        >>> list(find_ibans("to DE89 3704 0044 0532 0130 00 please"))
        [(3, 30)]
    """
    position = 0
    while (found := _START.search(text, position)) is not None:
        start = found.start()
        position = start + 1
        length = LENGTHS.get(text[start : start + 2].upper())
        whole = _WHOLE[length].match(text, start) if length else None
        if whole is not None and _checks(whole.group()):
            position = whole.end()
            yield whole.span()


def _checks(written: str) -> bool:
    iban = written.translate(_STRIP).upper()
    return int((iban[4:] + iban[:4]).translate(_NUMBERS)) % 97 == 1
