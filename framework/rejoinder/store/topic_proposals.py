"""Topics that were proposed, what people decided on them, and the documents that none of the declared ones fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from rejoinder.errors import ConflictError
from rejoinder.store.access import get_record, list_records, reading, writing
from rejoinder.store.chunks import in_chunks
from rejoinder.store.ids import new_id
from rejoinder.store.tables import EventRow, ObservationRow, TopicProposal, table_of

__all__ = [
    "FoundTopic",
    "ProposalState",
    "StoredProposal",
    "UnlabelledDocument",
    "close_proposal",
    "documents_without",
    "get_proposal",
    "list_proposals",
    "reopen_proposal",
    "replace_open_proposals",
]

ProposalState = Literal["open", "accepted", "rejected"]

_events, _observations = table_of(EventRow).c, table_of(ObservationRow).c
_proposals = table_of(TopicProposal).c
_WHAT = "proposed topic"
_SAME = 0.5
"""From this share of documents in common on (of the smaller one), a topic found anew is the one that was there."""


class UnlabelledDocument(NamedTuple):
    """A document in which nothing of some type was observed."""

    event_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic to be proposed: ids of its documents, the one nearest to the middle first."""

    title: str
    keywords: tuple[str, ...]
    event_ids: tuple[str, ...]
    encoder_hash: str
    centroid: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProposal:
    """A proposal as it is stored, and those of its documents that are there: (event's id, text), the one nearest to the middle first."""

    row: TopicProposal
    documents: tuple[UnlabelledDocument, ...]


@reading
def documents_without(
    session: Session, tenant_id: str, kind: str, *, since: datetime, limit: int
) -> list[UnlabelledDocument]:
    """Return documents that arrived since a moment, were read, and have no observation of a type, newest first.

    What a person typed is none of them.
    """
    observed = select(_observations.event_id).where(_observations.tenant_id == tenant_id, _observations.type == kind)
    statement = (
        select(_events.id, _events.text)
        .where(
            _events.tenant_id == tenant_id,
            _events.status == "done",
            _events.kind == "document",
            _events.user_id.is_(None),
            _events.text.is_not(None),
            _events.received_at >= since,
            _events.id.not_in(observed),
        )
        .order_by(_events.position.desc())
        .limit(limit)
    )
    return [UnlabelledDocument(row.id, row.text) for row in session.execute(statement)]


@reading
def list_proposals(session: Session, tenant_id: str, *, state: ProposalState | None = "open") -> list[StoredProposal]:
    """Return a tenant's proposals, the largest first, of one state or (None) of all."""
    statement = select(TopicProposal).where(_proposals.tenant_id == tenant_id)
    if state is not None:
        statement = statement.where(_proposals.state == state)
    rows = list_records(session, statement.order_by(_proposals.size.desc(), _proposals.id))
    return [_stored(session, row) for row in rows]


@reading
def get_proposal(session: Session, tenant_id: str, proposal_id: str) -> StoredProposal:
    """Return a proposal.

    Raises:
        NotFoundError: the tenant has no such proposal.
    """
    return _stored(session, get_record(session, TopicProposal, _WHAT, tenant_id, proposal_id))


@writing
def replace_open_proposals(session: Session, tenant_id: str, found: Sequence[FoundTopic], *, at: datetime) -> None:
    """Propose these topics in place of those that are open; one that was there keeps its id and when it was found."""
    open_ones = select(TopicProposal).where(_proposals.tenant_id == tenant_id, _proposals.state == "open")
    before = {row.id: row for row in list_records(session, open_ones)}
    for one in found:
        own = set(one.event_ids)
        shared = {name: len(own & set(row.event_ids)) for name, row in before.items()}
        same = max(shared, key=lambda name: shared[name], default=None)
        if same is not None and shared[same] >= _SAME * min(len(own), len(before[same].event_ids)):
            row = before.pop(same)
            row.title, row.keywords, row.size = one.title, list(one.keywords), len(own)
            row.event_ids = list(one.event_ids)
            row.encoder_hash, row.centroid = one.encoder_hash, one.centroid
        else:
            row = TopicProposal(
                tenant_id=tenant_id,
                id=new_id("topic"),
                title=one.title,
                keywords=list(one.keywords),
                event_ids=list(one.event_ids),
                size=len(own),
                found_at=at,
                encoder_hash=one.encoder_hash,
                centroid=one.centroid,
            )
        session.add(row)
    for row in before.values():
        session.delete(row)
    session.flush()


@writing
def close_proposal(
    session: Session,
    tenant_id: str,
    proposal_id: str,
    state: Literal["accepted", "rejected"],
    *,
    by: str,
    at: datetime,
    topic: str | None = None,
) -> bool:
    """Note what a person decided; the same again changes nothing. Of several at once one is first.

    Returns:
        Whether the proposal was open.
    Raises:
        NotFoundError: the tenant has no such proposal.
        ConflictError: something else was decided before.
    """
    mine = (_proposals.tenant_id == tenant_id, _proposals.id == proposal_id, _proposals.state == "open")
    said = {"state": state, "topic": topic, "decided_by": by, "decided_at": at}
    closed = update(table_of(TopicProposal)).where(*mine).values(**said).returning(_proposals.id)
    if session.execute(closed).first() is not None:
        return True
    row = get_record(session, TopicProposal, _WHAT, tenant_id, proposal_id)
    if (row.state, row.topic) != (state, topic):
        raise ConflictError(f"the proposed topic {proposal_id!r} was {row.state} already by {row.decided_by}")
    return False


@writing
def reopen_proposal(session: Session, tenant_id: str, proposal_id: str, *, topic: str) -> None:
    """Take back that a proposal was accepted as a topic, where it was."""
    mine = (_proposals.tenant_id == tenant_id, _proposals.id == proposal_id, _proposals.topic == topic)
    nothing = {"state": "open", "topic": None, "decided_by": None, "decided_at": None}
    session.execute(update(table_of(TopicProposal)).where(*mine).values(**nothing))


def _stored(session: Session, row: TopicProposal) -> StoredProposal:
    texts: dict[str, str] = {}
    for ids in in_chunks(row.event_ids):
        statement = select(_events.id, _events.text).where(_events.tenant_id == row.tenant_id, _events.id.in_(ids))
        texts |= {found.id: found.text for found in session.execute(statement) if found.text}
    documents = tuple(UnlabelledDocument(one, texts[one]) for one in row.event_ids if one in texts)
    return StoredProposal(row=row, documents=documents)
