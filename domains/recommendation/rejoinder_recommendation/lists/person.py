"""What is known of whoever wants a list: what they did with items, and what they were shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rejoinder.payloads import Decision, Event

from rejoinder_recommendation.histories import Bools, Floats, Ints

if TYPE_CHECKING:
    from rejoinder_recommendation.lists.shelf import Shelf

__all__ = ["Person", "person_from"]

_MOST: Final = 10
_HALF_LIFE: Final = 3.0
"""An item so many items ago counts half."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A person as the ranker sees them.

    Attributes:
        items: (n), places of the last items that they turned to, the latest first.
        weights: (n), how much each says of what they want now, > 0.
        done: (items), what they clicked, bought, rated or put away.
        shown: (m), items that they were shown in lists.
        welcome: (m), 1 where they turned to the item after the list, else 0.
        history: places of all items that they turned to, and when (seconds since the epoch), oldest first.
    """

    items: Ints
    weights: Floats
    done: Bools
    shown: Ints
    welcome: Floats
    history: tuple[tuple[int, float], ...] = ()


def person_from(
    shelf: Shelf,
    events: Sequence[Event],
    lists: Sequence[Decision],
    strength: Callable[[str, Any], float],
    like: Sequence[str] = (),
) -> Person:
    """Return what is known.

    Args:
        events, lists: oldest first.
        strength: how much an event speaks for its item, by kind and data.
        like: ids of items that they name now: they count as if turned to a moment ago.
    """
    opinions: dict[int, float] = {}
    moments: dict[int, float] = {}
    done = np.zeros(len(shelf), dtype=bool)
    for event in events:
        place = shelf.catalogue.place.get(event.item_id or "")
        if place is None:
            continue
        value = strength(event.kind, event.data)
        opinions.pop(place, None)
        opinions[place] = value
        moments[place] = event.at.timestamp()
        done[place] |= event.kind != "view"
    for place in shelf.places(like).tolist():
        opinions.pop(place, None)
        opinions[place] = 1.0
        moments[place] = max(moments.values(), default=0.0) + 1.0
    history = tuple((place, moments[place]) for place, value in opinions.items() if value > 0)
    liked = [place for place, value in reversed(opinions.items()) if value > 0][:_MOST]
    weights = [opinions[place] * 2.0 ** (-age / _HALF_LIFE) for age, place in enumerate(liked)]
    shown, welcome = _said_of_lists(shelf, events, lists, strength)
    return Person(
        np.array(liked, dtype=np.int64),
        np.array(weights),
        done,
        np.array(shown, dtype=np.int64),
        np.array(welcome),
        history,
    )


def _said_of_lists(
    shelf: Shelf, events: Sequence[Event], lists: Sequence[Decision], strength: Callable[[str, Any], float]
) -> tuple[list[int], list[float]]:
    """Each shown item counts once a list; the last list counts only where something was done since, since it may still be looked at."""
    shown, welcome = [], []
    for number, one in enumerate(lists):
        after = [event for event in events if event.at >= one.at]
        if number + 1 < len(lists):
            after = [event for event in after if event.at < lists[number + 1].at] if after else after
        elif not after:
            continue
        value_of = {event.item_id: strength(event.kind, event.data) for event in after}
        for item in one.chosen:
            place = shelf.catalogue.place.get(item)
            if place is not None:
                shown.append(place)
                welcome.append(max(0.0, value_of.get(item, 0.0)))
    return shown, [1.0 if value > 0 else 0.0 for value in welcome]
