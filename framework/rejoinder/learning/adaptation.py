"""One adaptation run: from the examples in the store to a candidate version, which the gate then considers."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ConflictError, ModelError, RejoinderError
from rejoinder.learning.promotion import consider, was_considered
from rejoinder.learning.queue import send_run
from rejoinder.learning.replay import replayed
from rejoinder.learning.traffic import recent_traffic
from rejoinder.learning.training_set import training_set
from rejoinder.learning.version_folder import HEAD, UNTRAINED
from rejoinder.learning.versions import anchors_of, fingerprint_of, learned_until, other_precision, save_anchors
from rejoinder.models.learner import gives_one_label
from rejoinder.payloads import AdaptationRequest, Caller, Task
from rejoinder.store.examples import list_examples
from rejoinder.store.models import list_versions, live_version, set_version_state
from rejoinder.store.runs import claim_next, claim_run, finish_run, heartbeat_run, waiting_runs

if TYPE_CHECKING:
    from rejoinder.application import Application
    from rejoinder.context import Request
    from rejoinder.store.tables import AdaptationRun, ModelVersion

MOST_ATTEMPTS: Final = 3
"""A run whose workers were lost so often is given up: it may be what they die of."""

_BEATS_PER_LEASE: Final = 4
_BEAT_S: Final = 2.0
"""The longest between two heartbeats: so soon, a cancelled run stops, and progress is seen."""

_FITTING_SHARE: Final = 0.9
"""Share of a run's work that fitting is; the rest is the gate's."""

_WORKER = Caller(id="worker", role="admin")

_logger = logging.getLogger("rejoinder.learning")


class _Progress:
    """How far the work on a run is, as plugins tell it from whatever thread, until a heartbeat takes it to the store."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.checkpoint: str | None = None

    def tell(self, share: float, checkpoint: str | None) -> None:
        """Take a share of the fitting, in [0, 1], and where the next worker can go on."""
        self.share = max(self.share, share * _FITTING_SHARE)
        self.checkpoint = checkpoint or self.checkpoint


async def run_next(application: Application, *, owner: str, queues: Collection[str]) -> str | None:
    """Carry out the run that is next in these queues; return its id, or None when none waits.

    Whatever id a message brought, the store says what is next: see `rejoinder.store.runs.waiting_runs`.

    Args:
        owner: who carries it out, unique among workers and attempts.
        queues: those that this worker listens to.
    Raises:
        Exception: it failed; the run says why, and the version before serves on.
    """
    workers = application.settings.workers
    run = await claim_next(
        application.database, owner=owner, lease_s=workers.lease_s, queues=queues, at=application.clock()
    )
    if run is None:
        return None
    try:
        await _carry_out(application, run, owner)
    finally:  # ids of the task's other runs may have come, and gone, while this one was under way
        for waiting in await waiting_runs(application.database, tenant_id=run.tenant_id):
            await asyncio.to_thread(
                send_run, application.settings, waiting.tenant_id, waiting.run_id, queue=waiting.queue
            )
    return run.id


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
    run = await claim_run(database, tenant, run_id, owner=owner, lease_s=lease_s, at=application.clock())
    if run is None:
        _logger.info("adaptation run %s of tenant %s is over, taken, or waits for another of its task", run_id, tenant)
        return None
    return await _carry_out(application, run, owner)


async def _carry_out(application: Application, run: AdaptationRun, owner: str) -> str | None:
    """Do the work of a run that was claimed, and give it back; see `run_adaptation`. Cancelled, it is queued again."""
    database, tenant = application.database, run.tenant_id
    try:
        version_id = await _while_owned(application, run, owner)
    except asyncio.CancelledError:
        with suppress(ConflictError):
            await finish_run(database, tenant, run.id, owner=owner, status="queued")
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, RejoinderError) else f"{type(error).__name__}: {error}"
        with suppress(ConflictError):  # cancelled meanwhile: then it is over already
            await finish_run(database, tenant, run.id, owner=owner, status="failed", error=reason)
        raise
    if version_id is None:
        return None
    try:
        await finish_run(database, tenant, run.id, owner=owner, status="done", model_version_id=version_id)
    except ConflictError as error:  # the lease was lost at the very end
        _logger.warning("adaptation run %s of tenant %s ends without effect: %s", run.id, tenant, error)
        return None
    return version_id


async def _while_owned(application: Application, run: AdaptationRun, owner: str) -> str | None:
    """Do the work and renew the lease meanwhile; None, with the work stopped, when the run is the owner's no more."""
    if run.attempts > MOST_ATTEMPTS:
        raise ModelError(f"given up: {MOST_ATTEMPTS} workers that carried it out were lost")
    progress = _Progress(run.progress)
    work = asyncio.ensure_future(_adapt(application, run, progress))
    beats = asyncio.ensure_future(_renew_lease(application, run, owner, progress))
    try:
        await asyncio.wait((work, beats), return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for one in (work, beats):
            one.cancel()
        await asyncio.gather(work, beats, return_exceptions=True)


async def _renew_lease(application: Application, run: AdaptationRun, owner: str, progress: _Progress) -> None:
    """Say again and again that the owner is alive, and how far it is; return when the run is its no more."""
    lease_s = application.settings.workers.lease_s
    while True:
        await asyncio.sleep(min(_BEAT_S, lease_s / _BEATS_PER_LEASE))
        try:
            await heartbeat_run(
                application.database,
                run.tenant_id,
                run.id,
                owner=owner,
                lease_s=lease_s,
                progress=progress.share,
                checkpoint=progress.checkpoint,
            )
        except ConflictError as error:
            _logger.warning("adaptation run %s of tenant %s stops: %s", run.id, run.tenant_id, error)
            return
        except RejoinderError as error:  # the store may be back before the lease is over
            _logger.warning("adaptation run %s of tenant %s cannot renew its lease: %s", run.id, run.tenant_id, error)


async def _adapt(application: Application, run: AdaptationRun, progress: _Progress) -> str:
    await _check_precision(application, run.tenant_id)
    request = await application.models.request_for(run.tenant_id, _WORKER)
    request = replace(request, deadline=float("inf"), report=progress.tell)
    version = await _made_before(application, run)
    if version is None:
        version = await _fitted(application, run, request)
    if version.state == "candidate" and not await was_considered(application, version):
        await consider(application, version, request)
        try:
            await application.eraser.carry_on(run.tenant_id)
        except ModelError as error:
            _logger.warning("what is left of erasures of tenant %s is done later: %s", run.tenant_id, error)
    return version.id


async def _made_before(application: Application, run: AdaptationRun) -> ModelVersion | None:
    """Return the version that a worker made of this run before it was lost."""
    if run.attempts == 1:
        return None
    newest = await list_versions(application.database, run.tenant_id, task=run.task)
    return next((one for one in newest if one.settings.get("run") == run.id), None)


async def _fitted(application: Application, run: AdaptationRun, request: Request) -> ModelVersion:
    tenant, task = run.tenant_id, run.task
    known = application.host.tasks.get(task)
    if known is not None and known.learns_from == "behaviour":
        return await _fitted_to_behaviour(application, run, known, request)
    seeds = [one for one in await application.host.seed_examples(request) if one.task == task]
    # Up to the first attempt: whoever takes the run up again learns from the same, so that its checkpoint fits.
    until = run.started_at or application.clock()
    taught = await list_examples(application.database, tenant, task, held_back=False, known_by=until)
    found = training_set([*seeds, *taught], None if known is None else known.learner())
    live = await live_version(application.database, tenant, task)
    if not found.examples:
        if live is not None and live.erased_at is not None:
            await set_version_state(application.database, tenant, live.id, "retired")
        raise ModelError(f"tenant {tenant!r} has no example of the task {task!r} to learn from")
    if found.repeated or found.contradicted:
        _logger.info(
            "run %s, tenant %s: %d examples of %s count; %d repeat others, and %d are contradicted by weightier or later ones",
            run.id,
            tenant,
            len(found.examples),
            task,
            found.repeated,
            found.contradicted,
        )
    learning = application.settings.learning
    since = None if live is None else learned_until(live)
    kept = replayed(found.examples, since=since, limit=learning.replay_examples, seed=learning.seed)
    examples = kept.examples
    draft = await application.models.registry.draft()
    asked = AdaptationRequest(
        run_id=run.id,
        task=task,
        examples=examples,
        folder=str(draft),
        seed=learning.seed,
        base_version=live.id if live else None,
        base_folder=await _base_folder(application, live),
        rehearsed=kept.rehearsed,
        traffic=await recent_traffic(application.database, application.host, request, task, now=until),
    )
    try:
        stored = {one.id for one in taught}
        return await _candidate(
            application,
            asked,
            request,
            settings={
                "origin": "run",
                "run": run.id,
                "learned_until": until.isoformat(),
                "examples": {
                    "used": len(examples),
                    "not_rehearsed": len(found.examples) - len(examples),
                    "repeated": found.repeated,
                    "contradicted": found.contradicted,
                },
            },
            example_ids=[one.id for one in examples if one.id in stored],
        )
    finally:  # nothing is left of what no version names
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)


async def _fitted_to_behaviour(
    application: Application, run: AdaptationRun, task: Task, request: Request
) -> ModelVersion:
    """Fit a model on what people did up to the first attempt, those aside who are held back."""
    live = await live_version(application.database, run.tenant_id, task.name)
    if live is None:
        live = await _untrained(application, run.tenant_id, task)
    until = run.started_at or application.clock()
    learning = application.settings.learning
    draft = await application.models.registry.draft()
    asked = AdaptationRequest(
        run_id=run.id,
        task=task.name,
        examples=(),
        folder=str(draft),
        seed=learning.seed,
        base_version=live.id,
        base_folder=await _base_folder(application, live),
        until=until,
        hold_back_every=learning.hold_back_every,
    )
    settings = {"origin": "run", "run": run.id, "learned_until": until.isoformat()}
    try:
        return await _candidate(application, asked, request, settings=settings, example_ids=())
    finally:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)


async def _untrained(application: Application, tenant: str, task: Task) -> ModelVersion:
    """Keep what serves before anything is trained as a version: to judge the first trained one by, and to go back to."""
    registry = application.models.registry
    draft = await registry.draft()
    await asyncio.to_thread(task.learner().save, draft / HEAD)
    row = await registry.add(
        tenant,
        task.name,
        draft,
        base_hash=(await application.encoder.ready()).hash,
        data_fingerprint=fingerprint_of(()),
        settings={"origin": UNTRAINED},
        seed=application.settings.learning.seed,
        metrics={},
    )
    return await set_version_state(application.database, tenant, row.id, "live")


async def _base_folder(application: Application, live: ModelVersion | None) -> str | None:
    """Return the files to go on from; None where there are none, and where what they learned is to be forgotten."""
    if live is None or live.erased_at is not None:
        return None
    try:
        return str(await application.models.registry.files(live))
    except ModelError as error:
        _logger.warning(
            "nothing can go on from model %s of tenant %s, so it is trained anew: %s", live.id, live.tenant_id, error
        )
        return None


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
    application: Application,
    asked: AdaptationRequest,
    request: Request,
    *,
    settings: Mapping[str, Any],
    example_ids: Sequence[str],
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
        vectors = await application.models.loader.encode_texts(request.tenant, [one.text for one in anchors])
        await asyncio.to_thread(save_anchors, folder, vectors, [one.label or "" for one in anchors])
    return await application.models.registry.add(
        request.tenant,
        asked.task,
        folder,
        base_hash=(await application.encoder.ready()).hash,
        data_fingerprint=made.fingerprint or fingerprint_of(asked.examples),
        settings={**settings, "continues": made.continues},
        seed=asked.seed,
        metrics=made.metrics,
        parent_id=asked.base_version,
        example_ids=example_ids,
        continues=made.continues,
    )
