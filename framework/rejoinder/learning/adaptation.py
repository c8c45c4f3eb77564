"""One adaptation run: from the examples in the store to a candidate version, evaluated on what no training saw.

Nothing is promoted here: a candidate waits until somebody, or a gate, decides.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder import __version__
from rejoinder.errors import ModelError, RejoinderError
from rejoinder.learning.versions import fingerprint_of, folder_sum
from rejoinder.payloads import AdaptationRequest, Caller, EvaluationRequest, Example
from rejoinder.store.examples import list_examples
from rejoinder.store.ids import new_id
from rejoinder.store.models import add_evaluation, add_version, live_version
from rejoinder.store.runs import claim_run, finish_run

if TYPE_CHECKING:
    from rejoinder.application import Application

LEASE_S = 3600.0
"""Seconds after which a run whose worker is silent may be taken up by another."""

_WORKER = Caller(id="worker", role="admin")

_logger = logging.getLogger("rejoinder.learning")


async def run_adaptation(application: Application, *, tenant: str, run_id: str, owner: str) -> str | None:
    """Carry out a run; return the id of the version that it made, or None when the run is over or somebody else's.

    Args:
        owner: who carries it out, unique among workers.
    Raises:
        NotFoundError: the tenant has no such run.
        RejoinderError: it failed; the run says why, and the version before serves on.
    """
    database = application.database
    run = await claim_run(database, tenant, run_id, owner=owner, lease_s=LEASE_S)
    if run is None:
        _logger.info("adaptation run %s of tenant %s is over or taken", run_id, tenant)
        return None
    try:
        version_id = await _adapt(application, tenant, run.task, run_id)
    except RejoinderError as error:
        await finish_run(database, tenant, run_id, owner=owner, status="failed", error=str(error))
        raise
    await finish_run(database, tenant, run_id, owner=owner, status="done", model_version_id=version_id)
    return version_id


async def _adapt(application: Application, tenant: str, task: str, run_id: str) -> str:
    request = replace(await application.models.request_for(tenant, _WORKER), deadline=float("inf"))
    seeds = [one for one in await application.host.seed_examples(request) if one.task == task]
    learned_from = [*seeds, *await list_examples(application.database, tenant, task, held_back=False)]
    version_id = new_id("model")
    folder = Path(application.settings.data_dir) / "models" / tenant / task / version_id
    live = await live_version(application.database, tenant, task)
    seed = application.settings.learning.seed
    made = await application.host.adapt_model(
        AdaptationRequest(
            run_id=run_id,
            task=task,
            examples=tuple(learned_from),
            folder=str(folder),
            seed=seed,
            base_version=live.id if live else None,
        ),
        request,
    )
    if made is None:
        raise ModelError(f"no plugin of tenant {tenant!r} adapts models of the task {task!r}")
    await add_version(
        application.database,
        tenant,
        task=task,
        version_id=version_id,
        artefact=made.folder,
        sha256=folder_sum(Path(made.folder)),
        base_hash=(await application.encoder.ready()).hash,
        data_fingerprint=fingerprint_of(learned_from),
        code_version=__version__,
        settings={"run": run_id},
        seed=seed,
        metrics=made.metrics,
        parent_id=live.id if live else None,
    )
    await _evaluate(application, tenant, task, version_id, made.folder)
    return version_id


async def _evaluate(application: Application, tenant: str, task: str, version_id: str, folder: str) -> None:
    """Score the candidate on the examples that no training saw; without any there is nothing to say."""
    kept_back: list[Example] = await list_examples(application.database, tenant, task, held_back=True)
    if not kept_back:
        return
    request = replace(await application.models.request_for(tenant, _WORKER), deadline=float("inf"))
    scored = await application.host.evaluate_model(
        EvaluationRequest(task=task, folder=folder, examples=tuple(kept_back)), request
    )
    if scored is not None:
        await add_evaluation(application.database, tenant, version_id, data="held_back", evaluation=scored)
