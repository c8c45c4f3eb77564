"""The shipped examples of slots: messages of customers in which products, addresses, order numbers, dates and amounts are marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from rejoinder_customer_service.catalogue import CatalogueError

__all__ = ["LABELS", "SlotExample", "slot_examples"]

LABELS: Final = frozenset({"product", "address", "order_number", "date", "amount"})

_FILE: Final = "slots/examples.txt"
_MARKED: Final = re.compile(r"\[([^\[\]]+)\]\((\w+)\)")


@dataclass(frozen=True, slots=True)
class SlotExample:
    """A message, and what it says: `spans` are (start, end, slot)."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


@cache
def slot_examples() -> tuple[SlotExample, ...]:
    """Return the shipped examples, in the file's order; read once.

    Raises:
        CatalogueError: the file is missing or damaged; the text names the line.
    """
    try:
        lines = (
            (resources.files("rejoinder_customer_service") / "data" / _FILE).read_text(encoding="utf-8").splitlines()
        )
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(
            f"the shipped file {_FILE} cannot be read ({error}): install rejoinder-customer-service again"
        ) from error
    return tuple(_read(number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _read(number: int, line: str) -> SlotExample:
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    end = length = 0
    for match in _MARKED.finditer(line):
        before = line[end : match.start()]
        length += len(before)
        spans.append((length, length + len(match[1]), match[2]))
        parts += [before, match[1]]
        length += len(match[1])
        end = match.end()
    text = "".join((*parts, line[end:]))
    unknown = {label for _, _, label in spans} - LABELS
    if unknown or set("[]") & set(text):
        raise CatalogueError(
            f"{_FILE}, line {number}: expected values marked as [value](slot), slots of {', '.join(sorted(LABELS))}; got {line!r}"
        )
    return SlotExample(text, tuple(spans))
