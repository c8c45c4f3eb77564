"""Adaptation runs: rows with a lease and a heartbeat. The broker carries ids only; who has a run, and which is next, stands here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Select, case, func, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.errors import ConflictError
from rejoinder.store.access import get_record, list_records, reading, writing
from rejoinder.store.columns import UtcDateTime
from rejoinder.store.ids import new_id
from rejoinder.store.tables import AdaptationRun, Tenant, table_of

__all__ = [
    "RunStatus",
    "WaitingRun",
    "cancel_run",
    "claim_next",
    "claim_run",
    "create_run",
    "finish_run",
    "get_run",
    "heartbeat_run",
    "list_runs",
    "open_runs",
    "request_run",
    "waiting_runs",
]

RunStatus = Literal["queued", "running", "done", "failed", "cancelled"]

_runs = table_of(AdaptationRun)
_c = _runs.c
_MOST_TRIED: Final = 20
"""Runs that a worker tries to take before it gives up: others are as quick."""


class WaitingRun(NamedTuple):
    """A run that somebody should take."""

    tenant_id: str
    run_id: str
    queue: str


@writing
def create_run(
    session: Session,
    tenant_id: str,
    *,
    task: str,
    reason: str = "",
    priority: int = 0,
    queue: str = "cpu",
    at: datetime | None = None,
) -> AdaptationRun:
    """Queue a run.

    Args:
        priority: higher goes first.
        queue: which workers may take it.
    Raises:
        ConflictError: there is no such tenant.
    """
    run = AdaptationRun(
        tenant_id=tenant_id,
        id=new_id("run"),
        task=task,
        reason=reason,
        priority=priority,
        queue=queue,
        created_at=at or utc_now(),
    )
    session.add(run)
    session.flush()
    return run


@writing
def request_run(
    session: Session, tenant_id: str, *, task: str, reason: str, queue: str = "cpu", at: datetime | None = None
) -> AdaptationRun | None:
    """Queue a run unless the task has one that is not over; of several processes that ask at once, one gets it."""
    # The tenant's row is what those who ask at the same moment wait for. SQLite knows no locks of rows, and lets one write at a time.
    tenants = table_of(Tenant).c
    session.execute(select(tenants.id).where(tenants.id == tenant_id).with_for_update(key_share=True))
    if session.execute(_open(tenant_id, task).limit(1)).first() is not None:
        return None
    run = AdaptationRun(
        tenant_id=tenant_id, id=new_id("run"), task=task, reason=reason, queue=queue, created_at=at or utc_now()
    )
    session.add(run)
    session.flush()
    return run


@reading
def open_runs(session: Session, tenant_id: str, task: str) -> list[str]:
    """Return the ids of a task's runs that are not over."""
    return list(session.scalars(_open(tenant_id, task)))


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
def waiting_runs(
    session: Session,
    *,
    queues: Collection[str] | None = None,
    tenant_id: str | None = None,
    at: datetime | None = None,
    limit: int = 100,
) -> list[WaitingRun]:
    """Return the whole deployment's runs that someone should take now, in the order in which they should be taken.

    They are queued, or their lease ran out; of each task of a tenant there is at most one, and none while another run of the task is
    under way. Highest priority first, then the tenant that was served least recently, so that one with many runs does not keep others
    waiting, then oldest.

    Args:
        queues: only runs of these; None: all.
        tenant_id: only this tenant's; None: all.
    """
    statement = _waiting(at or utc_now(), queues, tenant_id).limit(limit)
    return [WaitingRun(*row) for row in session.execute(statement)]


@writing
def claim_next(
    session: Session, *, owner: str, lease_s: float, queues: Collection[str] | None = None, at: datetime | None = None
) -> AdaptationRun | None:
    """Take the run that is next (see `waiting_runs`); None when there is none. Arguments are those of `claim_run`."""
    now = at or utc_now()
    for row in session.execute(_waiting(now, queues, None).limit(_MOST_TRIED)).all():
        run = _claim(session, row[0], row[1], owner, lease_s, now)
        if run is not None:
            return run
    return None


@writing
def claim_run(
    session: Session, tenant_id: str, run_id: str, *, owner: str, lease_s: float, at: datetime | None = None
) -> AdaptationRun | None:
    """Take a run that is queued or whose lease ran out; None when someone else has it, it is over, or the task has another under way.

    Args:
        owner: who takes it, unique among workers.
        lease_s: seconds until others may take it unless a heartbeat comes, > 0.
    Raises:
        NotFoundError: the tenant has no such run.
    """
    return _claim(session, tenant_id, run_id, owner, lease_s, at or utc_now())


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
    """Give a run back: done, failed for good, or queued again, which is no attempt lost.

    Raises:
        ConflictError: the run is not the owner's any more.
        NotFoundError: the tenant has no such run.
    """
    changes: dict[str, Any] = {"status": status, "error": error, "lease_owner": None, "lease_until": None}
    if status == "queued":
        changes["attempts"] = _c.attempts - 1
    else:
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


def _open(tenant_id: str, task: str) -> Select[Any]:
    return select(_c.id).where(_c.tenant_id == tenant_id, _c.task == task, _c.status.in_(("queued", "running")))


def _waiting(now: datetime, queues: Collection[str] | None, tenant_id: str | None) -> Select[Any]:
    """Select tenant, id and queue; see `waiting_runs`."""
    first = func.row_number().over(
        partition_by=(_c.tenant_id, _c.task),
        order_by=(case((_c.status == "running", 0), else_=1), _c.priority.desc(), _c.created_at, _c.id),
    )
    mine = () if tenant_id is None else (_c.tenant_id == tenant_id,)
    going = select(_runs, first.label("place")).where(_c.status.in_(("queued", "running")), *mine).subquery()
    all_runs = _runs.alias()
    served = select(func.max(all_runs.c.started_at)).where(all_runs.c.tenant_id == going.c.tenant_id).scalar_subquery()
    statement = select(going.c.tenant_id, going.c.id, going.c.queue).where(going.c.place == 1, _free(now, going.c))
    if queues is not None:
        statement = statement.where(going.c.queue.in_(sorted(queues)))
    return statement.order_by(
        going.c.priority.desc(), served.asc().nulls_first(), going.c.created_at, going.c.tenant_id, going.c.id
    )


def _claim(
    session: Session, tenant_id: str, run_id: str, owner: str, lease_s: float, now: datetime
) -> AdaptationRun | None:
    changes = {
        "status": "running",
        "lease_owner": owner,
        "lease_until": now + timedelta(seconds=lease_s),
        "heartbeat_at": now,
        "attempts": _c.attempts + 1,
        "started_at": func.coalesce(_c.started_at, literal(now, UtcDateTime())),
    }
    try:
        with session.begin_nested():
            taken = _change(session, tenant_id, run_id, _free(now, _c), changes)
    except IntegrityError:  # another run of the task is under way
        taken = False
    run = get_record(session, AdaptationRun, "adaptation run", tenant_id, run_id)
    return run if taken else None


def _free(now: datetime, columns: Any) -> Any:
    return or_(columns.status == "queued", (columns.status == "running") & (columns.lease_until <= now))


def _owned(owner: str) -> Any:
    return (_c.status == "running") & (_c.lease_owner == owner)


def _change(session: Session, tenant_id: str, run_id: str, condition: Any, changes: dict[str, Any]) -> bool:
    """Change a run if it fulfils a condition, in one statement, so that of two processes one succeeds."""
    mine = (_c.tenant_id == tenant_id, _c.id == run_id, condition)
    statement = update(_runs).where(*mine).values(**changes).returning(_c.id)
    return session.execute(statement).first() is not None


def _lost(session: Session, tenant_id: str, run_id: str, owner: str) -> None:
    run = get_record(session, AdaptationRun, "adaptation run", tenant_id, run_id)
    raise ConflictError(
        f"adaptation run {run_id!r} is not {owner!r}'s any more: it is {run.status}"
        + (f", {run.lease_owner!r} has it" if run.lease_owner else "")
    )
