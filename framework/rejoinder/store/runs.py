"""Adaptation runs: rows with a lease and a heartbeat. The broker carries ids only; who has a run stands here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.errors import ConflictError
from rejoinder.store.access import get_record, list_records, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.tables import AdaptationRun, table_of

__all__ = [
    "RunStatus",
    "cancel_run",
    "claim_run",
    "create_run",
    "finish_run",
    "get_run",
    "heartbeat_run",
    "list_runs",
    "waiting_runs",
]

RunStatus = Literal["queued", "running", "done", "failed", "cancelled"]

_c = table_of(AdaptationRun).c


@writing
def create_run(
    session: Session, tenant_id: str, *, task: str, reason: str = "", priority: int = 0, at: datetime | None = None
) -> AdaptationRun:
    """Queue a run.

    Args:
        priority: higher goes first.
    Raises:
        ConflictError: there is no such tenant.
    """
    run = AdaptationRun(
        tenant_id=tenant_id, id=new_id("run"), task=task, reason=reason, priority=priority, created_at=at or utc_now()
    )
    session.add(run)
    session.flush()
    return run


@reading
def get_run(session: Session, tenant_id: str, run_id: str) -> AdaptationRun:
    """Return a run.

    Raises:
        NotFoundError: the tenant has no such run.
    """
    return get_record(session, AdaptationRun, "adaptation run", tenant_id, run_id)


@reading
def list_runs(
    session: Session, tenant_id: str, *, task: str | None = None, status: RunStatus | None = None, limit: int = 100
) -> list[AdaptationRun]:
    """Return runs, newest first, at most `limit`; only those that fit what is given."""
    statement = select(AdaptationRun).where(_c.tenant_id == tenant_id)
    if task is not None:
        statement = statement.where(_c.task == task)
    if status is not None:
        statement = statement.where(_c.status == status)
    return list_records(session, statement.order_by(_c.created_at.desc(), _c.id.desc()).limit(limit))


@reading
def waiting_runs(session: Session, *, at: datetime | None = None, limit: int = 100) -> list[tuple[str, str]]:
    """Return tenant and id of the whole deployment's runs that someone should take: queued ones and those whose lease ran out.

    Highest priority first, then oldest.
    """
    statement = select(_c.tenant_id, _c.id).where(_free(at or utc_now()))
    rows = session.execute(statement.order_by(_c.priority.desc(), _c.created_at, _c.id).limit(limit))
    return [(tenant_id, run_id) for tenant_id, run_id in rows]  # typed rows


@writing
def claim_run(
    session: Session, tenant_id: str, run_id: str, *, owner: str, lease_s: float, at: datetime | None = None
) -> AdaptationRun | None:
    """Take a run that is queued or whose lease ran out; None when someone else has it or it is over.

    Args:
        owner: who takes it, unique among workers.
        lease_s: seconds until others may take it unless a heartbeat comes, > 0.
    Raises:
        NotFoundError: the tenant has no such run.
    """
    now = at or utc_now()
    changes = {
        "status": "running",
        "lease_owner": owner,
        "lease_until": now + timedelta(seconds=lease_s),
        "heartbeat_at": now,
        "attempts": _c.attempts + 1,
    }
    taken = _change(session, tenant_id, run_id, _free(now), changes)
    run = get_record(session, AdaptationRun, "adaptation run", tenant_id, run_id)
    if not taken:
        return None
    if run.started_at is None:
        run.started_at = now
        session.add(run)
        session.flush()
    return run


@writing
def heartbeat_run(
    session: Session,
    tenant_id: str,
    run_id: str,
    *,
    owner: str,
    lease_s: float,
    progress: float | None = None,
    checkpoint: str | None = None,
    at: datetime | None = None,
) -> None:
    """Say that the owner is alive, and how far it is.

    Args:
        progress: share of the work, in [0, 1].
        checkpoint: where the next owner can go on.
    Raises:
        ConflictError: the run is not the owner's any more: it was cancelled, or the lease ran out and another took it. Stop.
        NotFoundError: the tenant has no such run.
    """
    now = at or utc_now()
    changes: dict[str, Any] = {"lease_until": now + timedelta(seconds=lease_s), "heartbeat_at": now}
    changes.update({} if progress is None else {"progress": progress})
    changes.update({} if checkpoint is None else {"checkpoint": checkpoint})
    if not _change(session, tenant_id, run_id, _owned(owner), changes):
        _lost(session, tenant_id, run_id, owner)


@writing
def finish_run(
    session: Session,
    tenant_id: str,
    run_id: str,
    *,
    owner: str,
    status: Literal["done", "failed", "queued"],
    error: str | None = None,
    model_version_id: str | None = None,
    at: datetime | None = None,
) -> None:
    """Give a run back: done, failed for good, or queued for another attempt.

    Raises:
        ConflictError: the run is not the owner's any more.
        NotFoundError: the tenant has no such run.
    """
    changes: dict[str, Any] = {"status": status, "error": error, "lease_owner": None, "lease_until": None}
    if status != "queued":
        changes["finished_at"] = at or utc_now()
    if status == "done":
        changes.update(progress=1.0, model_version_id=model_version_id)
    if not _change(session, tenant_id, run_id, _owned(owner), changes):
        _lost(session, tenant_id, run_id, owner)


@writing
def cancel_run(session: Session, tenant_id: str, run_id: str, *, at: datetime | None = None) -> AdaptationRun:
    """Stop a run that is not over; its owner learns of it at the next heartbeat.

    Raises:
        ConflictError: it is over.
        NotFoundError: the tenant has no such run.
    """
    changes = {"status": "cancelled", "lease_owner": None, "lease_until": None, "finished_at": at or utc_now()}
    stopped = _change(session, tenant_id, run_id, _c.status.in_(("queued", "running")), changes)
    run = get_record(session, AdaptationRun, "adaptation run", tenant_id, run_id)
    if not stopped:
        raise ConflictError(f"adaptation run {run_id!r} is over: {run.status}")
    return run


def _free(now: datetime) -> Any:
    return or_(_c.status == "queued", (_c.status == "running") & (_c.lease_until <= now))


def _owned(owner: str) -> Any:
    return (_c.status == "running") & (_c.lease_owner == owner)


def _change(session: Session, tenant_id: str, run_id: str, condition: Any, changes: dict[str, Any]) -> bool:
    """Change a run if it fulfils a condition, in one statement, so that of two processes one succeeds."""
    mine = (_c.tenant_id == tenant_id, _c.id == run_id, condition)
    statement = update(table_of(AdaptationRun)).where(*mine).values(**changes).returning(_c.id)
    return session.execute(statement).first() is not None


def _lost(session: Session, tenant_id: str, run_id: str, owner: str) -> None:
    run = get_record(session, AdaptationRun, "adaptation run", tenant_id, run_id)
    raise ConflictError(
        f"adaptation run {run_id!r} is not {owner!r}'s any more: it is {run.status}"
        + (f", {run.lease_owner!r} has it" if run.lease_owner else "")
    )
