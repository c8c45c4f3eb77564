"""What a message says of slots: new values, another one than before, or the one before that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rejoinder.payloads import ConversationState, Json
from rejoinder.payloads import Slot as Value
from rejoinder.slots import Slot
from rejoinder.slots.formats import find, problem_with, read

from rejoinder_plugins.dialogue.phrases import normalised, word_set
from rejoinder_plugins.flows.words import says_other

__all__ = ["EARLIER", "Mention", "said_values", "updated"]

EARLIER: Final = ".earlier"
"""What the name of the slot ends in that holds a slot's earlier values, the latest first."""

_ANOTHER: Final = word_set("other another different previous first one before")


@dataclass(frozen=True, slots=True)
class Mention:
    """A value for a slot that a learned model found in a message: its words, and how sure it is in [0, 1]."""

    slot: str
    text: str
    confidence: float


def said_values(
    kinds: Mapping[str, Slot], text: str, mentions: Iterable[Mention], now: datetime
) -> dict[str, list[tuple[Json, float]]]:
    """Return the values that a message says for each slot, in order, with how sure that is; checked formats before learned finds.

    A number that one slot's format takes for sure is not taken by a learned find of another.

    Args:
        now: the present moment where the person is.
    """
    found: dict[str, list[tuple[Json, float]]] = {}
    taken: set[str] = set()
    for name, kind in kinds.items():
        for one in find(kind, text, now):
            if problem_with(kind, one.value, now.date()) is None:
                found.setdefault(name, []).append((one.value, 1.0))
                taken.add(text[one.start : one.end].casefold())
    for mention in mentions:
        mentioned = kinds.get(mention.slot)
        if mentioned is None or mention.slot in found or mention.text.casefold() in taken:
            continue
        value = " ".join(mention.text.split()) if mentioned.is_free else read(mentioned, mention.text, now)
        if value is not None and problem_with(mentioned, value, now.date()) is None:
            found.setdefault(mention.slot, []).append((value, mention.confidence))
    return found


def updated(
    kinds: Mapping[str, Slot],
    text: str,
    said: Mapping[str, list[tuple[Json, float]]],
    state: ConversationState,
    *,
    keep: int,
) -> list[Value]:
    """Return the slots that a message changes, with their new values and what they were before.

    Where a message says that something was not so ("no, 4567"; "not 1234 but 4567"), the value that it denies is not taken again. Where it
    asks for the other one of a slot by its title ("no, the other order"), the value before comes back; where there is none, the slot is
    emptied (its value is None), so that it can be asked for.

    Args:
        keep: how many earlier values are kept of a slot that is no secret.
    """
    denies = says_other(text)
    words = set(normalised(text).split())
    changed: list[Value] = []
    for name, kind in kinds.items():
        before = state.slots.get(name)
        old = None if before is None else before.value
        earlier = _earlier(state, name)
        values = said.get(name, [])
        if denies and len(values) > 1:
            values = [one for one in values if one[0] != old and not _is_denied(text, one[0])] or values
        if values:
            value, confidence = values[0]
            others = [one for one, _ in values[1:]]
        elif denies and old is not None and words & _ANOTHER and words & set(normalised(kind.title).split()):
            value, confidence, others = (earlier[0] if earlier else None), 1.0, []
        else:
            continue
        changed.append(Value(name=name, value=value, confidence=confidence, sensitive=kind.is_secret))
        past = [one for one in dict.fromkeys((*others, old, *earlier)) if one is not None and one != value][:keep]
        if past != earlier and not kind.is_secret:
            changed.append(Value(name=name + EARLIER, value=past))
    return changed


def _earlier(state: ConversationState, name: str) -> list[Json]:
    slot = state.slots.get(name + EARLIER)
    return list(slot.value) if slot is not None else []


def _is_denied(text: str, value: Json) -> bool:
    """Tell whether "not" or "isn't" stands right before a value."""
    said = normalised(text)
    return any(f"{word} {normalised(str(value))}" in said for word in ("not", "isnt", "wasnt", "instead of"))
