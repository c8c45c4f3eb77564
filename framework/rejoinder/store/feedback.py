"""Feedback on decisions, the rewards that came of it, and what is to be known before it is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from rejoinder.errors import ConflictError
from rejoinder.learning.user_trust import UserTrust
from rejoinder.payloads import Decision, Example, Feedback, Reward
from rejoinder.store.access import add_missing, missing, plain, reading, writing
from rejoinder.store.decisions import find_decision, hold_decision
from rejoinder.store.examples import add_examples, set_active, take_back_of_user
from rejoinder.store.tables import ExampleRow, FeedbackRow, table_of
from rejoinder.store.users import trust_of, weigh_statements
from rejoinder.wire import from_json, to_json

__all__ = [
    "FeedbackSituation",
    "ScoredFeedback",
    "Statement",
    "StoredFeedback",
    "add_feedback",
    "feedback_situation",
    "find_by_key",
    "get_feedback",
    "list_feedback",
    "record_feedback",
    "set_rewards",
    "statement_of",
]

_feedback = table_of(FeedbackRow)
_c = _feedback.c
_examples = table_of(ExampleRow).c
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_MOST_EARLIER = 50
_LOADED = 40.0
"""Statements of whoever loads examples from a file, all right."""
_EXTRA = ("tenant_id", "idempotency_key", "request_hash", "rewards")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFeedback:
    """Feedback as stored. `rewards` is None until it was scored; `is_new` tells a first request from a repeated one."""

    feedback: Feedback
    rewards: tuple[Reward, ...] | None
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSituation:
    """What there is before a person gives feedback on a decision.

    Attributes:
        said: how often the person said something in the last minute, hour and day.
        earlier: what they said of this decision lately, oldest first.
        spoken: how often they have spoken of this decision.
        trust: `User.agreed` and `User.disputed` of the person.
    """

    decision: Decision
    said: tuple[int, int, int] = (0, 0, 0)
    earlier: tuple[StoredFeedback, ...] = ()
    spoken: int = 0
    trust: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Who gave an example (None: it was loaded from a file), and how far they are trusted."""

    user_id: str | None
    trust: UserTrust


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredFeedback:
    """All that one feedback comes to.

    Attributes:
        overruled: rewards of earlier feedback, by its id, as they count from now on.
        aside: ids of examples that teach nothing from now on; new ones among them.
        statements: see `rejoinder.store.users.weigh_statements`.
        take_back: all that the user taught before teaches nothing from now on.
    """

    feedback: Feedback
    rewards: Sequence[Reward] = ()
    examples: Sequence[Example] = ()
    overruled: Mapping[str, Sequence[Reward]] = field(default_factory=dict)
    aside: Sequence[str] = ()
    statements: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    take_back: bool = False


@writing
def record_feedback(
    session: Session,
    tenant_id: str,
    scored: ScoredFeedback,
    *,
    seen: int | None = None,
    held_back: Callable[[Example], bool],
    idempotency_key: str | None = None,
    request_hash: str | None = None,
) -> tuple[StoredFeedback, list[str]] | None:
    """Keep a feedback with all that it comes to, in one transaction; return it, and the ids of the examples that were taken back.

    None: whoever gives it has said something else of the decision since `seen` was looked at, and nothing was kept. Of what one person
    says of a decision the last counts, so that it must be known what it replaces.

    Args:
        seen: how often they had spoken of the decision when this was scored; None: it does not matter.
        held_back: see `add_examples`.
        idempotency_key, request_hash: see `add_feedback`. Of a repeated request nothing is kept.
    Raises:
        NotFoundError, ConflictError: as `add_feedback`.
    """
    given = scored.feedback
    hold_decision(session, tenant_id, given.decision_id)
    repeated = () if idempotency_key is None else (_c.idempotency_key.is_distinct_from(idempotency_key),)
    about = (_c.tenant_id == tenant_id, _c.user_id == given.user_id, _c.decision_id == given.decision_id)
    if seen is not None and seen < (session.scalar(select(func.count()).where(*about, *repeated)) or 0):
        return None
    stored = plain(add_feedback)(session, tenant_id, given, idempotency_key=idempotency_key, request_hash=request_hash)
    if not stored.is_new:
        return stored, []
    for feedback_id, rewards in {given.id: scored.rewards, **scored.overruled}.items():
        plain(set_rewards)(session, tenant_id, feedback_id, rewards)
    plain(add_examples)(session, tenant_id, scored.examples, held_back=held_back)
    plain(weigh_statements)(session, tenant_id, scored.statements, at=given.at)
    taken_back = plain(take_back_of_user)(session, tenant_id, given.user_id) if scored.take_back else []
    if scored.aside:
        plain(set_active)(session, tenant_id, list(scored.aside), False)
    return stored, taken_back


@reading
def feedback_situation(
    session: Session, tenant_id: str, decision_id: str, user_id: str, *, at: datetime
) -> FeedbackSituation:
    """Return what there is before `user_id` gives feedback on a decision, in one look.

    Raises:
        NotFoundError: the tenant has no such decision.
    """
    decision = find_decision(session, tenant_id, decision_id)
    mine = (_c.tenant_id == tenant_id, _c.user_id == user_id)
    spoken = (*mine, _c.role == "customer", _c.at > at - _DAY)
    minute, hour, day = session.execute(
        select(func.count().filter(_c.at > at - _MINUTE), func.count().filter(_c.at > at - _HOUR), func.count()).where(
            *spoken
        )
    ).one()
    about = (*mine, _c.decision_id == decision_id)
    earlier = session.execute(
        select(_feedback).where(*about).order_by(_c.at.desc(), _c.id.desc()).limit(_MOST_EARLIER)
    ).all()
    count = len(earlier)
    if count == _MOST_EARLIER:
        count = session.scalar(select(func.count()).where(*about)) or 0
    return FeedbackSituation(
        decision=decision,
        said=(minute, hour, day),
        earlier=tuple(_stored(row) for row in reversed(earlier)),
        spoken=count,
        trust=trust_of(session, tenant_id, user_id),
    )


@reading
def statement_of(session: Session, tenant_id: str, example_id: str) -> Statement:
    """Return who stands behind an example; what no example of this tenant says is known from a file, and surely right."""
    row = session.execute(
        select(_examples.user_id).where(_examples.tenant_id == tenant_id, _examples.id == example_id)
    ).first()
    if row is None or row.user_id is None:
        return Statement(user_id=None, trust=UserTrust(agreed=_LOADED))
    return Statement(user_id=row.user_id, trust=UserTrust(*trust_of(session, tenant_id, row.user_id)))


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
