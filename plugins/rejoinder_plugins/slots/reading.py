"""What a message says of slots: new values, another one than before, or the one before that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rejoinder.payloads import ConversationState, Json
from rejoinder.payloads import Slot as Value
from rejoinder.slots import Slot
from rejoinder.slots.formats import find, problem_with, read
from rejoinder.word_sets import word_set

from rejoinder_plugins.dialogue.phrases import normalised
from rejoinder_plugins.flows.words import denies_next, says_other

__all__ = ["EARLIER", "Mention", "Said", "has_cue", "said_values", "updated"]

EARLIER: Final = ".earlier"
"""What the name of the slot ends in that holds a slot's earlier values, the latest first."""

_WITH_SIGNS: Final = frozenset(("order_number", "amount", "email", "postcode", "card_last", "card", "iban"))
"""Kinds of values that hold a digit or an @: most messages have neither, and need not be searched for them."""
_ANOTHER: Final = word_set("other another different previous first one before")


@dataclass(frozen=True, slots=True)
class Mention:
    """A value for a slot that a learned model found in a message: its words, and how sure it is in [0, 1]."""

    slot: str
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Said:
    """A value that a message says for a slot, how sure that is in [0, 1], and whether the message says that it is not so ("not 1234")."""

    value: Json
    confidence: float
    is_denied: bool


def has_cue(text: str, cues: Collection[str]) -> bool:
    """Tell whether a message may say a value that only the learned model finds: it holds a digit, or one of these words.

    Example:
        >>> [has_cue(text, {"broken"}) for text in ("The kettle is Broken!", "at 14 Mill Lane", "where is my parcel")]
        [True, True, False]
    """
    return not cues or any(sign.isdigit() for sign in text) or not set(cues).isdisjoint(normalised(text).split())


def said_values(
    kinds: Mapping[str, Slot], text: str, mentions: Iterable[Mention], now: datetime, locale: str
) -> dict[str, list[Said]]:
    """Return the values that a message says for each slot, in order, with how sure that is; checked formats before learned finds.

    A number that one slot's format takes for sure is not taken by a learned find of another.

    Args:
        now: the present moment where the person is.
        locale: the person's, such as "en-GB".
    """
    found: dict[str, list[Said]] = {}
    taken: set[str] = set()
    has_signs = "@" in text or any(sign.isdigit() for sign in text)
    for name, kind in kinds.items():
        if kind.type in _WITH_SIGNS and not has_signs:
            continue
        for one in find(kind, text, now, locale=locale):
            if problem_with(kind, one.value, now.date()) is None:
                denied = denies_next(text[: one.start], kind.title)
                found.setdefault(name, []).append(Said(one.value, 1.0, denied))
                taken.add(text[one.start : one.end].casefold())
    for mention in mentions:
        mentioned = kinds.get(mention.slot)
        if mentioned is None or mention.slot in found or mention.text.casefold() in taken:
            continue
        value = (
            " ".join(mention.text.split()) if mentioned.is_free else read(mentioned, mention.text, now, locale=locale)
        )
        if value is not None and problem_with(mentioned, value, now.date()) is None:
            before = text[: max(0, text.find(mention.text))]
            found.setdefault(mention.slot, []).append(
                Said(value, mention.confidence, denies_next(before, mentioned.title))
            )
    return found


def updated(
    kinds: Mapping[str, Slot],
    text: str,
    said: Mapping[str, list[Said]],
    state: ConversationState,
    *,
    keep: int,
) -> list[Value]:
    """Return the slots that a message changes, with their new values and what they were before.

    Where a message says that something was not so ("no, 4567"; "not 1234 but 4567"), the value that it denies is not taken again, and a
    slot that holds it is emptied (its value is None) where no other is said. Where it asks for the other one of a slot by its title ("no,
    the other order"), the value before comes back; where there is none, the slot is emptied, so that it can be asked for.

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
        denied = [one.value for one in said.get(name, []) if one.is_denied]
        values = [one for one in said.get(name, []) if one.value not in denied]
        if denies and len(values) > 1:
            values = [one for one in values if one.value != old] or values
        value: Json
        if values:
            value, confidence = values[0].value, values[0].confidence
            others = [one.value for one in values[1:]]
        elif old is not None and old in denied:
            value, confidence, others = None, 1.0, []
        elif denied:
            continue
        elif denies and old is not None and words & _ANOTHER and words & set(normalised(kind.title).split()):
            value, confidence, others = (earlier[0] if earlier else None), 1.0, []
        else:
            continue
        changed.append(Value(name=name, value=value, confidence=confidence, sensitive=kind.is_secret))
        past = [one for one in dict.fromkeys((*others, old, *earlier)) if one not in (None, value, *denied)][:keep]
        if past != earlier and not kind.is_secret:
            changed.append(Value(name=name + EARLIER, value=past))
    return changed


def _earlier(state: ConversationState, name: str) -> list[Json]:
    slot = state.slots.get(name + EARLIER)
    return list(slot.value) if slot is not None else []
