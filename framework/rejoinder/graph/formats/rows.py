"""What readers of files give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rejoinder.graph.values import Entity, Relation

__all__ = ["REASON", "BadRow", "Reader", "Rejects", "Row"]

REASON: Final = "_reason"
"""Column or key that says in a reject file why a row is there; passed over when the file is loaded after it was put right."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entity, or a relation, that was read.

    Attributes:
        line: where it begins; the first line of a file, and the first row of a DataFrame, is 1.
        raw: what stood there, for a reject file.
        ends: of a triple, what to make of subject and object where they are not there.
    """

    line: int
    item: Entity | Relation
    raw: Any
    ends: tuple[Entity, Entity] | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """What cannot be understood, and why."""

    line: int
    reason: str
    raw: Any


class Reader(Protocol):
    """Gives the rows of a file."""

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Return its rows, good and bad, in order."""

    @property
    def fraction(self) -> float:
        """How much of it was read, in [0, 1]."""

    def rejects(self) -> Rejects:
        """Return how its rows are written to a reject file."""


class Rejects(Protocol):
    """Writes the bad rows of one file, in its format."""

    def head(self) -> str:
        """Return what the file begins with."""

    def line(self, raw: Any, line: int, reason: str) -> str:
        """Return a bad row with the reason."""
