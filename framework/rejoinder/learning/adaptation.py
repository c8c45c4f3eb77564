"""One adaptation run: from the examples in the store to a candidate version, evaluated on what no training saw.

Nothing is promoted here: a candidate waits until somebody, or a gate, decides.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rejoinder import __version__
from rejoinder.errors import ConflictError, ModelError, RejoinderError
from rejoinder.learning.versions import fingerprint_of, folder_sum
from rejoinder.payloads import Adaptation, AdaptationRequest, Caller, EvaluationRequest
from rejoinder.store.examples import list_examples
from rejoinder.store.ids import new_id
from rejoinder.store.models import add_evaluation, add_version, live_version
from rejoinder.store.runs import claim_run, finish_run, heartbeat_run

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.context import Request
    from rejoinder.store.tables import AdaptationRun

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
    request = replace(await application.models.request_for(tenant, _WORKER), deadline=float("inf"))
    seeds = [one for one in await application.host.seed_examples(request) if one.task == task]
    learned_from = [*seeds, *await list_examples(application.database, tenant, task, held_back=False)]
    if not learned_from:
        raise ModelError(f"tenant {tenant!r} has no example of the task {task!r} to learn from")
    version_id = new_id("model")
    folder = Path(application.settings.data_dir) / "models" / tenant / task / version_id
    live = await live_version(application.database, tenant, task)
    asked = AdaptationRequest(
        run_id=run_id,
        task=task,
        examples=tuple(learned_from),
        folder=str(folder),
        seed=application.settings.learning.seed,
        base_version=live.id if live else None,
    )
    try:
        made = await _candidate(application, asked, request, version_id)
    except BaseException:  # cancelled, too: no version names what was written
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    await _evaluate(application, asked, made, request, version_id)
    return version_id


async def _candidate(
    application: Application, asked: AdaptationRequest, request: Request, version_id: str
) -> Adaptation:
    """Fit, and keep what came of it as a version."""
    made = await application.host.adapt_model(asked, request)
    if made is None:
        raise ModelError(f"no plugin of tenant {request.tenant!r} adapts models of the task {asked.task!r}")
    await add_version(
        application.database,
        request.tenant,
        task=asked.task,
        version_id=version_id,
        artefact=made.folder,
        sha256=await asyncio.to_thread(folder_sum, Path(made.folder)),
        base_hash=(await application.encoder.ready()).hash,
        data_fingerprint=fingerprint_of(asked.examples),
        code_version=__version__,
        settings={"run": asked.run_id},
        seed=asked.seed,
        metrics=made.metrics,
        parent_id=asked.base_version,
    )
    return made


async def _evaluate(
    application: Application, asked: AdaptationRequest, made: Adaptation, request: Request, version_id: str
) -> None:
    """Score the candidate on the examples that no training saw; without any there is nothing to say."""
    kept_back = await list_examples(application.database, request.tenant, asked.task, held_back=True)
    if not kept_back:
        return
    scored = await application.host.evaluate_model(
        EvaluationRequest(task=asked.task, folder=made.folder, examples=tuple(kept_back)), request
    )
    if scored is not None:
        await add_evaluation(application.database, request.tenant, version_id, data="held_back", evaluation=scored)
