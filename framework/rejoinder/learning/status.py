"""Where a tenant's learning stands: how its versions serve, what runs and is tried, and what was decided."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rejoinder.learning.quality import DRIFT_ERROR, service_quality
from rejoinder.store.database import Database
from rejoinder.store.erasures import open_erasures
from rejoinder.store.examples import count_examples
from rejoinder.store.models import list_versions
from rejoinder.store.runs import list_runs
from rejoinder.store.trials import list_model_decisions, list_trials

_MOST_VERSIONS = 10_000


async def learning_status(
    database: Database,
    tenant: str,
    *,
    now: datetime,
    days: float,
    drift_error: float = DRIFT_ERROR,
    limit: int = 5,
) -> dict[str, Any]:
    """Return what JSON can say of it.

    Args:
        days: how far back to look for what people said, > 0.
        drift_error: chance in [0, 1) of a false alarm of drift; 0: it is not looked for.
        limit: most runs, trials and decisions, each newest first.
    """
    quality = await service_quality(database, tenant, now=now, days=days, drift_error=drift_error)
    rows = await list_versions(database, tenant, limit=_MOST_VERSIONS)
    names = {row.id: f"{row.task}-{row.number}" for row in rows}
    states = {names[row.id]: row.state for row in rows}
    examples = await count_examples(database, tenant)
    kept_back = await count_examples(database, tenant, held_back=True)

    def named(row: Any) -> dict[str, Any]:
        return {**row.model_dump(mode="json"), "version": names.get(row.model_version_id)}

    return {
        "since": quality.since.isoformat(),
        "conversations": quality.conversations,
        "containment": quality.containment,
        "examples": [
            {"task": task, "examples": count, "held_back": kept_back.get(task, 0)}
            for task, count in sorted(examples.items())
        ],
        "versions": [
            {"task": task, "state": states.get(one.version), **asdict(one)}
            for task, versions in quality.versions.items()
            for one in versions
        ],
        "runs": [named(row) for row in await list_runs(database, tenant, limit=limit)],
        "trials": [named(row) for row in await list_trials(database, tenant, limit=limit)],
        "decided": [named(row) for row in await list_model_decisions(database, tenant, limit=limit)],
        "erasures": [
            {
                "erasure_id": row.id,
                "at": row.at.isoformat(),
                "reason": row.reason,
                "examples": len(row.example_ids),
                "tasks": row.tasks,
            }
            for row in await open_erasures(database, tenant)
        ],
    }
