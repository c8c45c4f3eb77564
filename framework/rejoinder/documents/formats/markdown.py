"""Markdown: CommonMark with tables; a front matter gives the title and is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rejoinder.documents.content import Block, Content
from rejoinder.documents.formats import decoded, limited, row_block

_FRONT_MATTER: Final = re.compile(r"\A---\s*\n(.*?)\n(?:---|\.\.\.)\s*\n", re.DOTALL)
_TITLE: Final = re.compile(r"^title:\s*['\"]?(.+?)['\"]?\s*$", re.MULTILINE)


def read(data: bytes) -> Content:
    """Return the blocks of a text."""
    text = decoded(data).replace("\r\n", "\n")
    title = ""
    front = _FRONT_MATTER.match(text)
    if front is not None:
        named = _TITLE.search(front[1])
        title, text = (named[1] if named else ""), text[front.end() :]
    blocks = limited(_blocks(MarkdownIt("commonmark").enable("table").parse(text)))
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return Content(title=title or first, blocks=blocks)


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    items = 0
    heading = 0
    columns: list[str] = []
    cells: list[str] = []
    in_head = in_cell = False
    for token in tokens:
        match token.type:
            case "list_item_open":
                items += 1
            case "list_item_close":
                items -= 1
            case "heading_open":
                heading = int(token.tag[1:])
            case "heading_close":
                heading = 0
            case "thead_open":
                in_head, columns = True, []
            case "thead_close":
                in_head = False
            case "tr_open":
                cells = []
            case "tr_close" if in_head:
                columns = cells
            case "tr_close":
                yield row_block(columns, cells)
            case "fence" | "code_block":
                yield Block(kind="code", text=token.content)
            case "html_block":
                from rejoinder.documents.formats.html import read_text

                yield from read_text(token.content).blocks
            case "th_open" | "td_open":
                in_cell = True
            case "inline" if in_cell:
                cells.append(_plain(token))
                in_cell = False
            case "inline" if heading:
                yield Block(kind="heading", text=_plain(token), level=heading)
            case "inline":
                yield Block(kind="item" if items else "text", text=_plain(token))


def _plain(token: Token) -> str:
    parts = []
    for child in token.children or ():
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append("\n" if child.type == "hardbreak" else " ")
        elif child.type == "image":
            parts.append(child.content)
    return "".join(parts)
