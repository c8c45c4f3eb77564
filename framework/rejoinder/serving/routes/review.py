"""What people are asked to decide for the bot to learn: labels of questions, and clusters of questions that it cannot answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from rejoinder.learning.clusters import accept_cluster, find_clusters, proposals, reject_cluster
from rejoinder.learning.review import answer_question, questions_of_today, skip_question
from rejoinder.serving.access import AnyEntry, Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.review import (
    ClusterAcceptedOut,
    ClusterAcceptIn,
    ClusterList,
    ClusterOut,
    ClusterStateName,
    ReviewAnswerIn,
    ReviewAnswerOut,
    ReviewList,
)
from rejoinder.wire import to_json

router = APIRouter(prefix="/learning", tags=["models"], route_class=JsonRoute)

ItemPath = Annotated[str, Path(pattern=r"^[!-~]{1,200}$", description="The question's id.")]
ClusterPath = Annotated[str, Path(pattern=r"^[!-~]{1,200}$", description="The cluster's id.")]


@router.get(
    "/review",
    response_model=ReviewList,
    responses=responses_for("not-found", "busy"),
    summary="See the questions whose labels would help most",
)
async def list_review(entry: Annotated[Entry, Depends(May("correct"))], door: TheDoor) -> Response:
    """Chosen once a day (UTC) from what customers asked of late, `learning.review_per_day` of them; those that were answered or skipped
    are gone."""
    found = await questions_of_today(door.application, entry.tenant)
    return json_response({"items": [to_json(one) for one in found]})


@router.post(
    "/review/{item_id}",
    response_model=ReviewAnswerOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type", "busy", "not-redacted"),
    summary="Say what a question is",
)
async def answer_review(
    item_id: ItemPath, body: ReviewAnswerIn, entry: Annotated[Entry, Depends(May("correct"))], door: TheDoor
) -> Response:
    """The label is learned when this answers: the next message gets the corrected answer."""
    if body.label is None:
        await skip_question(door.application, entry.tenant, entry.caller, item_id)
        return json_response({"id": item_id, "state": "skipped", "learned": False, "note": ""})
    result = await answer_question(door.application, entry.tenant, entry.caller, item_id, body.label)
    return json_response({"id": item_id, "state": "answered", "learned": result.learned, "note": result.note})


@router.get(
    "/clusters",
    response_model=ClusterList,
    responses=responses_for("not-found"),
    summary="See what customers ask in vain",
)
async def show_clusters(
    entry: Annotated[Entry, Depends(May("correct"))],
    door: TheDoor,
    state: Annotated[ClusterStateName, Query(description="Which ones.")] = "open",
) -> Response:
    """Clusters of questions as they were found last: by a worker every `learning.cluster_hours`, or by `POST`."""
    found = await proposals(door.application, entry.tenant, state=state)
    return json_response({"items": [to_json(one) for one in found]})


@router.post(
    "/clusters",
    response_model=ClusterList,
    responses=responses_for("not-found", "busy"),
    summary="Look for clusters anew",
)
async def look_for_clusters(entry: Annotated[Entry, Depends(May("correct"))], door: TheDoor) -> Response:
    """Takes seconds where many questions are new. Nothing near a cluster that was decided on is proposed again."""
    found = await find_clusters(door.application, entry.tenant)
    return json_response({"items": [to_json(one) for one in found]})


@router.post(
    "/clusters/{cluster_id}/accept",
    response_model=ClusterAcceptedOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type", "busy", "not-redacted"),
    summary="Take a cluster in as an intent or an answer",
)
async def accept_proposed(cluster_id: ClusterPath, body: ClusterAcceptIn, access: AnyEntry, door: TheDoor) -> Response:
    """Its questions are learned, and the answer is given, from the next message on. An intent's answer becomes a setting of the tenant,
    which takes whoever may change those."""
    stores = body.label is not None and body.answer is not None
    entry = access.enter("manage_tenant" if stores else "correct")
    found = await accept_cluster(
        door.application, entry.tenant, entry.caller, cluster_id, label=body.label, answer=body.answer
    )
    return json_response(to_json(found))


@router.post(
    "/clusters/{cluster_id}/reject",
    response_model=ClusterOut,
    responses=responses_for("not-found", "conflict"),
    summary="Say that a cluster is nothing to answer",
)
async def reject_proposed(
    cluster_id: ClusterPath, entry: Annotated[Entry, Depends(May("correct"))], door: TheDoor
) -> Response:
    """Neither it nor what is like it is proposed again."""
    return json_response(to_json(await reject_cluster(door.application, entry.tenant, entry.caller, cluster_id)))
