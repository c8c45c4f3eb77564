"""How the allowed error is spent over several attempts on the same held-back examples.

A test at 5% that is repeated until it passes passes in the end. So each attempt gets a part of the error only, and the parts together
are never more than all of it, however many attempts follow: the chance that any of them lets a model through that is no better stays
below the stated rate. Fresh examples are a fresh budget: see `attempt_number`.
"""

from __future__ import annotations

from typing import Final

_POWER: Final = 1.6
_ZETA: Final = 2.2857656
"""The sum of k ** -1.6 over all k >= 1."""

FRESH_SHARE: Final = 0.5
"""When half of the rows were in no attempt before, the count of attempts begins anew."""


def error_of_attempt(attempt: int, *, error: float) -> float:
    """Return the part of the error that one attempt may spend: error * attempt ** -1.6 / zeta(1.6).

    The first gets 0.44 of it, the tenth 0.011. The exponent is the one that keeps most for late attempts among those that were tried for
    streams of tests.

    Args:
        attempt: 1 for the first.
        error: for all attempts together, in (0, 1).

    Source: alpha spending for a stream of hypotheses, Foster & Stine 2008, Alpha-investing, JRSS B 70:429, section 2; the series as in
    Javanmard & Montanari 2018, Online rules for control of false discovery rate, Annals of Statistics 46:526.

    Raises:
        ValueError: a number is out of range.
    """
    if attempt < 1 or not 0 < error < 1:
        raise ValueError(f"attempt must be >= 1 and error in (0, 1), not {attempt} and {error}")
    share: float = attempt**-_POWER / _ZETA
    return error * share


def attempt_number(seen: list[frozenset[str]], rows: frozenset[str]) -> int:
    """Return the number of an attempt on these rows, after those that were made on `seen`, oldest first.

    Attempts count from the last time that at least half of the rows were new: what the models were chosen by before tells little of those.

    Args:
        seen: ids of the rows of each earlier attempt.
        rows: ids of the rows of this one.

    Example:
        >>> attempt_number([frozenset("ab"), frozenset("abc")], frozenset("abcd"))
        3
        >>> attempt_number([frozenset("ab"), frozenset("abc")], frozenset("abcdefgh"))
        1
    """
    number = 1
    known: set[str] = set()
    for attempt in [*seen, rows]:
        fresh = len(attempt - known)
        number = 1 if not known or fresh >= FRESH_SHARE * len(attempt) else number + 1
        known |= attempt
    return number
