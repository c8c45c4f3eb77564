"""Erasing what is stored of a user, and what models were trained on of it. `rejoinder.privacy.erasure` says in which order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.store.access import get_record, list_records, reading, writing
from rejoinder.store.chunks import in_chunks
from rejoinder.store.ids import new_id
from rejoinder.store.tables import (
    AdaptationRun,
    Conversation,
    DecisionRow,
    ErasureRow,
    EventRow,
    ExampleRow,
    ModelTrial,
    ModelVersion,
    VersionExamples,
    table_of,
)

__all__ = [
    "Erased",
    "TakenExample",
    "add_erasure",
    "delete_before",
    "erased_examples",
    "erasures_since",
    "finish_erasure",
    "first_deed",
    "list_erasures",
    "mark_versions",
    "mark_versions_since",
    "marked_files",
    "open_erasures",
    "release_files",
    "stop_runs",
    "take_examples",
    "tenants_with_open_erasures",
]

Reason = Literal["user", "consent", "retention"]
"""Why something was erased: a user's own data; a user's examples, since they do not want to be learned from; it was too old."""

_examples = table_of(ExampleRow).c
_versions = table_of(ModelVersion).c
_learned = table_of(VersionExamples).c
_erasures = table_of(ErasureRow).c
_runs = table_of(AdaptationRun).c
_trials = table_of(ModelTrial).c
_conversations = table_of(Conversation).c
_decisions = table_of(DecisionRow).c
_events = table_of(EventRow).c


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenExample:
    """An example that was taken out of the store. `known_since`: when it came in, so that no version before it can know it."""

    id: str
    task: str
    trainable: bool
    known_since: datetime


class Erased(NamedTuple):
    """What processes are to forget."""

    tenant_id: str
    erasure_id: str
    at: datetime
    example_ids: Sequence[str]


@writing
def take_examples(
    session: Session, tenant_id: str, *, user_id: str | None = None, before: datetime | None = None
) -> list[TakenExample]:
    """Delete examples and return what they were: those that a user gave or whose words they hold, or those from before a moment."""
    mine = [_examples.tenant_id == tenant_id]
    if user_id is not None:
        mine.append(or_(_examples.user_id == user_id, _examples.subject_id == user_id))
    if before is not None:
        mine.append(_examples.at < before)
    columns = (_examples.id, _examples.task, _examples.held_back, _examples.at, _examples.imported_at)
    taken = [
        TakenExample(
            id=row.id, task=row.task, trainable=not row.held_back, known_since=max(row.at, row.imported_at or row.at)
        )
        for row in session.execute(delete(ExampleRow).where(*mine).returning(*columns))
    ]
    return sorted(taken, key=lambda one: one.id)


@writing
def mark_versions(
    session: Session, tenant_id: str, taken: Sequence[TakenExample], *, at: datetime | None = None
) -> list[ModelVersion]:
    """Mark the versions that were trained on examples which were taken, end their trials, and return them.

    Of a version from before it was noted what it was trained on, all examples count that were there when it was made.
    """
    gone = {one.id for one in taken}
    oldest: dict[str, datetime] = {}
    for one in taken:
        if one.trainable:
            oldest[one.task] = min(one.known_since, oldest.get(one.task, one.known_since))
    if not oldest:
        return []
    joined = and_(_learned.tenant_id == _versions.tenant_id, _learned.model_version_id == _versions.id)
    statement = (
        select(_versions.id, _versions.task, _versions.created_at, _learned.example_ids)
        .outerjoin(table_of(VersionExamples), joined)
        .where(_versions.tenant_id == tenant_id, _versions.task.in_(oldest), _versions.artefact != "")
    )
    now = at or utc_now()
    marked = []
    for version_id, task, created_at, example_ids in session.execute(statement).all():
        knows = created_at >= oldest[task] if example_ids is None else not gone.isdisjoint(example_ids)
        if knows:
            marked.append(
                _mark(session, get_record(session, ModelVersion, "model version", tenant_id, version_id), now)
            )
    session.flush()
    return marked


@reading
def first_deed(session: Session, tenant_id: str, user_id: str) -> datetime | None:
    """Return when the first event about an item by a user came in; None where there is none."""
    mine = (_events.tenant_id == tenant_id, _events.user_id == user_id, _events.item_id.is_not(None))
    found: datetime | None = session.scalar(select(func.min(_events.received_at)).where(*mine))
    return found


@writing
def mark_versions_since(
    session: Session, tenant_id: str, tasks: Collection[str], since: datetime, *, at: datetime | None = None
) -> list[ModelVersion]:
    """Mark the trained versions of tasks that learn from behaviour which were made since a moment, as `mark_versions` does."""
    statement = select(_versions.id, _versions.settings).where(
        _versions.tenant_id == tenant_id,
        _versions.task.in_(list(tasks)),
        _versions.created_at >= since,
        _versions.artefact != "",
    )
    marked = [
        _mark(session, get_record(session, ModelVersion, "model version", tenant_id, version_id), at or utc_now())
        for version_id, settings in session.execute(statement).all()
        if settings.get("origin") == "run"
    ]
    session.flush()
    return marked


@writing
def stop_runs(
    session: Session, tenant_id: str, tasks: Collection[str], *, reason: str, at: datetime | None = None
) -> list[str]:
    """Cancel the runs of tasks that are not over, since they may have read what is erased; return their checkpoints."""
    values = {"status": "cancelled", "error": reason, "finished_at": at or utc_now(), "lease_until": None}
    wanted = (_runs.tenant_id == tenant_id, _runs.task.in_(tasks), _runs.status.in_(("queued", "running")))
    stopped = session.scalars(update(AdaptationRun).where(*wanted).values(**values).returning(_runs.checkpoint))
    return [checkpoint for checkpoint in stopped if checkpoint]


@writing
def add_erasure(
    session: Session,
    tenant_id: str,
    *,
    reason: Reason,
    by: str,
    counts: Mapping[str, int],
    example_ids: Sequence[str],
    tasks: Collection[str] = (),
    at: datetime | None = None,
) -> ErasureRow:
    """Note that something was erased; with examples, it is open until models know nothing of them: see `finish_erasure`.

    Args:
        by: who asked for it: staff or a schedule, never the user.
        counts: rows by table.
    """
    now = at or utc_now()
    row = ErasureRow(
        tenant_id=tenant_id,
        id=new_id("erasure"),
        at=now,
        reason=reason,
        by=by,
        counts=dict(counts),
        example_ids=list(example_ids),
        tasks=sorted(tasks),
        finished_at=None if example_ids else now,
    )
    session.add(row)
    session.flush()
    return row


@reading
def list_erasures(session: Session, tenant_id: str, *, limit: int = 100) -> list[ErasureRow]:
    """Return a tenant's erasures, newest first."""
    statement = select(ErasureRow).where(_erasures.tenant_id == tenant_id)
    return list_records(session, statement.order_by(_erasures.at.desc(), _erasures.id.desc()).limit(limit))


@reading
def open_erasures(session: Session, tenant_id: str) -> list[ErasureRow]:
    """Return a tenant's erasures that are not finished, oldest first."""
    mine = (_erasures.tenant_id == tenant_id, _erasures.finished_at.is_(None))
    return list_records(session, select(ErasureRow).where(*mine).order_by(_erasures.at, _erasures.id))


@reading
def tenants_with_open_erasures(session: Session) -> list[str]:
    """Return the tenants that have erasures which are not finished."""
    return list(session.scalars(select(_erasures.tenant_id).where(_erasures.finished_at.is_(None)).distinct()))


@reading
def erasures_since(session: Session, tenant_ids: Collection[str], *, since: datetime) -> list[Erased]:
    """Return what these tenants erased since a moment, for processes that have their models in memory."""
    wanted = (_erasures.at >= since, _erasures.tenant_id.in_(sorted(tenant_ids)))
    columns = (_erasures.tenant_id, _erasures.id, _erasures.at, _erasures.example_ids)
    return [Erased(*row) for row in session.execute(select(*columns).where(*wanted).order_by(_erasures.at))]


@reading
def erased_examples(session: Session, tenant_id: str) -> frozenset[str]:
    """Return the ids of all examples that a tenant erased, so that no old file brings them back."""
    rows = session.scalars(select(_erasures.example_ids).where(_erasures.tenant_id == tenant_id))
    return frozenset(example_id for example_ids in rows for example_id in example_ids)


@writing
def finish_erasure(session: Session, tenant_id: str, erasure_id: str, *, at: datetime | None = None) -> ErasureRow:
    """Note that nothing is left to do for an erasure.

    Raises:
        NotFoundError: the tenant has no such erasure.
    """
    row = get_record(session, ErasureRow, "erasure", tenant_id, erasure_id)
    row.finished_at = row.finished_at or at or utc_now()
    session.add(row)
    session.flush()
    return row


@reading
def marked_files(session: Session, tenant_id: str, task: str) -> dict[str, str]:
    """Return where the files of a task's marked versions are, by version, but for the live one."""
    wanted = (
        _versions.tenant_id == tenant_id,
        _versions.task == task,
        _versions.erased_at.is_not(None),
        _versions.state != "live",
        _versions.artefact != "",
    )
    rows = session.execute(select(_versions.id, _versions.artefact).where(*wanted))
    return {version_id: artefact for version_id, artefact in rows}  # noqa: C416  # typed rows


@writing
def release_files(session: Session, tenant_id: str, version_ids: Collection[str]) -> None:
    """Note that versions have no files any more."""
    mine = (_versions.tenant_id == tenant_id, _versions.id.in_(version_ids))
    session.execute(update(ModelVersion).where(*mine).values(artefact=""))


@writing
def delete_before(session: Session, tenant_id: str, before: datetime) -> dict[str, int]:
    """Delete conversations that had no turn since a moment, with all that belongs to them, and decisions outside of turns and events from
    before it; return how many."""
    old = {
        "conversations": (_conversations.tenant_id == tenant_id, _conversations.updated_at < before),
        "decisions": (_decisions.tenant_id == tenant_id, _decisions.turn_id.is_(None), _decisions.at < before),
        "events": (_events.tenant_id == tenant_id, _events.at < before),
    }
    counts = {}
    for name, record in (("conversations", Conversation), ("decisions", DecisionRow), ("events", EventRow)):
        count = session.scalar(select(func.count()).select_from(record).where(*old[name])) or 0
        if count:
            session.execute(delete(record).where(*old[name]))
            counts[name] = count
    session.expire_all()
    return counts


def knows_erased(session: Session, tenant_id: str, example_ids: Collection[str]) -> bool:
    """Say, within another access function, whether examples that a new version was trained on were erased meanwhile."""
    there = sum(
        session.scalar(
            select(func.count())
            .select_from(ExampleRow)
            .where(_examples.tenant_id == tenant_id, _examples.id.in_(chunk))
        )
        or 0
        for chunk in in_chunks(sorted(set(example_ids)))
    )
    return there < len(set(example_ids))


def _mark(session: Session, version: ModelVersion, at: datetime) -> ModelVersion:
    version.erased_at = version.erased_at or at
    if version.state in ("candidate", "shadow", "canary"):
        version.state, version.retired_at = "retired", at
        ended = (
            _trials.tenant_id == version.tenant_id,
            _trials.model_version_id == version.id,
            _trials.outcome.is_(None),
        )
        session.execute(update(ModelTrial).where(*ended).values(outcome="rejected", ended_at=at))
    session.add(version)
    return version
