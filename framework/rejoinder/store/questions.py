"""What customers asked of late, and what became of it: whether it was answered, whether anybody said what it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from rejoinder.store.access import reading
from rejoinder.store.chunks import in_chunks
from rejoinder.store.tables import (
    DecisionRow,
    ExampleRow,
    FeedbackRow,
    QuestionCluster,
    QuestionClusterMember,
    ReviewItem,
    Turn,
    table_of,
)

__all__ = ["AskedQuestion", "asked_questions", "texts_of_decisions"]

_decisions = table_of(DecisionRow).c
_turns = table_of(Turn).c
_feedback = table_of(FeedbackRow).c
_examples = table_of(ExampleRow).c
_items = table_of(ReviewItem).c
_clusters = table_of(QuestionCluster).c
_members = table_of(QuestionClusterMember).c


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    """One question of a customer.

    Attributes:
        text: redacted, as the decision holds it.
        answered: whether the bot gave an answer.
        label: the intent whose answer it was; None: that of none, such as a passage of a document.
        disliked: whether somebody said that it was a bad one.
        settled: whether somebody said already what the text is, or was asked and did not know, or decided on a cluster with it.
    """

    decision_id: str
    text: str
    user_id: str | None
    at: datetime
    answered: bool
    label: str | None
    disliked: bool
    settled: bool


@reading
def asked_questions(session: Session, tenant_id: str, task: str, *, since: datetime, limit: int) -> list[AskedQuestion]:
    """Return what was asked since a moment, newest first, at most `limit`: no steps of flows, no small talk, and nothing that a person
    answered.

    Args:
        task: what a text is labelled for.
    """
    statement = (
        select(_decisions.id, _decisions.input, _decisions.user_id, _decisions.at, _decisions.chosen, _decisions.label)
        .join(Turn, (_turns.tenant_id == _decisions.tenant_id) & (_turns.id == _decisions.turn_id))
        .where(
            _decisions.tenant_id == tenant_id,
            _decisions.kind == "turn",
            _decisions.at >= since,
            _decisions.input != "",
            _turns.action.in_(("answer", "ask")),
        )
        .order_by(_decisions.at.desc(), _decisions.id.desc())
        .limit(limit)
    )
    rows = session.execute(statement).all()
    disliked = _disliked(session, tenant_id, [row.id for row in rows])
    settled = _settled(session, tenant_id, task, {row.input for row in rows})
    return [
        AskedQuestion(
            decision_id=row.id,
            text=row.input,
            user_id=row.user_id,
            at=row.at,
            answered=bool(row.chosen),
            label=row.label,
            disliked=row.id in disliked,
            settled=row.input in settled,
        )
        for row in rows
    ]


def texts_of_decisions(session: Session, tenant_id: str, decision_ids: Sequence[str]) -> dict[str, str]:
    """Return, within another access function, what decisions were about, by id."""
    found: dict[str, str] = {}
    for chunk in in_chunks(decision_ids):
        mine = (_decisions.tenant_id == tenant_id, _decisions.id.in_(chunk))
        found.update(
            {row.id: row.input for row in session.execute(select(_decisions.id, _decisions.input).where(*mine))}
        )
    return found


def _disliked(session: Session, tenant_id: str, decision_ids: Sequence[str]) -> set[str]:
    """Return the decisions that somebody gave a thumb down, or one or two stars."""
    found = set()
    for chunk in in_chunks(decision_ids):
        rows = session.execute(
            select(_feedback.decision_id, _feedback.kind, _feedback.value).where(
                _feedback.tenant_id == tenant_id,
                _feedback.decision_id.in_(chunk),
                _feedback.kind.in_(("thumbs", "rating")),
            )
        )
        found |= {row.decision_id for row in rows if (row.value == -1 if row.kind == "thumbs" else row.value <= 2)}
    return found


def _settled(session: Session, tenant_id: str, task: str, texts: Collection[str]) -> set[str]:
    found: set[str] = set()
    for chunk in in_chunks(sorted(texts)):
        corrected = select(_examples.text).where(
            _examples.tenant_id == tenant_id,
            _examples.task == task,
            _examples.active,
            _examples.polarity == "correction",
            _examples.text.in_(chunk),
        )
        reviewed = (
            select(_decisions.input)
            .join(ReviewItem, (_items.tenant_id == _decisions.tenant_id) & (_items.decision_id == _decisions.id))
            .where(_decisions.tenant_id == tenant_id, _items.state != "open", _decisions.input.in_(chunk))
        )
        clustered = (
            select(_decisions.input)
            .join(
                QuestionClusterMember,
                (_members.tenant_id == _decisions.tenant_id) & (_members.decision_id == _decisions.id),
            )
            .join(
                QuestionCluster,
                (_clusters.tenant_id == _members.tenant_id) & (_clusters.id == _members.cluster_id),
            )
            .where(_decisions.tenant_id == tenant_id, _clusters.state != "open", _decisions.input.in_(chunk))
        )
        for statement in (corrected, reviewed, clustered):
            found.update(session.scalars(statement))
    return found
