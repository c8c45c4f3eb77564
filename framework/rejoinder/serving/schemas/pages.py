"""Pages of plugins."""

from __future__ import annotations

from rejoinder.serving.schemas.parts import Outgoing


class PageOut(Outgoing):
    """A page of a plugin."""

    plugin: str
    title: str
    path: str


class PageList(Outgoing):
    """Pages of plugins."""

    pages: list[PageOut]
