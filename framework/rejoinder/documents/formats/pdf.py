"""PDF: the text layer, page by page; lines that stand at the top or bottom of most pages are left out."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from typing import Final

from pypdf import PdfReader

from rejoinder.documents.content import Block, Content
from rejoinder.documents.formats import MOST_CHARACTERS, UnreadableFileError, text_block

_MOST_PAGES: Final = 2000
_REPEATED_SHARE: Final = 0.6
_NUMBER: Final = re.compile(r"\d+")
_HYPHEN: Final = re.compile(r"(\w)-\n(\w)")
_ENDS_SENTENCE: Final = re.compile(r"[.!?:;…。！？]['\"”’)\]]*$")
_NUMBERED_HEADING: Final = re.compile(r"^(\d+(?:\.\d+)*)\.?\s+\S")
_BULLET: Final = re.compile(r"^\s*(?:[•‣▪◦·*–-]|\(?\d{1,2}[.)]|[a-z]\))\s+")
_LONGEST_HEADING: Final = 80

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every small fault in a file, and reads on


def read(data: bytes) -> Content:
    """Return a document's blocks."""
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableFileError("it is encrypted: save it without a password")
    if len(reader.pages) > _MOST_PAGES:
        raise UnreadableFileError(f"it has {len(reader.pages)} pages, at most {_MOST_PAGES} are read: split it")
    pages: list[list[str]] = []
    read_characters = 0
    for page in reader.pages:
        lines = [line.rstrip() for line in page.extract_text().splitlines()]
        read_characters += sum(map(len, lines))
        if read_characters > MOST_CHARACTERS:
            raise UnreadableFileError(f"its text has more than {MOST_CHARACTERS} characters: split it")
        pages.append(lines)
    blocks = [block for page in _without_margins(pages) for block in _blocks(page)]
    metadata = reader.metadata
    title = (metadata.title if metadata is not None else None) or ""
    return Content(title=title, blocks=tuple(blocks))


def _without_margins(pages: list[list[str]]) -> list[list[str]]:
    """Return pages without the lines that most of them begin or end with, page numbers and all."""
    told = [[line for line in page if line.strip()] for page in pages]
    if len(told) < 3:
        return pages
    edges = Counter(_NUMBER.sub("#", line.strip()) for page in told for line in {*page[:1], *page[-1:]})
    margins = {line for line, count in edges.items() if count >= _REPEATED_SHARE * len(told)}
    return [
        [line for line in page if not line.strip() or _NUMBER.sub("#", line.strip()) not in margins] for page in pages
    ]


def _blocks(lines: list[str]) -> list[Block]:
    """Return the paragraphs, list items and headings of a page, by empty lines, numbers, bullets and short lines without an end."""
    found: list[Block] = []
    run: list[str] = []

    def end(kind: str = "text") -> None:
        text = " ".join(_HYPHEN.sub(r"\1\2", "\n".join(run)).split())
        run.clear()
        if text:
            found.append(Block(kind="item", text=_BULLET.sub("", text)) if kind == "item" else text_block(text))

    kind = "text"
    for line in lines:
        stripped = line.strip()
        if not stripped:
            end(kind)
            kind = "text"
            continue
        if not run and _is_heading(stripped):
            numbered = _NUMBERED_HEADING.match(stripped)
            found.append(Block(kind="heading", text=stripped, level=1 + numbered[1].count(".") if numbered else 1))
            continue
        if _BULLET.match(line):
            end(kind)
            kind = "item"
        run.append(stripped)
        if kind == "text" and _ENDS_SENTENCE.search(stripped) and len(stripped) < _LONGEST_HEADING / 2:
            end(kind)  # a last line that is short ends a paragraph
    end(kind)
    return found


def _is_heading(line: str) -> bool:
    if len(line) > _LONGEST_HEADING or _ENDS_SENTENCE.search(line) or len(line.split()) > 10:
        return False
    words = [word for word in line.split() if word[0].isalpha()]
    large = sum(word[0].isupper() for word in words)
    return (
        bool(words)
        and (_NUMBERED_HEADING.match(line) is not None or large >= max(1, len(words) * 0.6))
        and line[0] not in "•-*"
    )
