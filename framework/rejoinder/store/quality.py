"""What tells how well a tenant's models serve: decisions with what people said of them, and conversations with how they went."""

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
        label, confidence: what it decided; None where it had nothing to decide.
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
def rated_decisions(session: Session, tenant_id: str, task: str, *, since: datetime) -> list[RatedDecision]:
    """Return feedback since a moment on decisions of a task, oldest first."""
    columns = (
        _decisions.id,
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
        .where(_feedback.tenant_id == tenant_id, _feedback.at >= since, _decisions.task == task)
        .order_by(_feedback.at, _feedback.id)
    )
    found = [(row, _reward(row.rewards, task)) for row in session.execute(statement)]
    return [
        RatedDecision(
            decision_id=row.id,
            version=_version(row.model_versions, task),
            label=row.label,
            confidence=row.confidence,
            kind=row.kind,
            value=row.value,
            reward=None if reward is None else reward["value"],
            weight=0.0 if reward is None else reward["weight"],
            at=row.at,
        )
        for row, reward in found
    ]


@reading
def decision_counts(session: Session, tenant_id: str, task: str, *, since: datetime) -> dict[str, int]:
    """Return how many decisions of a task each version made since a moment."""
    mine = (_decisions.tenant_id == tenant_id, _decisions.task == task, _decisions.at >= since)
    found: dict[str, int] = {}
    for versions, count in session.execute(
        select(_decisions.model_versions, func.count()).where(*mine).group_by(_decisions.model_versions)
    ):
        version = _version(versions, task)
        found[version] = found.get(version, 0) + count
    return found


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
def contained(session: Session, tenant_id: str, task: str, *, since: datetime) -> dict[str, tuple[int, int]]:
    """Return, for each version of a task, in how many conversations it decided since a moment, and how many of them it handed to a person.

    A conversation counts for all versions that decided in it, and as handed over for the one whose turn did so.
    """
    joined = (_decisions.tenant_id == _turns.tenant_id) & (_decisions.turn_id == _turns.id)
    statement = (
        select(_decisions.model_versions, _turns.conversation_id, _turns.action == HAND_OFF)
        .join(table_of(Turn), joined)
        .where(_decisions.tenant_id == tenant_id, _decisions.task == task, _decisions.at >= since)
        .distinct()
    )
    every: dict[str, set[str]] = defaultdict(set)
    handed: dict[str, set[str]] = defaultdict(set)
    for versions, conversation_id, hand_off in session.execute(statement):
        version = _version(versions, task)
        every[version].add(conversation_id)
        if hand_off:
            handed[version].add(conversation_id)
    return {version: (len(found), len(handed[version])) for version, found in every.items()}


def _reward(rewards: list[dict[str, Any]] | None, task: str) -> dict[str, Any] | None:
    """Return the reward of a task that says something of the decision as a whole."""
    of_task = (one for one in rewards or () if one["task"] == task and one["about"] != "position")
    return next((one for one in of_task if one["weight"] > 0), None)


def _version(versions: dict[str, Any] | None, task: str) -> str:
    return str((versions or {}).get(task, "")).partition("+")[0]
