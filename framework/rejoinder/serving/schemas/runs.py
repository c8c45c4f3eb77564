"""Adaptation runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from rejoinder.serving.schemas.parts import Incoming, Outgoing, example


class RunIn(Incoming):
    """Which task a worker is to learn anew."""

    model_config = example(task="intent")

    task: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,64}$")]
    priority: Annotated[int, Field(ge=-1000, le=1000, description="Runs with a higher one go first.")] = 0


class RunOut(Outgoing):
    """One fitting of a new model by a worker."""

    id: str
    task: str
    status: str = Field(description="queued, running, done, failed or cancelled.")
    reason: str = Field(description="Why it was started, in words.")
    priority: int
    queue: str = Field(description="Which workers take it: cpu or gpu.")
    progress: float = Field(description="Share of the work that is done, from 0 to 1.")
    attempts: int = Field(description="Workers that began it; others than the last were lost.")
    error: str | None = None
    model_version_id: str | None = Field(
        default=None, description="The version that came of it; the gate decides whether it serves."
    )
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class RunList(Outgoing):
    """A tenant's adaptation runs, newest first."""

    runs: list[RunOut]
