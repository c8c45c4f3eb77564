"""Whether the server is well."""

from __future__ import annotations

from typing import Literal

from rejoinder.serving.schemas.parts import Outgoing


class HealthOut(Outgoing):
    """The server runs."""

    status: Literal["ok"]
    version: str
