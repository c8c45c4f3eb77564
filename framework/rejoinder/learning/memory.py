"""What people corrected, found again at once: nearest remembered turn within a learned radius.

One memory serves one tenant and one task (intents, or free-text answers: the label then is the answer). It is rebuilt from the store at
start and never saved.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from rejoinder.errors import InvalidInputError
from rejoinder.learning.trust import TrustCurve

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

Kind = Literal["is", "is_not"]

DEFAULT_CAPACITY: Final = 10_000
DEFAULT_MIN_TRUST: Final = 0.6

SMALLEST_RADIUS: Final = 0.75
"""However well known labels agree, texts further apart than this cosine are never taken for paraphrases."""

_MOST_ANCHORS: Final = 2000
_REJECTION_RADIUS: Final = 0.97
_FIRST_ROOM: Final = 64
_BLOCK: Final = 256
_MANY: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A remembered turn that fits a text.

    Attributes:
        id: the remembered example's id.
        label: its label (or answer).
        similarity: cosine of the two texts in [-1, 1].
        trust: learned probability in [0, 1] that the label holds for the text as well; 1.0 for the very same text.
        exact: whether it is the very same text (but for case and spaces).
    """

    id: str
    label: str
    similarity: float
    trust: float
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryTurn:
    """One turn for `CorrectionMemory.add_many`; see `CorrectionMemory.add`."""

    id: str
    text: str
    vector: Floats
    label: str
    kind: Kind = "is"


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    key: str
    label: str
    kind: Kind
    reach: float = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """All that readers look at. `rows` may have room beyond `entries`, which readers never look at and writers fill."""

    entries: tuple[_Entry, ...]
    rows: Floats
    anchors: Floats
    anchor_labels: tuple[str, ...]
    exact: dict[str, _Entry]
    rejected: dict[str, frozenset[str]]


class CorrectionMemory:
    """Remembered turns of one tenant and task, with a learned trust radius.

    Args:
        encoder_hash: `Encoder.hash` of all vectors; others are refused.
        dim: length of the vectors.
        capacity: most turns remembered, >= 1; the oldest is forgotten first.
        min_trust: trust in (0, 1) below which a turn that is not the very same text does not match.
        middle: cosine in (0, 1) that is trusted half before anything is known; see `TrustCurve`.

    Readers (`match`, `rejected`) may run in any thread, beside one another and beside a writer.
    """

    def __init__(
        self,
        *,
        encoder_hash: str,
        dim: int = 384,
        capacity: int = DEFAULT_CAPACITY,
        min_trust: float = DEFAULT_MIN_TRUST,
        middle: float = 0.755,
    ) -> None:
        """Start empty; see the class for arguments."""
        if capacity < 1 or not 0 < min_trust < 1:
            raise InvalidInputError(
                f"capacity must be >= 1 and min_trust in (0, 1), came as {capacity} and {min_trust}"
            )
        self.encoder_hash = encoder_hash
        self.dim = dim
        self.capacity = capacity
        self._min_trust = min_trust
        self._curve = TrustCurve(middle=middle)
        self._lock = threading.Lock()
        self._known = _Known((), np.zeros((0, dim), np.float32), np.zeros((0, dim), np.float32), (), {}, {})

    def __len__(self) -> int:
        """How many turns are remembered."""
        return len(self._known.entries)

    @property
    def radius(self) -> float:
        """The cosine from which on a remembered turn is trusted enough to match."""
        return max(SMALLEST_RADIUS, self._curve.radius(self._min_trust))

    def observe(self, vectors: Floats, labels: Sequence[str]) -> None:
        """Learn from known examples how far labels reach, and remember (at most 2,000 of) them as rivals of what is remembered.

        A remembered turn does not match a text to which a known example with another label is nearer. Replaces what was observed before.
        """
        self._check(vectors, len(labels))
        if not len(labels):
            return
        step = max(1, -(-len(labels) // _MOST_ANCHORS))
        anchors = np.ascontiguousarray(vectors[::step], dtype=np.float32)
        names = tuple(labels[::step])
        with self._lock:
            if len(names) > 1:
                cosines = anchors @ anchors.T
                np.fill_diagonal(cosines, -2.0)
                nearest = cosines.argmax(axis=1)
                same = np.array([names[i] == names[j] for i, j in enumerate(nearest)])
                self._curve.learn(cosines[np.arange(len(names)), nearest], same)
            self._known = replace(self._known, anchors=anchors, anchor_labels=names)

    def add(self, example_id: str, text: str, vector: Floats, label: str, *, kind: Kind = "is") -> None:
        """Remember that `text` is (or is not) `label`. What was remembered of the same text and contradicts it is forgotten.

        A remembered turn that would have matched with another label loses its reach up to this text; pairs with known outcome move the
        trust curve.
        """
        self._check(vector[None], 1)
        key = _key(text)
        with self._lock:
            entries = list(self._known.entries)
            keep = np.ones(len(entries), dtype=np.bool_)
            if kind == "is":
                entries = self._learn_from(entries, key, vector, label)
            for i, entry in enumerate(entries):
                contradicts = entry.key == key and (entry.kind == "is" if kind == "is" else entry.label == label)
                repeats = entry.key == key and kind == "is" and entry.kind == "is_not" and entry.label == label
                keep[i] = not (contradicts or repeats or entry.id == example_id)
            surplus = int(keep.sum()) + 1 - self.capacity
            if surplus > 0:
                keep[np.flatnonzero(keep)[:surplus]] = False
            self._store(entries, keep, _Entry(example_id, key, label, kind), vector)

    def add_many(self, turns: Sequence[MemoryTurn]) -> None:
        """Remember many turns as `add` would one after another, in time that grows with their number, not with its square."""
        if len(turns) < _MANY:
            for turn in turns:
                self.add(turn.id, turn.text, turn.vector, turn.label, kind=turn.kind)
            return
        self._check(np.stack([turn.vector for turn in turns]), len(turns))
        with self._lock:
            many = _Adding(self._known, turns)
            for number in range(len(turns)):
                if many.turn(number).kind == "is":
                    self._learn_from_nearest(many, number)
                many.add(number, self.capacity)
            self._curve.fit()
            self._known = many.known(self.capacity)

    def remove(self, example_ids: Collection[str]) -> int:
        """Forget examples; return how many of them were remembered."""
        gone = set(example_ids)
        with self._lock:
            entries = self._known.entries
            keep = np.array([entry.id not in gone for entry in entries], dtype=np.bool_)
            if not keep.all():
                self._store(list(entries), keep, None, None)
            return int((~keep).sum())

    def match(self, text: str, vector: Floats) -> Match | None:
        """Return the remembered turn that fits a text best, or None.

        The very same text always matches. Another must be near enough to be trusted, and nearer than any known example that has
        another label.
        """
        return self.recall(text, vector)[0]

    def rejected(self, text: str, vector: Floats) -> frozenset[str]:
        """Return the labels that people said a text (or one all but equal to it) is not."""
        return self.recall(text, vector)[1]

    def recall(self, text: str, vector: Floats, *, least: float = 0.0) -> tuple[Match | None, frozenset[str]]:
        """Return what `match` and `rejected` say, for the price of one of them: one product with all that is remembered.

        Args:
            least: the trust in [0, 1] below which a match that is not exact would be of no use, and is not looked for.
        """
        known = self._known
        if not known.entries:
            return None, frozenset()
        key = _key(text)
        exact = known.exact.get(key)
        found = None
        if exact is not None:
            found = Match(id=exact.id, label=exact.label, similarity=1.0, trust=1.0, exact=True)
            if not known.rejected:
                return found, frozenset()
        elif not known.rejected and self._curve.trust(1.0) < least:
            return None, frozenset()
        cosines = known.rows[: len(known.entries)] @ vector
        rejected = _rejected(known, key, cosines) if known.rejected else frozenset()
        return found or self._near(known, vector, cosines, least), rejected

    def _near(self, known: _Known, vector: Floats, cosines: Floats, least: float) -> Match | None:
        """The nearest remembered turn that says what a text is, if it is trusted and no known example is nearer."""
        best = self._nearest(known.entries, cosines)
        if best is None:
            return None
        similarity, entry = float(cosines[best]), known.entries[best]
        if similarity < max(self.radius, entry.reach) or (trust := self._curve.trust(similarity)) < least:
            return None
        if len(known.anchors):
            rival = int((rivals := known.anchors @ vector).argmax())
            if rivals[rival] > similarity and known.anchor_labels[rival] != entry.label:
                return None
        return Match(id=entry.id, label=entry.label, similarity=min(1.0, similarity), trust=trust, exact=False)

    @staticmethod
    def _nearest(entries: Sequence[_Entry], cosines: Floats) -> int | None:
        first = int(cosines.argmax())
        if entries[first].kind == "is":
            return first
        says_is = np.fromiter((entry.kind == "is" for entry in entries), dtype=np.bool_, count=len(entries))
        return int(np.where(says_is, cosines, -np.inf).argmax()) if says_is.any() else None

    def _learn_from(self, entries: list[_Entry], key: str, vector: Floats, label: str) -> list[_Entry]:
        """Let a new turn teach the trust curve and the reach of the nearest remembered one."""
        if not entries:
            return entries
        cosines = self._known.rows[: len(entries)] @ vector
        best = self._nearest(entries, cosines)
        if best is None or entries[best].key == key:
            return entries
        same, similarity = entries[best].label == label, float(cosines[best])
        self._curve.learn(np.array([similarity]), np.array([same]))
        if not same and similarity >= self.radius:
            entries[best] = replace(entries[best], reach=max(entries[best].reach, min(similarity + 0.01, 0.999)))
        return entries

    def _learn_from_nearest(self, many: _Adding, number: int) -> None:
        """As `_learn_from`, among the turns of `many` before this one."""
        found = many.nearest(number)
        if found is None:
            return
        best, similarity = found
        entry = many.entries[best]
        if entry.key == _key(many.turn(number).text):
            return
        same = entry.label == many.turn(number).label
        self._curve.learn(np.array([similarity]), np.array([same]), fit=False)
        if same or similarity < SMALLEST_RADIUS:
            return
        self._curve.fit()
        if similarity >= self.radius:
            many.entries[best] = replace(entry, reach=max(entry.reach, min(similarity + 0.01, 0.999)))

    def _store(self, entries: list[_Entry], keep: NDArray[np.bool_], new: _Entry | None, vector: Floats | None) -> None:
        """Swap in the kept entries and the new one; rows are copied only when something goes or the room is used up."""
        kept = [entry for entry, stays in zip(entries, keep, strict=True) if stays]
        rows, count = self._known.rows, len(kept)
        if not keep.all() or (new is not None and count >= len(rows)):
            room = max(_FIRST_ROOM, 2 * (count + 1))
            grown = np.zeros((min(room, self.capacity + 1), self.dim), dtype=np.float32)
            grown[:count] = rows[: len(entries)][keep]
            rows = grown
        if new is not None and vector is not None:
            rows[count] = vector
            kept.append(new)
        self._known = _with_entries(self._known, kept, rows)

    def _check(self, vectors: Floats, count: int) -> None:
        if vectors.shape != (count, self.dim):
            raise InvalidInputError(
                f"vectors of this memory have shape ({count}, {self.dim}), came with {vectors.shape}"
            )


def turn_of(example: Example, vector: Floats) -> MemoryTurn:
    """Return what is remembered of a labelled example."""
    kind: Kind = "is_not" if example.polarity == "negative" else "is"
    return MemoryTurn(id=example.id, text=example.text, vector=vector, label=example.label or "", kind=kind)


class _Adding:
    """Turns that are being added: those before in front, a mark for each whether it is still remembered, indices instead of searches."""

    def __init__(self, known: _Known, turns: Sequence[MemoryTurn]) -> None:
        self._before = known
        self._turns = turns
        self._first = len(known.entries)
        self.entries = list(known.entries)
        total = self._first + len(turns)
        self._rows = np.empty((total, known.rows.shape[1]), dtype=np.float32)
        self._rows[: self._first] = known.rows[: self._first]
        for number, turn in enumerate(turns):
            self._rows[self._first + number] = turn.vector
        self._alive = np.zeros(total, dtype=np.bool_)
        self._says_is = np.zeros(total, dtype=np.bool_)
        self._count = 0
        self._oldest = 0
        self._by_key: dict[str, list[int]] = {}
        self._by_id: dict[str, int] = {}
        self._block = -1
        self._cosines: Floats = np.zeros((0, 0), dtype=np.float32)
        for place in range(self._first):
            self._remember(place)

    def turn(self, number: int) -> MemoryTurn:
        """The turn to be added."""
        return self._turns[number]

    def nearest(self, number: int) -> tuple[int, float] | None:
        """Place and cosine of the nearest remembered turn that says what a text is; None without any."""
        block, within = divmod(number, _BLOCK)
        if block != self._block:
            rows = self._rows[self._first + block * _BLOCK :][:_BLOCK]
            self._cosines = self._rows[: self._first + block * _BLOCK + len(rows)] @ rows.T
            self._block = block
        place = self._first + number
        seen = np.where(self._alive[:place] & self._says_is[:place], self._cosines[:place, within], -np.inf)
        if not len(seen) or not np.isfinite(seen.max()):
            return None
        best = int(seen.argmax())
        return best, float(seen[best])

    def add(self, number: int, capacity: int) -> None:
        """Remember a turn; what contradicts or repeats it, and the oldest beyond the capacity, is forgotten."""
        turn = self._turns[number]
        key = _key(turn.text)
        for place in list(self._by_key.get(key, ())):
            entry = self.entries[place]
            contradicts = entry.kind == "is" if turn.kind == "is" else entry.label == turn.label
            if contradicts or (turn.kind == "is" and entry.label == turn.label):
                self._forget(place)
        if turn.id in self._by_id:
            self._forget(self._by_id[turn.id])
        while self._count >= capacity:
            while not self._alive[self._oldest]:
                self._oldest += 1
            self._forget(self._oldest)
        self.entries.append(_Entry(turn.id, key, turn.label, turn.kind))
        self._remember(self._first + number)

    def known(self, capacity: int) -> _Known:
        """All that is remembered now, as readers look at it."""
        places = np.flatnonzero(self._alive)
        room = min(max(_FIRST_ROOM, 2 * (len(places) + 1)), capacity + 1)
        rows = np.zeros((room, self._rows.shape[1]), dtype=np.float32)
        rows[: len(places)] = self._rows[places]
        return _with_entries(self._before, [self.entries[place] for place in places], rows)

    def _remember(self, place: int) -> None:
        entry = self.entries[place]
        self._alive[place], self._says_is[place] = True, entry.kind == "is"
        self._by_key.setdefault(entry.key, []).append(place)
        self._by_id[entry.id] = place
        self._count += 1

    def _forget(self, place: int) -> None:
        entry = self.entries[place]
        self._alive[place] = False
        self._by_key[entry.key].remove(place)
        self._by_id.pop(entry.id, None)
        self._count -= 1


def _rejected(known: _Known, key: str, cosines: Floats) -> frozenset[str]:
    near = [known.entries[i] for i in np.flatnonzero(cosines >= _REJECTION_RADIUS)]
    confirmed = {entry.label for entry in near if entry.kind == "is"}
    named = known.rejected.get(key, frozenset())
    return named | {entry.label for entry in near if entry.kind == "is_not"} - confirmed


def _with_entries(known: _Known, entries: Sequence[_Entry], rows: Floats) -> _Known:
    """Other entries, with their rows, under the same anchors."""
    exact = {entry.key: entry for entry in entries if entry.kind == "is"}
    rejected: dict[str, frozenset[str]] = {}
    for entry in entries:
        if entry.kind == "is_not":
            rejected[entry.key] = rejected.get(entry.key, frozenset()) | {entry.label}
    return replace(known, entries=tuple(entries), rows=rows, exact=exact, rejected=rejected)


def _key(text: str) -> str:
    return " ".join(text.casefold().split())
