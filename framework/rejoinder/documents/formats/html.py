"""HTML: headings, paragraphs, lists and tables of the page's own text; what is hidden, runs or navigates is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from selectolax.lexbor import LexborHTMLParser

from rejoinder.documents.content import Block, Content
from rejoinder.documents.formats import UnreadableFileError, decoded, limited, row_block

_DROPPED: Final = ", ".join(
    (
        "script, style, noscript, template, iframe, frame, object, embed, applet, svg, math, canvas, audio, video, picture, img",
        "input, button, select, textarea, link, meta, nav, footer, aside, dialog, [hidden], [aria-hidden='true']",
    )
)
_HIDDEN_STYLE: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?![.\d])|font-size\s*:\s*0(?![.\d])|(?:left|top|text-indent)\s*:\s*-\d{3,}",
    re.IGNORECASE,
)
_HEADING: Final = re.compile(r"h([1-6])")
_BREAKS: Final = frozenset(
    tag
    for tags in (
        "address article blockquote body center dd details div dl dt fieldset figcaption figure form header hr main ol p pre section",
        "summary ul",
    )
    for tag in tags.split()
)
_MOST_DEEP: Final = 400

_SPACE: Final = re.compile(r"\s+")
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)")
_NEVER_DEEP: Final = frozenset(
    tag
    for tags in (
        "area base br col embed hr img input link meta source track wbr p li dt dd tr td th thead tbody tfoot option optgroup colgroup",
        "html head body",
    )
    for tag in tags.split()
)
"""Elements that are closed by themselves."""


def read(data: bytes) -> Content:
    """Return a page's blocks."""
    return read_text(decoded(data))


def read_text(text: str) -> Content:
    """Return the blocks of a page or a fragment of one.

    Raises:
        UnreadableFileError: it is nested so deeply that the time to read it would grow with the square of its size.
    """
    _refuse_deep(text)
    tree = LexborHTMLParser(text)
    title = tree.css_first("title")
    named = title.text() if title is not None else ""
    for node in tree.css(_DROPPED):
        node.decompose()
    for node in tree.css("[style]"):
        if _HIDDEN_STYLE.search(node.attributes.get("style") or ""):
            node.decompose()
    root = tree.css_first("main") or tree.body or tree.root
    blocks = limited(_Walk().blocks(root)) if root is not None else ()
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return Content(title=named.strip() or first, blocks=blocks)


def _refuse_deep(text: str) -> None:
    depth = 0
    for tag in _TAG.finditer(text):
        if tag[2].lower() not in _NEVER_DEEP:
            depth += -1 if tag[1] else 1
            if depth > _MOST_DEEP:
                raise UnreadableFileError(
                    f"it is nested more than {_MOST_DEEP} levels deep, or does not close its tags"
                )


class _Walk:
    """Goes through a page in reading order without recursion, and gathers running text until something ends it."""

    def __init__(self) -> None:
        self._run: list[str] = []

    def blocks(self, root: Any) -> Iterator[Block]:
        """Yield the blocks below a node."""
        waiting: list[tuple[Any, bool, int]] = [(root, False, 0)]
        kind: list[str] = []
        while waiting:
            node, left, depth = waiting.pop()
            tag = node.tag
            if left:
                yield from self._ended("item" if tag == "li" else kind[-1] if kind else "text")
                if tag == "li":
                    kind.pop()
                continue
            if tag == "-text":
                self._run.append(" ".join(_SPACE.split(node.text(deep=False) or "")))
            elif (heading := _HEADING.fullmatch(tag or "")) is not None:
                yield from self._ended(kind[-1] if kind else "text")
                yield Block(
                    kind="heading", text=" ".join(node.text(deep=True, separator="").split()), level=int(heading[1])
                )
            elif tag == "table" and node.css_first("table table") is None:
                yield from self._ended(kind[-1] if kind else "text")
                yield from _rows(node)
            elif tag == "br":
                self._run.append("\n")
            elif depth < _MOST_DEEP and tag not in ("_comment", "-comment", "!doctype"):
                if tag in _BREAKS or tag == "li":
                    yield from self._ended(kind[-1] if kind else "text")
                    if tag == "li":
                        kind.append("item")
                    waiting.append((node, True, depth))
                inner = []
                child = node.child
                while child is not None:
                    inner.append((child, False, depth + 1))
                    child = child.next
                waiting.extend(reversed(inner))
        yield from self._ended("text")

    def _ended(self, kind: str) -> Iterator[Block]:
        said = "\n".join(" ".join(line.split()) for line in "".join(self._run).split("\n") if line.strip())
        self._run.clear()
        if said:
            yield Block(kind="item" if kind == "item" else "text", text=said)


def _rows(table: Any) -> Iterator[Block]:
    columns: list[str] = []
    for number, row in enumerate(table.css("tr")):
        cells = row.css("th, td")
        values = [" ".join(cell.text(deep=True, separator=" ").split()) for cell in cells]
        heads = [cell.tag == "th" for cell in cells]
        if number == 0 and heads and all(heads):
            columns = values
        elif any(values):
            yield row_block(columns, values)
