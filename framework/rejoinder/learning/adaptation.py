"""One adaptation run: from the examples in the store to a candidate version, evaluated on what no training saw.

Nothing is promoted here: a candidate waits until somebody, or a gate, decides.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rejoinder.errors import ConflictError, ModelError, RejoinderError
from rejoinder.learning.versions import anchors_of, fingerprint_of, other_precision, save_anchors
from rejoinder.models.learner import gives_one_label
from rejoinder.payloads import AdaptationRequest, Caller, EvaluationRequest
from rejoinder.store.examples import list_examples
from rejoinder.store.models import add_evaluation, list_versions, live_version
from rejoinder.store.runs import claim_run, finish_run, heartbeat_run

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.context import Request
    from rejoinder.store.tables import AdaptationRun, ModelVersion

MOST_ATTEMPTS: Final = 3
"""A run whose workers were lost so often is given up: it may be what they die of."""

_BEATS_PER_LEASE: Final = 4
_WORKER = Caller(id="worker", role="admin")

_logger = logging.getLogger("rejoinder.learning")


async def run_adaptation(application: Application, *, tenant: str, run_id: str, owner: str) -> str | None:
    """Carry out a run; return the id of the version that it made, or None when the run is over or somebody else's.

    While it works it renews its lease. When the run was cancelled, or another worker took it, it stops.

    Args:
        owner: who carries it out, unique among workers and attempts.
    Raises:
        NotFoundError: the tenant has no such run.
        Exception: it failed; the run says why, and the version before serves on.
    """
    database, lease_s = application.database, application.settings.workers.lease_s
    run = await claim_run(database, tenant, run_id, owner=owner, lease_s=lease_s)
    if run is None:
        _logger.info("adaptation run %s of tenant %s is over or taken", run_id, tenant)
        return None
    try:
        version_id = await _while_owned(application, run, owner)
    except Exception as error:
        reason = str(error) if isinstance(error, RejoinderError) else f"{type(error).__name__}: {error}"
        with suppress(ConflictError):  # cancelled meanwhile: then it is over already
            await finish_run(database, tenant, run_id, owner=owner, status="failed", error=reason)
        raise
    if version_id is None:
        return None
    try:
        await finish_run(database, tenant, run_id, owner=owner, status="done", model_version_id=version_id)
    except ConflictError as error:  # the lease was lost at the very end
        _logger.warning("adaptation run %s of tenant %s ends without effect: %s", run_id, tenant, error)
        return None
    return version_id


async def _while_owned(application: Application, run: AdaptationRun, owner: str) -> str | None:
    """Do the work and renew the lease meanwhile; None, with the work stopped, when the run is the owner's no more."""
    if run.attempts > MOST_ATTEMPTS:
        raise ModelError(f"given up: {MOST_ATTEMPTS} workers that carried it out were lost")
    work = asyncio.ensure_future(_adapt(application, run.tenant_id, run.task, run.id))
    beats = asyncio.ensure_future(_renew_lease(application, run.tenant_id, run.id, owner))
    try:
        await asyncio.wait((work, beats), return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for one in (work, beats):
            one.cancel()
        await asyncio.gather(work, beats, return_exceptions=True)


async def _renew_lease(application: Application, tenant: str, run_id: str, owner: str) -> None:
    """Say again and again that the owner is alive; return when the run is its no more."""
    lease_s = application.settings.workers.lease_s
    while True:
        await asyncio.sleep(lease_s / _BEATS_PER_LEASE)
        try:
            await heartbeat_run(application.database, tenant, run_id, owner=owner, lease_s=lease_s)
        except ConflictError as error:
            _logger.warning("adaptation run %s of tenant %s stops: %s", run_id, tenant, error)
            return
        except RejoinderError as error:  # the store may be back before the lease is over
            _logger.warning("adaptation run %s of tenant %s cannot renew its lease: %s", run_id, tenant, error)


async def _adapt(application: Application, tenant: str, task: str, run_id: str) -> str:
    await _check_precision(application, tenant)
    request = replace(await application.models.request_for(tenant, _WORKER), deadline=float("inf"))
    seeds = [one for one in await application.host.seed_examples(request) if one.task == task]
    looked_at = application.clock()
    learned_from = [*seeds, *await list_examples(application.database, tenant, task, held_back=False)]
    if not learned_from:
        raise ModelError(f"tenant {tenant!r} has no example of the task {task!r} to learn from")
    draft = await application.models.registry.draft()
    live = await live_version(application.database, tenant, task)
    asked = AdaptationRequest(
        run_id=run_id,
        task=task,
        examples=tuple(learned_from),
        folder=str(draft),
        seed=application.settings.learning.seed,
        base_version=live.id if live else None,
    )
    try:
        version = await _candidate(application, asked, request, looked_at)
    finally:  # nothing is left of what no version names
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
    await _evaluate(application, version, request)
    return version.id


async def _check_precision(application: Application, tenant: str) -> None:
    """Refuse to work with vectors of another precision than the servers': before hours of work, and before anything is fitted anew."""
    encoder = await application.encoder.ready()
    for live in await list_versions(application.database, tenant, state="live"):
        unlike = other_precision(live.base_hash, encoder)
        if unlike is not None:
            raise ModelError(
                f"model {live.id} of {live.task} is live and cannot be used by this worker: {unlike}. Where the servers have a new "
                "precision too, they fit it anew when this tenant is next served: start the run again after that"
            )


async def _candidate(
    application: Application, asked: AdaptationRequest, request: Request, looked_at: datetime
) -> ModelVersion:
    """Fit, and keep what came of it as a version, with anchors for the memory of corrections beside it."""
    made = await application.host.adapt_model(asked, request)
    if made is None:
        raise ModelError(f"no plugin of tenant {request.tenant!r} adapts models of the task {asked.task!r}")
    folder = Path(made.folder)
    if not await asyncio.to_thread(lambda: any(path.is_file() for path in folder.rglob("*"))):
        raise ModelError(
            f"the plugin that adapts {asked.task!r} says that the model is in {folder}: there are no files"
        )
    task = application.host.tasks.get(asked.task)
    anchors = anchors_of(asked.examples)
    if anchors and (task is None or gives_one_label(task.learner())):
        vectors = await application.models.encode_texts(request.tenant, [one.text for one in anchors])
        await asyncio.to_thread(save_anchors, folder, vectors, [one.label or "" for one in anchors])
    return await application.models.registry.add(
        request.tenant,
        asked.task,
        folder,
        base_hash=(await application.encoder.ready()).hash,
        data_fingerprint=fingerprint_of(asked.examples),
        settings={"origin": "run", "run": asked.run_id, "learned_until": looked_at.isoformat()},
        seed=asked.seed,
        metrics=made.metrics,
        parent_id=asked.base_version,
    )


async def _evaluate(application: Application, version: ModelVersion, request: Request) -> None:
    """Score the candidate, as it is stored, on the examples that no training saw; without any there is nothing to say."""
    kept_back = await list_examples(application.database, request.tenant, version.task, held_back=True)
    if not kept_back:
        return
    folder = str(await application.models.registry.files(version))
    scored = await application.host.evaluate_model(
        EvaluationRequest(task=version.task, folder=folder, examples=tuple(kept_back)), request
    )
    if scored is not None:
        await add_evaluation(application.database, request.tenant, version.id, data="held_back", evaluation=scored)
