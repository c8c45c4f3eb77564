"""What people say of an observation, such as the sentiment of a text: it becomes feedback on a decision, as what they say of a turn does.

An observation can be judged where its type is a task and its value has a `label`; `read` in its value is the text that the task was given,
where that is not the event's. The decision is kept only once somebody judges it: most of what is read nobody ever looks at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError, did_you_mean
from rejoinder.payloads import Caller, Decision, Observation
from rejoinder.store.decisions import add_decision, get_decision
from rejoinder.store.events import get_event, list_observations

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.learning.feedback import FeedbackResult

__all__ = ["judge_observation"]


async def judge_observation(
    application: Application,
    tenant: str,
    caller: Caller,
    event_id: str,
    *,
    type: str,  # noqa: A002
    key: str = "",
    label: str | None = None,
    right: bool | None = None,
) -> FeedbackResult:
    """Learn what somebody says of what was read of an event; durable and learned when this returns.

    Args:
        type, key: the observation's.
        label: what is right in place of what was read.
        right: whether what was read is right; in place of `label`.

    Raises:
        InvalidInputError: neither or both of label and right are given, the observation cannot be judged, or the task declares its labels
            and this is none of them.
        NotFoundError: the tenant has no such event or observation; the text names those that there are.
        ConflictError, RedactionError: as `FeedbackDesk.give`.
    """
    if (label is None) == (right is None):
        raise InvalidInputError("say either which `label` is right, or whether what was read is `right`")
    event = await get_event(application.database, tenant, event_id)
    observed = await list_observations(application.database, tenant, event_id)
    found = next((one for one in observed if (one.type, one.key) == (type, key)), None)
    if found is None:
        there = ", ".join(sorted({f"{one.type} {one.key!r}" for one in observed})) or "nothing"
        raise NotFoundError(f"no {type} {key!r} was read of the event {event_id!r}; what was read: {there}")
    task = application.host.tasks.get(type)
    if label is not None and task is not None and task.labels and label not in task.labels:
        raise InvalidInputError(
            f"label: a {type} is one of {', '.join(task.labels)}.{did_you_mean(label, task.labels)}"
        )
    decision = _decision(found, event.text or "", application.clock())
    try:
        await get_decision(application.database, tenant, decision.id)
    except NotFoundError:
        try:
            await add_decision(application.database, tenant, decision)
        except ConflictError:  # somebody else judged it at the same moment
            await get_decision(application.database, tenant, decision.id)
    if label is not None:
        return await application.feedback.give(
            tenant, caller, decision_id=decision.id, kind="corrected_intent", value=label
        )
    return await application.feedback.give(
        tenant, caller, decision_id=decision.id, kind="thumbs", value=1 if right else -1
    )


def _decision(observation: Observation, text: str, at: datetime) -> Decision:
    """Return an observation as a decision, whose id is the same as long as the same is read."""
    value = observation.value if isinstance(observation.value, Mapping) else {}
    label, read = value.get("label"), value.get("read", text)
    if not isinstance(label, str) or not isinstance(read, str) or not read.strip():
        raise InvalidInputError(
            f"the {observation.type} of the event {observation.event_id!r} has no label that could be right or wrong"
        )
    said = "\n".join((observation.event_id, observation.type, observation.key, label, read))
    return Decision(
        id=f"reading_{hashlib.sha256(said.encode()).hexdigest()[:40]}",
        kind="reading",
        task=observation.type,
        at=at,
        input=read,
        label=label,
        confidence=observation.confidence,
    )
