"""What reports are made of: turns with what was decided, feedback, and hand-offs of a stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from rejoinder.store.access import reading
from rejoinder.store.tables import DecisionRow, FeedbackRow, HandOffRow, Turn, table_of

__all__ = ["GivenFeedback", "HandedOff", "ReportRows", "ReportedTurn", "report_rows"]

_turns = table_of(Turn).c
_decisions = table_of(DecisionRow).c
_feedback = table_of(FeedbackRow).c
_hand_offs = table_of(HandOffRow).c
_AT_ONCE = 5000


class ReportedTurn(NamedTuple):
    """One message of a customer. `decided` is False while a person speaks for the bot; `answered`: an answer was found.

    `flows_completed`: how many flows came to their end.
    """

    conversation_id: str
    at: datetime
    action: str
    decided: bool
    answered: bool
    label: str | None
    confidence: float | None
    flows_completed: int


class GivenFeedback(NamedTuple):
    """A thumb, or a rating from 1 to 5, of a customer: what they said last of that part of the decision."""

    at: datetime
    kind: str
    value: int


class HandedOff(NamedTuple):
    """One hand-off."""

    conversation_id: str
    reason: str
    outcome: str | None
    agent_id: str | None
    queued_at: datetime
    first_claimed_at: datetime | None
    first_reply_at: datetime | None
    closed_at: datetime | None


class ReportRows(NamedTuple):
    """All of it, oldest first."""

    turns: Sequence[ReportedTurn]
    feedback: Sequence[GivenFeedback]
    hand_offs: Sequence[HandedOff]


@reading
def report_rows(session: Session, tenant_id: str, *, since: datetime, until: datetime) -> ReportRows:
    """Return what a report from a moment (included) to another one (excluded) is made of."""
    return ReportRows(
        _turns_of(session, tenant_id, since, until),
        _feedback_of(session, tenant_id, since, until),
        _hand_offs_of(session, tenant_id, since, until),
    )


def _turns_of(session: Session, tenant_id: str, since: datetime, until: datetime) -> list[ReportedTurn]:
    joined = (_decisions.tenant_id == _turns.tenant_id) & (_decisions.turn_id == _turns.id)
    statement = (
        select(
            _turns.conversation_id,
            _turns.started_at,
            _turns.action,
            _turns.flows_completed,
            _decisions.id,
            _decisions.chosen,
            _decisions.label,
            _decisions.confidence,
        )
        .outerjoin(table_of(DecisionRow), joined)
        .where(
            _turns.tenant_id == tenant_id,
            _turns.started_at >= since,
            _turns.started_at < until,
            _turns.user_text.is_not(None),
        )
        .order_by(_turns.started_at, _turns.id)
        .execution_options(yield_per=_AT_ONCE)
    )
    return [
        ReportedTurn(
            conversation_id=row.conversation_id,
            at=row.started_at,
            action=row.action,
            decided=row.id is not None,
            answered=bool(row.chosen),
            label=row.label,
            confidence=row.confidence,
            flows_completed=row.flows_completed,
        )
        for row in session.execute(statement)
    ]


def _feedback_of(session: Session, tenant_id: str, since: datetime, until: datetime) -> list[GivenFeedback]:
    columns = (
        _feedback.user_id,
        _feedback.decision_id,
        _feedback.about,
        _feedback.index,
        _feedback.kind,
        _feedback.value,
        _feedback.at,
    )
    wanted = (
        _feedback.tenant_id == tenant_id,
        _feedback.role == "customer",
        _feedback.kind.in_(("thumbs", "rating")),
        _feedback.at >= since,
        _feedback.at < until,
    )
    last: dict[tuple[Any, ...], GivenFeedback] = {}
    for row in session.execute(select(*columns).where(*wanted).order_by(_feedback.at, _feedback.id)):
        part = (row.user_id, row.decision_id, row.about, row.index)
        last[part] = GivenFeedback(at=row.at, kind=row.kind, value=row.value)
    return sorted(last.values())


def _hand_offs_of(session: Session, tenant_id: str, since: datetime, until: datetime) -> list[HandedOff]:
    columns = [_hand_offs[name] for name in HandedOff._fields]
    wanted = (_hand_offs.tenant_id == tenant_id, _hand_offs.queued_at >= since, _hand_offs.queued_at < until)
    rows = session.execute(select(*columns).where(*wanted).order_by(_hand_offs.queued_at, _hand_offs.id))
    return [HandedOff(*row) for row in rows]
