"""What tells how well a tenant's models serve: decisions with what people said of them, and conversations with how they went.

A decision is made for one task, and other tasks have a part in it: a message is read by one model, the answer to it found by another.
It counts for each task whose version it names.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rejoinder.payloads import Json
from rejoinder.store.access import reading
from rejoinder.store.tables import DecisionRow, FeedbackRow, Turn, table_of

__all__ = ["RatedDecision", "contained", "conversation_ends", "decision_counts", "rated_decisions"]

_decisions = table_of(DecisionRow).c
_feedback = table_of(FeedbackRow).c
_turns = table_of(Turn).c

HAND_OFF = "hand_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedDecision:
    """One feedback on one decision.

    Attributes:
        version: that decided, such as "intent-7"; "" where no model did.
        label, confidence: what it decided; None where it had nothing to decide, and of a task that only had a part in the decision.
        kind, value: of the feedback, as in `rejoinder.payloads.Feedback`.
        reward: for the decision's task, in [0, 1]; None: the feedback says nothing of it.
        weight: of the reward.
    """

    decision_id: str
    version: str
    label: str | None
    confidence: float | None
    kind: str
    value: Json
    reward: float | None
    at: datetime
    weight: float = 1.0


@reading
def rated_decisions(session: Session, tenant_id: str, *, since: datetime) -> dict[str, list[RatedDecision]]:
    """Return, by task, feedback since a moment on decisions, oldest first: of a task that only had a part, what speaks of it."""
    columns = (
        _decisions.id,
        _decisions.task,
        _decisions.model_versions,
        _decisions.label,
        _decisions.confidence,
        _feedback.kind,
        _feedback.value,
        _feedback.rewards,
        _feedback.at,
    )
    joined = (_decisions.tenant_id == _feedback.tenant_id) & (_decisions.id == _feedback.decision_id)
    statement = (
        select(*columns)
        .join(table_of(FeedbackRow), joined)
        .where(_feedback.tenant_id == tenant_id, _feedback.at >= since)
        .order_by(_feedback.at, _feedback.id)
    )
    found: dict[str, list[RatedDecision]] = defaultdict(list)
    for row in session.execute(statement):
        for task, version in _versions_by_task(row.task, row.model_versions).items():
            reward = _reward(row.rewards, task)
            own = task == row.task
            if reward is None and not own:
                continue
            found[task].append(
                RatedDecision(
                    decision_id=row.id,
                    version=version,
                    label=row.label if own else None,
                    confidence=row.confidence if own else None,
                    kind=row.kind,
                    value=row.value,
                    reward=None if reward is None else reward["value"],
                    weight=0.0 if reward is None else reward["weight"],
                    at=row.at,
                )
            )
    return dict(found)


@reading
def decision_counts(session: Session, tenant_id: str, *, since: datetime) -> dict[str, dict[str, int]]:
    """Return, by task, in how many decisions since a moment each version decided or had a part."""
    named = (_decisions.task, _decisions.model_versions)
    mine = (_decisions.tenant_id == tenant_id, _decisions.at >= since)
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for own, versions, count in session.execute(select(*named, func.count()).where(*mine).group_by(*named)):
        for task, version in _versions_by_task(own, versions).items():
            found[task][version] += count
    return {task: dict(counts) for task, counts in found.items()}


@reading
def conversation_ends(session: Session, tenant_id: str, *, since: datetime) -> tuple[int, int]:
    """Return how many conversations had a turn since a moment, and how many of them were handed to a person then."""
    mine = (_turns.tenant_id == tenant_id, _turns.started_at >= since)
    every = session.scalar(select(func.count(func.distinct(_turns.conversation_id))).where(*mine)) or 0
    handed = (
        session.scalar(
            select(func.count(func.distinct(_turns.conversation_id))).where(*mine, _turns.action == HAND_OFF)
        )
        or 0
    )
    return every, handed


@reading
def contained(session: Session, tenant_id: str, *, since: datetime) -> dict[str, dict[str, tuple[int, int]]]:
    """Return, for each version by task, in how many conversations it decided since a moment, and how many of them it handed to a person.

    A conversation counts for all versions that decided or had a part in it, and as handed over for those whose turn did so.
    """
    joined = (_decisions.tenant_id == _turns.tenant_id) & (_decisions.turn_id == _turns.id)
    statement = (
        select(_decisions.task, _decisions.model_versions, _turns.conversation_id, _turns.action == HAND_OFF)
        .join(table_of(Turn), joined)
        .where(_decisions.tenant_id == tenant_id, _decisions.at >= since)
        .distinct()
    )
    every: dict[tuple[str, str], set[str]] = defaultdict(set)
    handed: dict[tuple[str, str], set[str]] = defaultdict(set)
    for own, versions, conversation_id, hand_off in session.execute(statement):
        for named in _versions_by_task(own, versions).items():
            every[named].add(conversation_id)
            if hand_off:
                handed[named].add(conversation_id)
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for (task, version), conversations in every.items():
        found[task][version] = (len(conversations), len(handed[task, version]))
    return dict(found)


def _reward(rewards: list[dict[str, Any]] | None, task: str) -> dict[str, Any] | None:
    """Return the reward of a task that says something of the decision as a whole."""
    of_task = (one for one in rewards or () if one["task"] == task and one["about"] != "position")
    return next((one for one in of_task if one["weight"] > 0), None)


def _versions_by_task(own: str, versions: dict[str, Any] | None) -> dict[str, str]:
    """Return the versions that a decision names; of its own task "" where it names none."""
    return {task: str(version).partition("+")[0] for task, version in {own: "", **(versions or {})}.items()}
