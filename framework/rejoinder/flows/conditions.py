"""Whether a condition of a flow holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from rejoinder.flows.language import Condition, OfSlot
from rejoinder.payloads import Json

__all__ = ["holds"]


def holds(condition: Condition, slots: Mapping[str, Json], today: date) -> bool:
    """Tell whether a condition holds for these values; a slot without a value fits no comparison but `filled: false`.

    Example:
        >>> holds(Condition.model_validate({"slot": "total", "over": 100}), {"total": 120.5}, date(2026, 1, 1))
        True
    """
    if condition.all_ is not None:
        return all(holds(one, slots, today) for one in condition.all_)
    if condition.any_ is not None:
        return any(holds(one, slots, today) for one in condition.any_)
    if condition.not_ is not None:
        return not holds(condition.not_, slots, today)
    ((word, operand),) = condition.comparisons.items()
    value = slots.get(condition.slot or "")
    if word == "filled":
        return (value is not None) is bool(operand)
    if isinstance(operand, OfSlot):
        operand = slots.get(operand.slot)
    if value is None or operand is None:
        return False
    return _compare(word, value, operand, today)


def _compare(word: str, value: Json, operand: Any, today: date) -> bool:
    match word:
        case "is":
            return _same(value, operand)
        case "is_not":
            return not _same(value, operand)
        case "is_in":
            return any(_same(value, one) for one in operand)
        case "older_than_days":
            day = _day(value)
            return day is not None and (today - day).days > operand
    left, right = _comparable(value), _comparable(operand)
    if left is None or right is None or type(left) is not type(right):
        return False
    match word:
        case "over":
            return bool(left > right)
        case "at_least":
            return bool(left >= right)
        case "under":
            return bool(left < right)
        case _:
            return bool(left <= right)


def _same(value: Json, other: Json) -> bool:
    if isinstance(value, str) and isinstance(other, str):
        return value.casefold() == other.casefold()
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    return bool(value == other)


def _comparable(value: Json) -> Any:
    """Return a number or a day; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return _day(value)
    return None


def _day(value: Json) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
