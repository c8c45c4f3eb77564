"""Figures of the whole deployment, for its metrics: counts only, nothing of what anybody said."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rejoinder.store.access import reading
from rejoinder.store.tables import AdaptationRun, ModelDecision, ModelVersion, table_of

__all__ = ["Total", "decision_totals", "run_totals", "serving_versions"]

_runs = table_of(AdaptationRun).c
_decided = table_of(ModelDecision).c
_versions = table_of(ModelVersion).c


class Total(NamedTuple):
    """How many there are of one value (a run's status, a decision's action) for a tenant and task."""

    tenant_id: str
    task: str
    value: str
    total: int


@reading
def run_totals(session: Session) -> list[Total]:
    """Return how many adaptation runs of each status there are."""
    columns = (_runs.tenant_id, _runs.task, _runs.status)
    return [
        Total(*row) for row in session.execute(select(*columns, func.count()).group_by(*columns).order_by(*columns))
    ]


@reading
def decision_totals(session: Session) -> list[Total]:
    """Return how many decisions about model versions of each kind there were."""
    columns = (_decided.tenant_id, _decided.task, _decided.action)
    return [
        Total(*row) for row in session.execute(select(*columns, func.count()).group_by(*columns).order_by(*columns))
    ]


@reading
def serving_versions(session: Session) -> list[tuple[str, str, str]]:
    """Return tenant, task and name of the versions that answer somebody: those that are live, and canaries."""
    rows = session.execute(
        select(_versions.tenant_id, _versions.task, _versions.number)
        .where(_versions.state.in_(("live", "canary")))
        .order_by(_versions.tenant_id, _versions.task, _versions.number)
    )
    return [(tenant, task, f"{task}-{number}") for tenant, task, number in rows]
