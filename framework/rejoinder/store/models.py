"""Model versions and what they scored. Runs that make them are in `rejoinder.store.runs`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.payloads import Evaluation
from rejoinder.store.access import get_record, list_records, reading, writing
from rejoinder.store.ids import new_id
from rejoinder.store.tables import EvaluationRow, ModelVersion, table_of

__all__ = [
    "VersionState",
    "add_evaluation",
    "add_version",
    "get_version",
    "list_evaluations",
    "list_versions",
    "live_version",
    "set_version_state",
]

VersionState = Literal["candidate", "shadow", "canary", "live", "retired"]

_versions = table_of(ModelVersion).c
_evaluations = table_of(EvaluationRow).c


@writing
def add_version(
    session: Session,
    tenant_id: str,
    *,
    task: str,
    artefact: str,
    sha256: str,
    base_hash: str = "",
    data_fingerprint: str = "",
    code_version: str = "",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    metrics: Mapping[str, float] | None = None,
    parent_id: str | None = None,
    version_id: str | None = None,
    at: datetime | None = None,
) -> ModelVersion:
    """Add a candidate; its number is the task's next.

    Args:
        artefact: where its files are, a path or a URI.
        sha256: of the artefact, hexadecimal.
        parent_id: the version that it started from.
    Raises:
        ConflictError: there is no such tenant or parent, or another process took the number: try again.
    """
    mine = (_versions.tenant_id == tenant_id, _versions.task == task)
    version = ModelVersion(
        tenant_id=tenant_id,
        id=version_id or new_id("model"),
        task=task,
        number=(session.scalar(select(func.max(_versions.number)).where(*mine)) or 0) + 1,
        artefact=artefact,
        sha256=sha256,
        base_hash=base_hash,
        data_fingerprint=data_fingerprint,
        code_version=code_version,
        settings=dict(settings or {}),
        seed=seed,
        metrics=dict(metrics or {}),
        parent_id=parent_id,
        created_at=at or utc_now(),
    )
    session.add(version)
    session.flush()
    return version


@reading
def get_version(session: Session, tenant_id: str, version_id: str) -> ModelVersion:
    """Return a version.

    Raises:
        NotFoundError: the tenant has no such version.
    """
    return get_record(session, ModelVersion, "model version", tenant_id, version_id)


@reading
def list_versions(
    session: Session, tenant_id: str, *, task: str | None = None, state: VersionState | None = None, limit: int = 100
) -> list[ModelVersion]:
    """Return versions by task, newest first, at most `limit`; only those that fit what is given."""
    statement = select(ModelVersion).where(_versions.tenant_id == tenant_id)
    if task is not None:
        statement = statement.where(_versions.task == task)
    if state is not None:
        statement = statement.where(_versions.state == state)
    return list_records(session, statement.order_by(_versions.task, _versions.number.desc()).limit(limit))


@reading
def live_version(session: Session, tenant_id: str, task: str) -> ModelVersion | None:
    """Return the version that serves a task; None when none does."""
    mine = (_versions.tenant_id == tenant_id, _versions.task == task, _versions.state == "live")
    return next(iter(list_records(session, select(ModelVersion).where(*mine))), None)


@writing
def set_version_state(
    session: Session, tenant_id: str, version_id: str, state: VersionState, *, at: datetime | None = None
) -> ModelVersion:
    """Move a version to another state; making one live retires the one that was.

    Raises:
        NotFoundError: the tenant has no such version.
        ConflictError: another process made another version live at the same time.
    """
    version = get_record(session, ModelVersion, "model version", tenant_id, version_id)
    now = at or utc_now()
    if state == "live" and version.state != "live":
        others = (_versions.tenant_id == tenant_id, _versions.task == version.task, _versions.state == "live")
        session.execute(update(ModelVersion).where(*others).values(state="retired", retired_at=now))
        version.promoted_at, version.retired_at = now, None
    elif state == "retired" and version.state != "retired":
        version.retired_at = now
    version.state = state
    session.add(version)
    session.flush()
    return version


@writing
def add_evaluation(
    session: Session,
    tenant_id: str,
    version_id: str,
    *,
    data: str,
    evaluation: Evaluation,
    verdict: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> EvaluationRow:
    """Keep what a version scored.

    Args:
        data: which examples, e.g. "held_back" or a fingerprint.
        verdict: the gate's, with its reasons; None: it was not asked.
    Raises:
        NotFoundError: the tenant has no such version.
    """
    get_record(session, ModelVersion, "model version", tenant_id, version_id)
    row = EvaluationRow(
        tenant_id=tenant_id,
        id=new_id("eval"),
        model_version_id=version_id,
        data=data,
        metrics=dict(evaluation.metrics),
        correct=dict(evaluation.correct),
        verdict=None if verdict is None else dict(verdict),
        created_at=at or utc_now(),
    )
    session.add(row)
    session.flush()
    return row


@reading
def list_evaluations(session: Session, tenant_id: str, version_id: str) -> list[EvaluationRow]:
    """Return what a version scored, oldest first."""
    mine = (_evaluations.tenant_id == tenant_id, _evaluations.model_version_id == version_id)
    return list_records(session, select(EvaluationRow).where(*mine).order_by(_evaluations.created_at, _evaluations.id))
