"""What was put first before people, and what they said of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from rejoinder.store.access import reading
from rejoinder.store.chunks import in_chunks
from rejoinder.store.tables import DecisionRow, FeedbackRow, table_of

__all__ = ["RewardedChoice", "rewarded_choices"]

_decisions = table_of(DecisionRow).c
_feedback = table_of(FeedbackRow).c


class RewardedChoice(NamedTuple):
    """A candidate that was put first for a text, and the reward in [0, 1] by all that was said of it, with the weight of that."""

    decision_id: str
    text: str
    candidate: str
    reward: float
    weight: float


@reading
def rewarded_choices(
    session: Session, tenant_id: str, *, after: tuple[datetime, str] | None, limit: int
) -> tuple[datetime | None, list[RewardedChoice]]:
    """Return the moment of the newest feedback (None: there is no new one), and the choices that new feedback is about.

    Args:
        after: moment and id of the last feedback that is known.
        limit: most feedback looked at, the newest.
    """
    statement = (
        select(_feedback.at, _feedback.decision_id)
        .where(_feedback.tenant_id == tenant_id)
        .order_by(_feedback.at.desc(), _feedback.id.desc())
        .limit(limit)
    )
    if after is not None:
        moment, feedback_id = after
        statement = statement.where((_feedback.at > moment) | ((_feedback.at == moment) & (_feedback.id > feedback_id)))
    new = session.execute(statement).all()
    ids = list(dict.fromkeys(row.decision_id for row in reversed(new)))
    found: list[RewardedChoice] = []
    for some in in_chunks(ids):
        found += _choices(session, tenant_id, some)
    return (new[0].at if new else None), found


def _choices(session: Session, tenant_id: str, decision_ids: Sequence[str]) -> list[RewardedChoice]:
    rewards: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in session.execute(
        select(_feedback.decision_id, _feedback.rewards).where(
            _feedback.tenant_id == tenant_id, _feedback.decision_id.in_(decision_ids)
        )
    ):
        of_whole = [one for one in row.rewards or () if one["weight"] > 0 and one["about"] != "position"]
        rewards[row.decision_id] += [{**one, "weight": one["weight"] / len(of_whole)} for one in of_whole]
    shown = session.execute(
        select(_decisions.id, _decisions.input, _decisions.chosen).where(
            _decisions.tenant_id == tenant_id, _decisions.id.in_(decision_ids)
        )
    )
    made = []
    for decision_id, text, chosen in shown:
        weight = sum(one["weight"] for one in rewards[decision_id])
        if chosen:
            reward = sum(one["value"] * one["weight"] for one in rewards[decision_id]) / weight if weight else 0.5
            made.append(RewardedChoice(decision_id, text, chosen[0], reward, weight))
    return made
