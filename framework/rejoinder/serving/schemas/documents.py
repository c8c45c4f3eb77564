"""Documents and their passages."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from rejoinder.serving.schemas.parts import Outgoing


class IngestedOut(Outgoing):
    """What came of a document that was sent."""

    id: str
    title: str
    changed: bool = Field(description="Whether its content is new; else nothing was written.")
    passages: int
    encoded: int = Field(description="Passages for which a vector had to be made; unchanged ones keep theirs.")


class DocumentOut(Outgoing):
    """A document that answers are found in."""

    id: str
    source: str
    title: str
    url: str | None
    revision: int = Field(description="Grows with every change of the tenant's documents.")
    updated_at: datetime
    characters: int
    passages: int
    encoded: int = Field(description="Passages with a vector; the others are found by their words alone.")


class DocumentList(Outgoing):
    """Documents by id."""

    documents: list[DocumentOut]


class PassageOut(Outgoing):
    """A part of a document that can be found and cited."""

    start: int = Field(description="First character of the document's text.")
    end: int
    headings: list[str]
    kind: Literal["text", "reply"]


class DocumentDetails(Outgoing):
    """A document with its text, to which the spans of citations refer."""

    id: str
    source: str
    title: str
    url: str | None
    revision: int
    updated_at: datetime
    text: str
    passages: list[PassageOut]
