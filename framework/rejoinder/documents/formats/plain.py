"""Plain text: paragraphs between empty lines."""

from __future__ import annotations

import re

from rejoinder.documents.content import Content
from rejoinder.documents.formats import decoded, limited, text_block


def read(data: bytes) -> Content:
    """Return the paragraphs of a text."""
    parts = re.split(r"\n\s*\n", decoded(data).replace("\r\n", "\n").replace("\r", "\n"))
    return Content(title="", blocks=limited(text_block(part) for part in parts if part.strip()))
