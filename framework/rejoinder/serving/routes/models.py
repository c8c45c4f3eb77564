"""Model versions of a tenant."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Depends, Query, Response

from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas import ModelList, ModelVersionOut
from rejoinder.store import models
from rejoinder.store.models import VersionState

router = APIRouter(prefix="/models", tags=["models"], route_class=JsonRoute)

TaskFilter = Annotated[str | None, Query(pattern=r"^[a-z0-9_.-]{1,64}$", description="Only of this task.")]


@router.get("", response_model=ModelList, responses=responses_for("not-found"), summary="List model versions")
async def list_models(
    entry: Annotated[Entry, Depends(May("read_analytics"))],
    door: TheDoor,
    task: TaskFilter = None,
    state: Annotated[VersionState | None, Query(description="One of: " + ", ".join(get_args(VersionState)))] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """By task, newest first. The version in state `live` answers; what was corrected since is on top of it."""
    found = await models.list_versions(door.application.database, entry.tenant, task=task, state=state, limit=limit)
    return json_response(
        {"versions": [{name: getattr(one, name) for name in ModelVersionOut.model_fields} for one in found]}
    )
