"""What a flow knows: the values of its slots, taken from messages, put aside while another flow runs, and forgotten at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from rejoinder.flows import Slot as SlotKind
from rejoinder.payloads import ConversationState, Json, Slot, Understanding
from rejoinder.slots.formats import find, problem_with, read

from rejoinder_plugins.flows.words import denies_next

__all__ = ["Memory"]

_ASIDE_START: Final = "aside/"
_ASIDE: Final = _ASIDE_START + "{flow}/{slot}"

_CLEAREST_FIRST: Final = (
    "card",
    "iban",
    "email",
    "amount",
    "date",
    "code",
    "order_number",
    "card_last",
    "postcode",
    "choice",
)


class Memory:
    """The slots of one conversation, as the flows of one turn see and change them."""

    def __init__(
        self, state: ConversationState, understanding: Understanding, text: str, now: datetime, locale: str
    ) -> None:
        self.slots: dict[str, Slot] = dict(state.slots)
        self._put: list[Slot] = []
        self.text = text
        self.now = now
        self.locale = locale
        self._read_by_others = {slot.name: slot.value for slot in understanding.slots}
        self._read_by_others |= {
            one.name: one.value for one in reversed(understanding.entities) if one.name not in self._read_by_others
        }

    @property
    def values(self) -> dict[str, Json]:
        """The values by slot."""
        return {name: slot.value for name, slot in self.slots.items() if slot.value is not None}

    @property
    def forgotten(self) -> tuple[Slot, ...]:
        """What was filled here, and is empty or filled otherwise by now."""
        return tuple(slot for slot in self._put if self.slots.get(slot.name) != slot)

    def has(self, name: str) -> bool:
        """Tell whether a slot is filled."""
        return name in self.slots and self.slots[name].value is not None

    def put(self, name: str, value: Json, kind: SlotKind | None = None) -> None:
        """Fill a slot; None empties it."""
        if value is None:
            self.slots.pop(name, None)
        else:
            self.slots[name] = Slot(name=name, value=value, sensitive=kind is not None and kind.is_secret)
            self._put.append(self.slots[name])

    def forget(self, kinds: Mapping[str, SlotKind], results: Iterable[str]) -> None:
        """Empty the slots of a flow, save those that are to be kept for the next one and hold what fits them."""
        for name in (*kinds, *results):
            if name not in kinds or not kinds[name].keep or not self._fits(name, kinds[name]):
                self.slots.pop(name, None)

    def drop_aside(self) -> None:
        """Drop what flows that will not go on have put aside."""
        for name in [name for name in self.slots if name.startswith(_ASIDE_START)]:
            del self.slots[name]

    def _fits(self, name: str, kind: SlotKind) -> bool:
        value = self.slots[name].value if name in self.slots else None
        return value is not None and read(kind, str(value), self.now, locale=self.locale) == value

    def put_aside(self, flow: str, kinds: Mapping[str, SlotKind], results: Iterable[str]) -> None:
        """Put the values of a flow that is interrupted where no other flow changes them; what is to be kept stays as well."""
        for name in (*kinds, *results):
            slot = self.slots.get(name)
            if slot is None:
                continue
            aside = _ASIDE.format(flow=flow, slot=name)
            self.slots[aside] = replace(slot, name=aside)
            if name not in kinds or not kinds[name].keep:
                del self.slots[name]

    def take_back(self, flow: str, kinds: Mapping[str, SlotKind], results: Iterable[str]) -> None:
        """Undo `put_aside`."""
        for name in (*kinds, *results):
            slot = self.slots.pop(_ASIDE.format(flow=flow, slot=name), None)
            self.slots.pop(name, None)
            if slot is not None:
                self.slots[name] = replace(slot, name=name)

    def fill_from_message(
        self, kinds: Mapping[str, SlotKind], *, but: str | None = None, over: bool = False, text: str | None = None
    ) -> None:
        """Fill slots that the message says unasked.

        Args:
            but: a slot to leave alone.
            over: also those that are filled already.
            text: the part of the message to read; None: all of it.
        """
        text = self.text if text is None else text
        taken: list[tuple[int, int]] = []
        known = [name for name in kinds if kinds[name].type in _CLEAREST_FIRST]
        for name in sorted(known, key=lambda name: _CLEAREST_FIRST.index(kinds[name].type)):
            kind = kinds[name]
            if name == but or (self.has(name) and not over):
                continue
            for found in find(kind, text, self.now, locale=self.locale):
                free = all(found.end <= start or end <= found.start for start, end in taken)
                denied = denies_next(text[: found.start], kind.title)
                if free and not denied and problem_with(kind, found.value, self.now.date()) is None:
                    taken.append((found.start, found.end))
                    self.put(name, found.value, kind)
                    break
        for name, kind in kinds.items():
            if name != but and not self.has(name) and (value := self._of_others(name, kind)) is not None:
                self.put(name, value, kind)

    def answer(self, name: str, kind: SlotKind) -> Json:
        """Return what the message answers to the question about a slot, or None."""
        value = read(kind, self.text, self.now, locale=self.locale)
        return self._of_others(name, kind) if value is None else value

    def other_value(self, name: str, kind: SlotKind, *, only_clear: bool) -> Json:
        """Return a value for a filled slot that is not the one it has, or None.

        Args:
            only_clear: take only what is said as clearly as `find` wants it.
        """
        current = self.slots[name].value
        found = [one for one in find(kind, self.text, self.now, locale=self.locale) if one.value != current]
        said = [one for one in found if not denies_next(self.text[: one.start], kind.title)]
        if said:
            return said[0].value
        if only_clear or kind.is_free or kind.type == "yes_no":
            return None
        rest = self.text if not isinstance(current, str) else self.text.replace(current, " ")
        value = read(kind, rest, self.now, locale=self.locale)
        return value if value != current else None

    def is_told_more(self, kinds: Mapping[str, SlotKind]) -> bool:
        """Tell whether the message holds another value of a filled slot, or a number that is no filled slot's value."""
        rest = self.text
        for name, kind in kinds.items():
            if not self.has(name):
                continue
            current = self.slots[name].value
            for found in find(kind, self.text, self.now, locale=self.locale):
                if found.value != current:
                    return True
                rest = rest.replace(self.text[found.start : found.end], " ")
            rest = rest.replace(str(current), " ")
        return any(sign.isdigit() for sign in rest)

    def _of_others(self, name: str, kind: SlotKind) -> Json:
        """Return what another plugin read for a slot of this name, where it fits the slot."""
        value = self._read_by_others.get(name)
        if value is None:
            return None
        value = read(kind, str(value), self.now, locale=self.locale)
        return value if value is not None and problem_with(kind, value, self.now.date()) is None else None
