"""Dialogues about items, as ReDial writes them, and the same with titles as people type them.

Source of the form: Li et al. 2018, Towards Deep Conversational Recommendations (NeurIPS).
"""

from __future__ import annotations

import gzip
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rejoinder.errors import InvalidInputError

from rejoinder_recommendation.item_facts import split_year

__all__ = ["Dialogue", "Line", "as_typed", "read_dialogues"]

_MENTION: Final = re.compile(r"@(\d+)")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Line:
    """One message.

    Attributes:
        recommends: whether the one who recommends says it.
        text: with titles in the place of items.
        items: ids of the items named in it, as the data say.
    """

    recommends: bool
    text: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation between somebody who seeks and somebody who recommends."""

    id: str
    lines: tuple[Line, ...]


def read_dialogues(path: Path) -> tuple[list[Dialogue], dict[str, str]]:
    """Read dialogues from JSON lines, gzipped or plain; items still stand as `@id` in their texts.

    Returns:
        The dialogues, and the title of each item that they name, by id.

    Raises:
        InvalidInputError: a file that cannot be read, or a line that is no dialogue.
    """
    try:
        raw = path.read_bytes()
        lines = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}") from error
    dialogues = []
    titles: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            dialogues.append(_dialogue(row, f"{number}"))
            titles |= {
                str(id_): " ".join(str(name or "").split()) for id_, name in dict(row["movieMentions"] or {}).items()
            }
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f"{path}, line {number}: no dialogue ({error!r}); expected `movieMentions`, `respondentWorkerId` and `messages` "
                "with `text` and `senderWorkerId`"
            ) from error
    if not dialogues:
        raise InvalidInputError(f"{path} holds no dialogue")
    return dialogues, titles


def as_typed(dialogue: Dialogue, titles: Mapping[str, str], *, share: float, random: np.random.Generator) -> Dialogue:
    """Return a dialogue with titles in the place of its `@id`s, some of them as people type them.

    Args:
        titles: by id; an item without one is left out of the text.
        share: in [0, 1], of the mentions; half of these have one slip of the keyboard in the name, half are without the year (or, where
            the title has none, have a slip).
    """

    def typed(found: re.Match[str]) -> str:
        title = titles.get(found.group(1), "")
        if random.random() >= share:
            return title
        name, year = split_year(title)
        if year is not None and random.random() < 0.5:
            return name
        return _with_slip(name, random) + (f" ({year})" if year is not None else "")

    lines = [Line(line.recommends, _MENTION.sub(typed, line.text), line.items) for line in dialogue.lines]
    return Dialogue(dialogue.id, tuple(lines))


def _dialogue(row: Mapping[str, Any], fallback: str) -> Dialogue:
    lines = []
    for message in row["messages"]:
        text = html.unescape(str(message["text"]))
        items = tuple(dict.fromkeys(_MENTION.findall(text)))
        lines.append(Line(message["senderWorkerId"] == row["respondentWorkerId"], text, items))
    return Dialogue(str(row.get("conversationId", fallback)), tuple(lines))


def _with_slip(name: str, random: np.random.Generator) -> str:
    """Return a name with a letter left out, doubled, changed, or swapped with the next."""
    places = [place for place, character in enumerate(name) if character.isalpha()]
    if len(places) < 2:
        return name
    place = places[int(random.integers(len(places)))]
    letter = name[place]
    match int(random.integers(4)):
        case 0:
            return name[:place] + name[place + 1 :]
        case 1:
            return name[:place] + letter + name[place:]
        case 2:
            return name[:place] + str(random.choice(list(_LETTERS))) + name[place + 1 :]
        case _:
            return name[:place] + name[place + 1 : place + 2] + letter + name[place + 2 :]
