"""A tenant's items in memory, and what people did with them, as numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rejoinder.documents.encoding import vector_from

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rejoinder.store.behaviour import Deed

    Floats = NDArray[np.float32]

__all__ = ["BehaviourLog", "Catalogue", "CatalogueItem"]


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """An item as it is listed; `data` holds what was sent besides: tags, price, image, url, published, data."""

    id: str
    title: str
    text: str
    data: Mapping[str, Any]
    available: bool


class Catalogue:
    """Items with their vectors. Never changed: `with_changes` makes another.

    Attributes:
        items: in any order.
        vectors: (items, dim) float32, L2-normalised, zeros for an item that has none of the encoder in use.
        place: of each id in `items`.
    """

    def __init__(self, items: Sequence[CatalogueItem], vectors: Floats) -> None:
        self.items = tuple(items)
        self.vectors = vectors
        self.place = {item.id: number for number, item in enumerate(self.items)}

    def __len__(self) -> int:
        return len(self.items)

    def with_changes(self, gone: set[str], rows: Sequence[Any], encoder_hash: str | None) -> Catalogue:
        """Return a catalogue without some items, and with rows of the table `items` in place of older ones."""
        leave = gone | {row.id for row in rows}
        kept = [number for number, item in enumerate(self.items) if item.id not in leave]
        new = [CatalogueItem(row.id, row.title, row.text, row.data, row.active) for row in rows]
        read = [vector_from(row.vector) if row.vector and row.encoder_hash == encoder_hash else None for row in rows]
        dim = next((len(one) for one in read if one is not None), self.vectors.shape[1])
        vectors = np.zeros((len(kept) + len(new), dim), dtype=np.float32)
        if self.vectors.shape[1] == dim:
            vectors[: len(kept)] = self.vectors[kept]
        for number, one in enumerate(read):
            if one is not None:
                vectors[len(kept) + number] = one
        return Catalogue([*(self.items[number] for number in kept), *new], vectors)


@dataclass(frozen=True, slots=True, eq=False)
class BehaviourLog:
    """What may be learned from, in the order of arrival: no events of programs, nor of people who did not consent.

    Attributes:
        people: who, by a number; a session without a user is a person of its own.
        names: of the people by number, as `rejoinder.items.tenant_items.person_of` makes them.
        left_out: names of programs and of people who did not consent.
        items: ids.
        kinds: of the events.
        data: of the events.
        seconds: (events) float64, since the epoch.
    """

    people: NDArray[np.int64]
    items: tuple[str, ...]
    kinds: tuple[str, ...]
    data: tuple[Any, ...]
    seconds: NDArray[np.float64]
    names: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def of(
        cls, deeds: Sequence[Deed], *, most_per_minute: int, refused: frozenset[str], anonymous: bool = True
    ) -> BehaviourLog:
        """Return the log of events.

        Args:
            most_per_minute: who did more within a minute of the clock is left out altogether.
            refused: users who may not be learned from.
            anonymous: whether sessions without a user may be learned from.
        """
        names: dict[tuple[str | None, str | None], int] = {}
        pace: dict[tuple[int, int], int] = defaultdict(int)
        people = np.zeros(len(deeds), dtype=np.int64)
        seconds = np.zeros(len(deeds))
        programs: set[int] = set()
        barred: set[int] = set()
        for row, deed in enumerate(deeds):
            key = (deed.user_id, None) if deed.user_id else (None, deed.session_id)
            person = people[row] = names.setdefault(key, len(names))
            seconds[row] = deed.at.timestamp()
            minute = (int(person), int(seconds[row] // 60))
            pace[minute] += 1
            if pace[minute] > most_per_minute:
                programs.add(int(person))
            if deed.user_id in refused or (deed.user_id is None and not anonymous):
                barred.add(int(person))
        left_out = programs | barred
        by_number = [user or f"session:{session}" for user, session in names]
        kept = np.flatnonzero(~np.isin(people, sorted(left_out))).tolist()
        return cls(
            people[kept],
            tuple(deeds[row].item_id for row in kept),
            tuple(deeds[row].kind for row in kept),
            tuple(deeds[row].data for row in kept),
            seconds[kept],
            tuple(by_number),
            frozenset(by_number[person] for person in left_out),
        )

    def keep(self, wanted: NDArray[np.bool_]) -> BehaviourLog:
        """Return the log with only these of its events; `wanted` is (events)."""
        rows = np.flatnonzero(wanted).tolist()
        return BehaviourLog(
            self.people[rows],
            tuple(self.items[row] for row in rows),
            tuple(self.kinds[row] for row in rows),
            tuple(self.data[row] for row in rows),
            self.seconds[rows],
            self.names,
            self.left_out,
        )
