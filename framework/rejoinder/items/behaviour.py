"""What people do with items: the kinds of events that count, and for how much."""

from __future__ import annotations

import math
from typing import Final

from rejoinder.errors import InvalidInputError
from rejoinder.events.settings import TenantEventSettings

__all__ = ["KINDS", "NEGATIVE", "check_behaviour", "strength"]

_STRENGTHS: Final = {
    "view": 0.25,
    "click": 0.5,
    "comment": 0.5,
    "share": 0.75,
    "add": 0.75,
    "like": 1.0,
    "buy": 1.0,
    "dislike": -1.0,
    "dismiss": -0.5,
}
KINDS: Final = frozenset({*_STRENGTHS, "rate"})
"""The kinds of events that are behaviour towards an item."""
NEGATIVE: Final = frozenset({"dislike", "dismiss"})


def strength(kind: str, data: object, rules: TenantEventSettings) -> float:
    """Return how much an event speaks for its item, -1 to 1; a rating by its place on the tenant's scale, the middle being 0."""
    if kind != "rate":
        return _STRENGTHS[kind]
    value = data.get("value") if isinstance(data, dict) else None
    if not isinstance(value, int | float):
        return 0.0
    low, high = rules.rating_scale
    return max(-1.0, min(1.0, 2 * (value - low) / (high - low) - 1))


def check_behaviour(
    kind: str,
    user_id: str | None,
    session_id: str | None,
    item_id: str | None,
    data: object,
    rules: TenantEventSettings,
) -> None:
    """Do nothing where an event says all that its kind needs.

    Raises:
        InvalidInputError: it is behaviour, and names no item or nobody who did it, or its rating is missing or off the scale.
    """
    if kind not in KINDS:
        return
    if item_id is None:
        raise InvalidInputError(f"item_id: a {kind} needs one")
    if user_id is None and session_id is None:
        raise InvalidInputError(f"user_id: a {kind} needs one, or a session_id")
    if kind != "rate":
        return
    value = data.get("value") if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInputError("data.value: a rating is a number")
    low, high = rules.rating_scale
    if not low <= value <= high:
        raise InvalidInputError(
            f"data.value: the rating {value:g} is off the scale {low:g} to {high:g} (the setting events.rating_scale)"
        )
