"""What is new since a task was last learned: bounded looks, whose time does not grow with what a tenant has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from rejoinder.learning.rewards import shrunk
from rejoinder.store.access import reading
from rejoinder.store.tables import AdaptationRun, ExampleRow, FeedbackRow, ModelDecision, ModelVersion, table_of

__all__ = ["Rewarded", "last_learned", "last_roll_back", "new_examples", "newest_feedback", "rewards_after"]

_runs = table_of(AdaptationRun).c
_examples = table_of(ExampleRow).c
_feedback = table_of(FeedbackRow).c
_decided = table_of(ModelDecision).c
_versions = table_of(ModelVersion).c


class Rewarded(NamedTuple):
    """One piece of feedback, and the reward in [0, 1] that it gave to each task: nearer to 0.5 the less it weighs."""

    at: datetime
    id: str
    rewards: Mapping[str, float]


@reading
def last_learned(session: Session, tenant_id: str, task: str) -> datetime | None:
    """Return when a task was last learned from all that there was: when its last run began, or what its live version knows ends.

    A run that waits counts from when it was asked for; one that failed counts too, so that it is not repeated at once.
    """
    run = session.execute(
        select(_runs.started_at, _runs.created_at)
        .where(_runs.tenant_id == tenant_id, _runs.task == task)
        .order_by(_runs.created_at.desc())
        .limit(1)
    ).first()
    live = session.execute(
        select(_versions.settings, _versions.created_at).where(
            _versions.tenant_id == tenant_id, _versions.task == task, _versions.state == "live"
        )
    ).first()
    moments = [] if run is None else [run.started_at or run.created_at]
    if live is not None:
        until = live.settings.get("learned_until")
        moments.append(datetime.fromisoformat(until) if until else live.created_at)
    return max(moments, default=None)


@reading
def new_examples(session: Session, tenant_id: str, task: str, *, since: datetime | None, limit: int) -> list[datetime]:
    """Return when the oldest trainable examples of a task came in after a moment, at most `limit`, oldest first."""
    wanted = [_examples.tenant_id == tenant_id, _examples.task == task, _examples.active, ~_examples.held_back]
    if since is not None:
        wanted.append(or_(_examples.at > since, _examples.imported_at > since))
    came = func.coalesce(_examples.imported_at, _examples.at)
    return list(session.scalars(select(came).where(*wanted).order_by(came).limit(limit)))


@reading
def newest_feedback(session: Session, tenant_id: str) -> datetime | None:
    """Return when a tenant's people last said something of a decision."""
    newest: datetime | None = session.scalar(select(func.max(_feedback.at)).where(_feedback.tenant_id == tenant_id))
    return newest


@reading
def rewards_after(session: Session, tenant_id: str, *, after: tuple[datetime, str], limit: int) -> list[Rewarded]:
    """Return a tenant's scored feedback after a moment and id, at most `limit`, in the order of these."""
    moment, feedback_id = after
    later = (_feedback.at > moment) | ((_feedback.at == moment) & (_feedback.id > feedback_id))
    rows = session.execute(
        select(_feedback.at, _feedback.id, _feedback.rewards)
        .where(_feedback.tenant_id == tenant_id, later)
        .order_by(_feedback.at, _feedback.id)
        .limit(limit)
    )
    return [
        Rewarded(
            at,
            row_id,
            {
                one["task"]: shrunk(one["value"], one["weight"])
                for one in rewards or ()
                if one["weight"] > 0 and one["about"] != "position"
            },
        )
        for at, row_id, rewards in rows
    ]


@reading
def last_roll_back(session: Session, tenant_id: str, task: str, *, since: datetime) -> datetime | None:
    """Return when, after a moment, a version of a task was last taken back."""
    mine = (_decided.tenant_id == tenant_id, _decided.task == task, _decided.at > since, _decided.action == "rollback")
    last: datetime | None = session.scalar(select(func.max(_decided.at)).where(*mine))
    return last
