"""Where a tenant's learning stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from rejoinder.learning.status import learning_status
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.learning import LearningStatus

router = APIRouter(prefix="/learning", tags=["models"], route_class=JsonRoute)


@router.get(
    "/status",
    response_model=LearningStatus,
    responses=responses_for("not-found"),
    summary="See how well models serve and what was decided",
)
async def show_status(
    entry: Annotated[Entry, Depends(May("read_analytics"))],
    door: TheDoor,
    days: Annotated[float, Query(ge=0.01, le=365, description="How far back to look for what people said.")] = 7.0,
    limit: Annotated[int, Query(ge=1, le=100, description="Most runs, trials and decisions, each newest first.")] = 20,
) -> Response:
    """Accuracy, recall and calibration are of decisions that somebody rated or corrected; `csat` is the share of thumbs up and of
    ratings of 4 and 5; `containment` the share of conversations that no person was called into; `drift` by how much the mean reward of a
    version changed, where ADWIN saw that it did."""
    application = door.application
    return json_response(
        await learning_status(
            application.database,
            entry.tenant,
            now=application.clock(),
            days=days,
            drift_error=application.settings.learning.drift_error,
            limit=limit,
        )
    )
