"""What a file says, in the one form that every format is read into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Block", "BlockKind", "Content"]

BlockKind = Literal["heading", "text", "item", "row", "code", "question", "reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of a document, without markup.

    Attributes:
        kind: "item": of a list; "row": of a table, as `column: value; ...`; "question" and "reply": of a past exchange or an FAQ, the reply
            follows its question.
        level: of a heading, from 1 on; 0 else.
    """

    kind: BlockKind
    text: str
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was read of a file: a title (empty where it names none) and its blocks in reading order."""

    title: str
    blocks: tuple[Block, ...]
