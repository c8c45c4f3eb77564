"""Model versions of a tenant: which there are, and which one answers."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Path, Query, Response

from rejoinder.learning.export import version_record
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.models import ModelDetails, ModelList, ModelVersionOut, RollbackIn, RollbackOut
from rejoinder.store import models
from rejoinder.store.models import VersionState
from rejoinder.store.tables import ModelVersion

router = APIRouter(prefix="/models", tags=["models"], route_class=JsonRoute)

VersionId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The version's id.")]
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
    return json_response({"versions": [_told(one) for one in found]})


@router.get(
    "/{version_id}",
    response_model=ModelDetails,
    responses=responses_for("not-found"),
    summary="Look at a model version",
)
async def show_model(
    version_id: VersionId, entry: Annotated[Entry, Depends(May("read_analytics"))], door: TheDoor
) -> Response:
    """What it was made of and from which versions, and what it scored."""
    database = door.application.database
    record = await version_record(database, await models.get_version(database, entry.tenant, version_id))
    return json_response({name: record[name] for name in ModelDetails.model_fields})


@router.post(
    "/{version_id}/promote",
    response_model=ModelVersionOut,
    responses=responses_for("not-found", "conflict"),
    summary="Make a model version live",
)
async def promote_model(
    version_id: VersionId, entry: Annotated[Entry, Depends(May("manage_models"))], door: TheDoor
) -> Response:
    """Its files are checked first; the version that was live is retired. Every server answers with it within two seconds, and a turn
    that has begun ends with the version that it began with."""
    return json_response(_told(await door.application.models.promote(entry.tenant, version_id)))


@router.post(
    "/rollback",
    response_model=RollbackOut,
    responses=responses_for("not-found", "conflict", "media-type"),
    summary="Go back to the version before",
)
async def roll_back_model(
    body: RollbackIn, entry: Annotated[Entry, Depends(May("manage_models"))], door: TheDoor
) -> Response:
    """The live version of the task is retired, and the one that was live before it answers again. Repeat it to go back further."""
    retired, live = await door.application.models.roll_back(entry.tenant, body.task)
    return json_response({"live": _told(live), "retired": _told(retired)})


def _told(version: ModelVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in ModelVersionOut.model_fields}
