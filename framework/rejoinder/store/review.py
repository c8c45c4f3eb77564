"""The questions that people are asked to label, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from rejoinder.errors import ConflictError
from rejoinder.store.access import add_missing, get_record, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.questions import texts_of_decisions
from rejoinder.store.tables import ReviewItem, table_of

__all__ = ["PickedQuestion", "close_review_item", "get_review_item", "picked_since", "replace_picked"]

_items = table_of(ReviewItem)
_c = _items.c


class PickedQuestion(NamedTuple):
    """An item, and the text of its decision."""

    item: ReviewItem
    text: str


@reading
def picked_since(session: Session, tenant_id: str, since: datetime) -> list[PickedQuestion]:
    """Return what was picked since a moment, whatever its state, in the order in which it was picked."""
    mine = (_c.tenant_id == tenant_id, _c.picked_at >= since)
    items = session.scalars(select(ReviewItem).where(*mine).order_by(_c.id)).all()
    texts = texts_of_decisions(session, tenant_id, [one.decision_id for one in items])
    return [PickedQuestion(one, texts[one.decision_id]) for one in items]


@writing
def replace_picked(
    session: Session, tenant_id: str, decision_ids: Sequence[str], *, since: datetime, at: datetime, most: int
) -> int:
    """Add questions, best first, until `most` were picked since a moment; return how many were added.

    Those of earlier days that nobody looked at are taken away, to be picked again where they still matter.
    """
    session.execute(delete(ReviewItem).where(_c.tenant_id == tenant_id, _c.state == "open", _c.picked_at < since))
    there = session.scalar(
        select(func.count()).select_from(ReviewItem).where(_c.tenant_id == tenant_id, _c.picked_at >= since)
    )
    texts = texts_of_decisions(session, tenant_id, decision_ids)
    known = [one for one in decision_ids if one in texts]  # what was erased meanwhile is not
    rows = [
        {
            "tenant_id": tenant_id,
            "id": new_id("review"),
            "decision_id": decision_id,
            "picked_at": at,
            "state": "open",
            "reviewed_by": None,
            "reviewed_at": None,
        }
        for decision_id in known[: max(0, most - (there or 0))]
    ]
    return len(add_missing(session, _items, rows))


@reading
def get_review_item(session: Session, tenant_id: str, item_id: str) -> PickedQuestion:
    """Return an item with its text.

    Raises:
        NotFoundError: the tenant has no such item.
    """
    item = get_record(session, ReviewItem, "question to review", tenant_id, item_id)
    return PickedQuestion(item, texts_of_decisions(session, tenant_id, [item.decision_id])[item.decision_id])


@writing
def close_review_item(
    session: Session, tenant_id: str, item_id: str, state: Literal["answered", "skipped"], *, by: str, at: datetime
) -> None:
    """Note what a person said of a question; the same again changes nothing.

    Raises:
        NotFoundError: the tenant has no such item.
        ConflictError: it was answered, or skipped, before.
    """
    item = get_record(session, ReviewItem, "question to review", tenant_id, item_id)
    if item.state == state:
        return
    if item.state != "open":
        raise ConflictError(f"the question {item_id!r} was {item.state} already by {item.reviewed_by}")
    item.state, item.reviewed_by, item.reviewed_at = state, by, at
    session.add(item)
    session.flush()
