"""Trials of candidates on real messages, and what was decided about versions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.errors import ConflictError
from rejoinder.store.access import get_record, list_records, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.tables import DecisionRow, FeedbackRow, ModelDecision, ModelTrial, ModelVersion, table_of

__all__ = [
    "Action",
    "Outcome",
    "RewardedTurn",
    "add_model_decision",
    "begin_canary",
    "count_in_trial",
    "end_trial",
    "list_model_decisions",
    "list_trials",
    "open_trials",
    "rewarded_turns",
    "start_trial",
]

Outcome = Literal["promoted", "rejected"]
Action = Literal["promote", "reject", "wait", "shadow", "canary", "rollback"]

_trials = table_of(ModelTrial).c
_decided = table_of(ModelDecision).c
_decisions = table_of(DecisionRow).c
_feedback = table_of(FeedbackRow).c


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardedTurn:
    """Feedback that says how good a version's part in a decision was.

    Attributes:
        reward: in [0, 1].
        weight: of the reward, > 0.
    """

    feedback_id: str
    user_id: str
    version: str
    reward: float
    weight: float
    at: datetime


@writing
def start_trial(
    session: Session,
    tenant_id: str,
    *,
    task: str,
    version_id: str,
    against_id: str,
    share: float,
    at: datetime | None = None,
) -> ModelTrial:
    """Begin a trial: in the shadow with `share` 0, else as a canary.

    Raises:
        NotFoundError: the tenant has no such version.
        ConflictError: the task has a trial that goes on.
    """
    now = at or utc_now()
    for one in (version_id, against_id):
        get_record(session, ModelVersion, "model version", tenant_id, one)
    trial = ModelTrial(
        tenant_id=tenant_id,
        id=new_id("trial"),
        task=task,
        model_version_id=version_id,
        against_id=against_id,
        share=share,
        started_at=now,
        canary_at=now if share else None,
    )
    try:
        with session.begin_nested():
            session.add(trial)
    except IntegrityError as error:
        raise ConflictError(f"the task {task!r} has a trial that goes on; end it first") from error
    return trial


@writing
def begin_canary(
    session: Session, tenant_id: str, trial_id: str, *, share: float, at: datetime | None = None
) -> ModelTrial:
    """Let a trial's version answer a share of the users.

    Raises:
        NotFoundError: the tenant has no such trial.
        ConflictError: it is over.
    """
    trial = _going_on(session, tenant_id, trial_id)
    trial.share, trial.canary_at = share, trial.canary_at or at or utc_now()
    session.add(trial)
    session.flush()
    return trial


@writing
def count_in_trial(session: Session, tenant_id: str, trial_id: str, counts: Mapping[str, float]) -> None:
    """Add to what a shadow was seen to do; a trial that is over is left as it is."""
    trial = get_record(session, ModelTrial, "trial", tenant_id, trial_id)
    if trial.outcome is None:
        trial.counts = {name: trial.counts.get(name, 0.0) + counts.get(name, 0.0) for name in {*trial.counts, *counts}}
        session.add(trial)
        session.flush()


@writing
def end_trial(
    session: Session, tenant_id: str, trial_id: str, outcome: Outcome, *, at: datetime | None = None
) -> ModelTrial:
    """Close a trial.

    Raises:
        NotFoundError: the tenant has no such trial.
        ConflictError: it is over.
    """
    trial = _going_on(session, tenant_id, trial_id)
    trial.outcome, trial.ended_at = outcome, at or utc_now()
    session.add(trial)
    session.flush()
    return trial


@reading
def open_trials(session: Session, tenant_ids: Collection[str]) -> list[ModelTrial]:
    """Return the trials of these tenants that go on: what a server asks again and again."""
    return list_records(
        session,
        select(ModelTrial).where(_trials.tenant_id.in_(sorted(tenant_ids)), _trials.outcome.is_(None)),
    )


@reading
def list_trials(session: Session, tenant_id: str, *, task: str | None = None, limit: int = 100) -> list[ModelTrial]:
    """Return a tenant's trials, newest first."""
    statement = select(ModelTrial).where(_trials.tenant_id == tenant_id)
    if task is not None:
        statement = statement.where(_trials.task == task)
    return list_records(session, statement.order_by(_trials.started_at.desc(), _trials.id).limit(limit))


@reading
def rewarded_turns(
    session: Session, tenant_id: str, task: str, *, decided_since: datetime, since: datetime
) -> list[RewardedTurn]:
    """Return the rewards of one task since a moment, in the order in which they came.

    Args:
        decided_since: of decisions that were made before, nothing counts.
        since: what was said before is left out.
    """
    statement = (
        select(_feedback.id, _feedback.user_id, _feedback.rewards, _feedback.at, _decisions.model_versions)
        .join(
            table_of(DecisionRow),
            (_decisions.tenant_id == _feedback.tenant_id) & (_decisions.id == _feedback.decision_id),
        )
        .where(_feedback.tenant_id == tenant_id, _feedback.at >= since, _decisions.at >= decided_since)
        .order_by(_feedback.at, _feedback.id)
    )
    return [
        RewardedTurn(
            feedback_id=feedback_id,
            user_id=user_id,
            version=versions[task],
            reward=reward["value"],
            weight=reward["weight"],
            at=at,
        )
        for feedback_id, user_id, rewards, at, versions in session.execute(statement)
        for reward in rewards or ()
        if task in versions and reward["task"] == task and reward["weight"] > 0 and reward["about"] != "position"
    ]


@writing
def add_model_decision(
    session: Session,
    tenant_id: str,
    *,
    task: str,
    version_id: str,
    action: Action,
    by: str,
    reason: str,
    details: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> ModelDecision:
    """Keep what was decided about a version, and why.

    Raises:
        NotFoundError: the tenant has no such version.
    """
    get_record(session, ModelVersion, "model version", tenant_id, version_id)
    row = ModelDecision(
        tenant_id=tenant_id,
        id=new_id("decided"),
        task=task,
        model_version_id=version_id,
        action=action,
        by=by,
        reason=reason,
        details=dict(details or {}),
        at=at or utc_now(),
    )
    session.add(row)
    session.flush()
    return row


@reading
def list_model_decisions(
    session: Session, tenant_id: str, *, task: str | None = None, version_id: str | None = None, limit: int = 100
) -> list[ModelDecision]:
    """Return what was decided, newest first; only what fits what is given."""
    statement = select(ModelDecision).where(_decided.tenant_id == tenant_id)
    if task is not None:
        statement = statement.where(_decided.task == task)
    if version_id is not None:
        statement = statement.where(_decided.model_version_id == version_id)
    return list_records(session, statement.order_by(_decided.at.desc(), _decided.id.desc()).limit(limit))


def _going_on(session: Session, tenant_id: str, trial_id: str) -> ModelTrial:
    trial = get_record(session, ModelTrial, "trial", tenant_id, trial_id)
    if trial.outcome is not None:
        raise ConflictError(f"trial {trial_id!r} is over: {trial.outcome}")
    return trial
