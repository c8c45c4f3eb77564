"""New topics: proposed from documents that no topic fits, accepted or rejected by a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from rejoinder.monitoring.new_topics import accept_topic, find_topics, proposed_topics, reject_topic
from rejoinder.serving.access import Entry, May
from rejoinder.serving.door import TheDoor
from rejoinder.serving.problems import responses_for
from rejoinder.serving.responses import JsonRoute, json_response
from rejoinder.serving.schemas.monitoring import (
    AcceptedTopicOut,
    NewTopicList,
    NewTopicOut,
    ProposalStateName,
    TopicAcceptIn,
)
from rejoinder.wire import to_json

router = APIRouter(prefix="/topics/proposals", tags=["monitoring"], route_class=JsonRoute)

ProposalPath = Annotated[str, Path(pattern=r"^[!-~]{1,200}$", description="The proposal's id.")]
Analyst = Annotated[Entry, Depends(May("read_analytics"))]
Owner = Annotated[Entry, Depends(May("manage_tenant"))]


@router.get("", response_model=NewTopicList, responses=responses_for("not-found"), summary="See proposed topics")
async def show_proposals(
    entry: Analyst, door: TheDoor, state: Annotated[ProposalStateName, Query(description="Which ones.")] = "open"
) -> Response:
    """As they were found last, by `POST`."""
    await door.application.tenants.get(entry.tenant)
    found = await proposed_topics(door.application, entry.tenant, state=state)
    return json_response({"items": [to_json(one) for one in found]})


@router.post(
    "",
    response_model=NewTopicList,
    responses=responses_for("not-found", "invalid-input", "busy"),
    summary="Look for new topics",
)
async def look_for_topics(entry: Analyst, door: TheDoor) -> Response:
    """In the documents of the last four weeks that no topic fits. Takes seconds to a minute where many are new. Nothing near a proposal
    that was decided on is proposed again."""
    found = await find_topics(door.application, entry.tenant)
    return json_response({"items": [to_json(one) for one in found]})


@router.post(
    "/{proposal_id}/accept",
    response_model=AcceptedTopicOut,
    responses=responses_for("not-found", "conflict", "invalid-input", "media-type"),
    summary="Make a proposal a topic",
)
async def accept_proposal(proposal_id: ProposalPath, body: TopicAcceptIn, entry: Owner, door: TheDoor) -> Response:
    """It becomes a setting of the tenant; documents that are read from now on may have it."""
    found = await accept_topic(
        door.application, entry.tenant, entry.caller, proposal_id, name=body.name, words=body.words
    )
    return json_response(to_json(found))


@router.post(
    "/{proposal_id}/reject",
    response_model=NewTopicOut,
    responses=responses_for("not-found", "conflict"),
    summary="Say that a proposal is no topic",
)
async def reject_proposal(proposal_id: ProposalPath, entry: Analyst, door: TheDoor) -> Response:
    """Neither it nor what is like it is proposed again."""
    return json_response(to_json(await reject_topic(door.application, entry.tenant, entry.caller, proposal_id)))
