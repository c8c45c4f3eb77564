"""Sources of events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, JsonValue, StringConstraints

from rejoinder.events.settings import ZoneName
from rejoinder.serving.schemas.parts import Incoming, Outgoing, example


class SourceIn(Incoming):
    """A feed or folder from which events are to be fetched."""

    model_config = example(
        kind="feed", location="https://news.example/rss", time_zone="America/New_York", every_s=300.0
    )

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")] = Field(
        description="`feed` (RSS, Atom), `folder`, or a kind that a plugin knows."
    )
    location: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,2000}$")] = Field(
        description="A feed's address; a folder's path below the tenant's own folder, `.` for that."
    )
    every_s: float = Field(default=300.0, ge=1, le=2_592_000, description="Seconds from one look to the next.")
    time_zone: ZoneName | None = Field(
        default=None, description="Of dates that name none; unset: what `[events]` of the tenant says."
    )
    options: dict[str, JsonValue] = Field(default_factory=dict, description="What the kind's plugin asks for.")


class SourceOut(Outgoing):
    """A source, and what came of it."""

    id: str
    kind: str
    location: str
    every_s: float
    time_zone: str | None
    options: dict[str, Any]
    created_at: datetime
    next_poll_at: datetime
    polled_at: datetime | None
    failures: int = Field(description="How often it could not be reached since it last was.")
    error: str | None = Field(description="Why, the last time.")
    taken: dict[str, int] = Field(description="What became of all its documents, by status.")
    problems: list[str] = Field(description="What could not be used when there was last anything new.")


class SourceList(Outgoing):
    """Sources by id."""

    sources: list[SourceOut]
