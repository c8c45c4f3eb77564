"""Feedback on decisions, and the rewards that came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from rejoinder.errors import ConflictError
from rejoinder.payloads import Feedback, Reward
from rejoinder.store.access import add_missing, missing, reading, writing
from rejoinder.store.decisions import find_decision
from rejoinder.store.tables import FeedbackRow, table_of
from rejoinder.wire import from_json, to_json

__all__ = ["StoredFeedback", "add_feedback", "find_by_key", "get_feedback", "list_feedback", "set_rewards"]

_feedback = table_of(FeedbackRow)
_c = _feedback.c
_EXTRA = ("tenant_id", "idempotency_key", "request_hash", "rewards")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFeedback:
    """Feedback as stored. `rewards` is None until it was scored; `is_new` tells a first request from a repeated one."""

    feedback: Feedback
    rewards: tuple[Reward, ...] | None
    is_new: bool = False


@writing
def add_feedback(
    session: Session,
    tenant_id: str,
    feedback: Feedback,
    *,
    idempotency_key: str | None = None,
    request_hash: str | None = None,
) -> StoredFeedback:
    """Keep feedback once: the same key (or id) with the same content gives what is there already.

    Args:
        idempotency_key: the caller's, unique in the tenant; None: the id alone tells.
        request_hash: a hash of what the caller sent, so that another request with the same key is noticed.
    Raises:
        NotFoundError: the tenant has no such decision.
        ConflictError: the key was used for another request, or the id for other feedback.
    """
    find_decision(session, tenant_id, feedback.decision_id)
    values = {
        **to_json(feedback),
        "at": feedback.at,
        "tenant_id": tenant_id,
        "idempotency_key": idempotency_key,
        "request_hash": request_hash,
        "rewards": None,
    }
    if add_missing(session, _feedback, [values]):
        return StoredFeedback(feedback=feedback, rewards=None, is_new=True)
    return _repeated(session, tenant_id, feedback, idempotency_key, request_hash)


@reading
def find_by_key(
    session: Session, tenant_id: str, idempotency_key: str, request_hash: str | None
) -> StoredFeedback | None:
    """Return the feedback that was given with this idempotency key; None when there is none.

    Raises:
        ConflictError: the key was used for another request.
    """
    mine = (_c.tenant_id == tenant_id, _c.idempotency_key == idempotency_key)
    row = session.execute(select(_feedback).where(*mine)).first()
    return None if row is None else _same_request(row, idempotency_key, request_hash)


@reading
def get_feedback(session: Session, tenant_id: str, feedback_id: str) -> StoredFeedback:
    """Return one feedback.

    Raises:
        NotFoundError: the tenant has no such feedback.
    """
    row = session.execute(select(_feedback).where(_c.tenant_id == tenant_id, _c.id == feedback_id)).first()
    if row is None:
        raise missing("feedback", feedback_id)
    return _stored(row)


@reading
def list_feedback(
    session: Session,
    tenant_id: str,
    *,
    decision_id: str | None = None,
    user_id: str | None = None,
    since: datetime | None = None,
    unscored: bool = False,
    limit: int = 100,
) -> list[StoredFeedback]:
    """Return feedback, oldest first, at most `limit`; only what fits what is given.

    Args:
        unscored: only what has no rewards yet, e.g. since the process that took it was killed.
    """
    statement = select(_feedback).where(_c.tenant_id == tenant_id)
    if decision_id is not None:
        statement = statement.where(_c.decision_id == decision_id)
    if user_id is not None:
        statement = statement.where(_c.user_id == user_id)
    if since is not None:
        statement = statement.where(_c.at >= since)
    if unscored:
        statement = statement.where(_c.rewards.is_(None))
    return [_stored(row) for row in session.execute(statement.order_by(_c.at, _c.id).limit(limit))]


@writing
def set_rewards(session: Session, tenant_id: str, feedback_id: str, rewards: Sequence[Reward]) -> None:
    """Note what a feedback is worth; an empty sequence: it was looked at and gives nothing.

    Raises:
        NotFoundError: the tenant has no such feedback.
    """
    mine = (_c.tenant_id == tenant_id, _c.id == feedback_id)
    changes = {"rewards": [to_json(reward) for reward in rewards]}
    if session.execute(update(FeedbackRow).where(*mine).values(**changes).returning(_c.id)).first() is None:
        raise missing("feedback", feedback_id)


def _repeated(
    session: Session, tenant_id: str, feedback: Feedback, idempotency_key: str | None, request_hash: str | None
) -> StoredFeedback:
    """Say what stood in the way of an insertion: the key (another process was faster) or the id."""
    if idempotency_key is not None:
        mine = (_c.tenant_id == tenant_id, _c.idempotency_key == idempotency_key)
        row = session.execute(select(_feedback).where(*mine)).first()
        if row is not None:
            return _same_request(row, idempotency_key, request_hash)
    row = session.execute(select(_feedback).where(_c.tenant_id == tenant_id, _c.id == feedback.id)).first()
    if row is None or _stored(row).feedback != feedback:
        raise ConflictError(f"there is other feedback with the id {feedback.id!r}")
    return _stored(row)


def _same_request(row: Row[Any], idempotency_key: str, request_hash: str | None) -> StoredFeedback:
    if row.request_hash != request_hash:
        raise ConflictError(f"the idempotency key {idempotency_key!r} was used for another request; use a new one")
    return _stored(row)


def _stored(row: Row[Any]) -> StoredFeedback:
    values = {key: value for key, value in row._mapping.items() if key not in _EXTRA}
    rewards = None if row.rewards is None else tuple(from_json(Reward, reward) for reward in row.rewards)
    return StoredFeedback(feedback=from_json(Feedback, values), rewards=rewards)
