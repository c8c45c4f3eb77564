"""Imports of examples."""

from __future__ import annotations

from pydantic import Field

from rejoinder.serving.schemas.parts import Outgoing


class BadRow(Outgoing):
    """A row that was not loaded."""

    index: int = Field(description="From 0.")
    reason: str


class ImportOut(Outgoing):
    """What an import came to."""

    loaded: int
    repeated: int = Field(description="Rows that were there already.")
    bad: list[BadRow] = Field(description="The first hundred rows that were left out.")
    bad_count: int
