"""Clusters of unanswered questions: what was proposed, and what people decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Delete, delete, select
from sqlalchemy.orm import Session

from rejoinder.errors import ConflictError
from rejoinder.store.access import get_record, list_records, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.questions import texts_of_decisions
from rejoinder.store.tables import QuestionCluster, QuestionClusterMember, table_of

__all__ = [
    "ClusterState",
    "FoundCluster",
    "StoredCluster",
    "close_cluster",
    "get_cluster",
    "list_clusters",
    "replace_open_clusters",
]

ClusterState = Literal["open", "accepted", "rejected"]

_clusters = table_of(QuestionCluster).c
_members = table_of(QuestionClusterMember).c
_SAME = 0.5
"""From this share of members in common on (of the smaller one), a cluster found anew is the one that was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCluster:
    """A cluster to be proposed: ids of the decisions of its questions, the one nearest to the middle first."""

    title: str
    keywords: tuple[str, ...]
    decision_ids: tuple[str, ...]
    encoder_hash: str
    centroid: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCluster:
    """A cluster as it is stored, and what is left of its questions: (decision's id, text), the one nearest to the middle first."""

    row: QuestionCluster
    questions: tuple[tuple[str, str], ...]


@reading
def list_clusters(session: Session, tenant_id: str, *, state: ClusterState | None = "open") -> list[StoredCluster]:
    """Return a tenant's clusters, the largest first, of one state or (None) of all."""
    statement = select(QuestionCluster).where(_clusters.tenant_id == tenant_id)
    if state is not None:
        statement = statement.where(_clusters.state == state)
    rows = list_records(session, statement.order_by(_clusters.size.desc(), _clusters.id))
    return [_stored(session, row) for row in rows]


@reading
def get_cluster(session: Session, tenant_id: str, cluster_id: str) -> StoredCluster:
    """Return a cluster.

    Raises:
        NotFoundError: the tenant has no such cluster.
    """
    return _stored(session, get_record(session, QuestionCluster, "cluster of questions", tenant_id, cluster_id))


@writing
def replace_open_clusters(session: Session, tenant_id: str, found: Sequence[FoundCluster], *, at: datetime) -> None:
    """Propose these clusters in place of those that are open; one that was there keeps its id and when it was found."""
    open_ones = select(QuestionCluster).where(_clusters.tenant_id == tenant_id, _clusters.state == "open")
    before = {row.id: (row, _member_ids(session, row)) for row in list_records(session, open_ones)}
    for one in found:
        there = texts_of_decisions(session, tenant_id, one.decision_ids)
        ids = [decision_id for decision_id in dict.fromkeys(one.decision_ids) if decision_id in there]
        if not ids:  # erased meanwhile
            continue
        own = set(ids)
        same = max(before, key=lambda name: len(own & before[name][1]), default=None)
        if same is not None and len(own & before[same][1]) >= _SAME * min(len(own), len(before[same][1]) or 1):
            row = before.pop(same)[0]
            row.title, row.keywords, row.size = one.title, list(one.keywords), len(own)
            row.encoder_hash, row.centroid = one.encoder_hash, one.centroid
        else:
            row = QuestionCluster(
                tenant_id=tenant_id,
                id=new_id("cluster"),
                title=one.title,
                keywords=list(one.keywords),
                size=len(own),
                found_at=at,
                encoder_hash=one.encoder_hash,
                centroid=one.centroid,
            )
        session.add(row)
        session.flush()
        session.execute(_delete_members(row))
        session.add_all(
            QuestionClusterMember(tenant_id=tenant_id, cluster_id=row.id, decision_id=decision_id, place=place)
            for place, decision_id in enumerate(ids)
        )
    for row, _ in before.values():
        session.delete(row)
    session.flush()


@writing
def close_cluster(
    session: Session,
    tenant_id: str,
    cluster_id: str,
    state: Literal["accepted", "rejected"],
    *,
    by: str,
    at: datetime,
    label: str | None = None,
) -> None:
    """Note what a person decided; the same again changes nothing.

    Raises:
        NotFoundError: the tenant has no such cluster.
        ConflictError: something else was decided before.
    """
    row = get_record(session, QuestionCluster, "cluster of questions", tenant_id, cluster_id)
    if row.state == state and row.label == label:
        return
    if row.state != "open":
        raise ConflictError(f"the cluster {cluster_id!r} was {row.state} already by {row.decided_by}")
    row.state, row.label, row.decided_by, row.decided_at = state, label, by, at
    session.add(row)
    session.flush()


def _stored(session: Session, row: QuestionCluster) -> StoredCluster:
    ids = session.scalars(
        select(_members.decision_id)
        .where(_members.tenant_id == row.tenant_id, _members.cluster_id == row.id)
        .order_by(_members.place)
    ).all()
    texts = texts_of_decisions(session, row.tenant_id, ids)
    return StoredCluster(row=row, questions=tuple((one, texts[one]) for one in ids))


def _member_ids(session: Session, row: QuestionCluster) -> set[str]:
    mine = (_members.tenant_id == row.tenant_id, _members.cluster_id == row.id)
    return set(session.scalars(select(_members.decision_id).where(*mine)))


def _delete_members(row: QuestionCluster) -> Delete:
    return delete(QuestionClusterMember).where(_members.tenant_id == row.tenant_id, _members.cluster_id == row.id)
