"""Train an adapter for a task's learner: in a thread, cancellable, and resumed from its checkpoint by whoever takes the run up again."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from rejoinder.errors import ModelIntegrityError
from rejoinder.learning.label_names import is_label_example
from rejoinder.learning.train_task import KINDS
from rejoinder.learning.version_folder import ADAPTER
from rejoinder.learning.versions import fingerprint_of
from rejoinder.models.learner import gives_one_label, reads_of, takes_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rejoinder.models.learner import Learner
    from rejoinder.models.training.base import Base
    from rejoinder.models.training.loop import Trained
    from rejoinder.models.training.objectives.objective import Objective
    from rejoinder.models.training.progress import Progress
    from rejoinder.models.training.settings import TrainingSettings
    from rejoinder.models.training.warm_start import WarmStart
    from rejoinder.payloads import AdaptationRequest, Example

    from rejoinder_plugins.learner_adaptation.settings import LearnerAdaptationSettings

WARM_START: Final = "warm_start"
"""Sub-folder of a version: the head that its adapter was trained with, so that the next round can go on from there."""

_KEPT_S: Final = 7 * 86_400.0
"""Checkpoints that nobody took up for so long are deleted."""


TRAINING_SHARE: Final = 0.9
"""Share of a run's work that training an adapter is; the rest is the head."""

_logger = logging.getLogger("rejoinder.plugins.learner_adaptation")


class Report(Protocol):
    """Is told how far the work is: see `rejoinder.context.Context.report_progress`."""

    def __call__(self, share: float, *, checkpoint: str | None = None) -> None:
        """Take a share in [0, 1], and where to go on from."""


def kind_of(learner: Learner) -> str:
    """Return the kind of task, a name in `KINDS`, that an adapter is trained for so that this learner reads it best."""
    if reads_of(learner) == "tokens":
        return "qa" if takes_pairs(learner) else "tags"
    if takes_pairs(learner):
        return "pairs"
    return "classification" if gives_one_label(learner) else "multi-label"


def learner_for(kind: str, learner: Learner, trained: Trained) -> Learner:
    """Return the learner to fit on what the adapted encoder gives: the task's own, or one that takes over the trained head."""
    made = KINDS[kind].learner(trained)
    return made if KINDS[kind].calibrated_apart and type(made) is type(learner) else learner


def examples_for(kind: str, examples: Sequence[Example], trained: Trained) -> Sequence[Example]:
    """Return the examples to fit the learner on; one that took over a head learns how sure to be from what training did not see."""
    if KINDS[kind].calibrated_apart and trained.held_out:
        return [examples[place] for place in trained.held_out]
    return examples


async def train_adapter(
    kind: str,
    request: AdaptationRequest,
    settings: LearnerAdaptationSettings,
    encoder: Any,
    work: Path,
    report: Report,
) -> tuple[Trained, bool]:
    """Train, from the request's base where one can go on from there, and say whether that was so.

    When this is cancelled, training stops after its step and leaves a checkpoint.

    Args:
        kind: a name in `KINDS`.
        encoder: the base, of which the files are read.
        work: folder for the checkpoints of all runs.
        report: is told after each step.

    Raises:
        InvalidInputError, SettingsError, TrainingError: as `rejoinder.models.training.loop.train`.
    """
    epochs = "" if settings.epochs is None else f"-{settings.epochs}"
    stop = threading.Event()
    job = await asyncio.to_thread(_job, kind, request, settings, encoder)
    begin = "anew" if job.start is None else job.start.adapter.id
    name = f"{request.run_id}-{settings.method}{epochs}-{fingerprint_of(request.examples)[:16]}-{begin}"
    try:
        trained = await asyncio.to_thread(_train, job, request, work / name, stop, report)
    finally:
        stop.set()
    await asyncio.to_thread(shutil.rmtree, work / name, ignore_errors=True)
    return trained, job.start is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is trained, how, and from where on."""

    objective: Objective
    base: Base
    method: str
    method_settings: Any
    settings: TrainingSettings
    start: WarmStart | None


def _job(kind: str, request: AdaptationRequest, settings: LearnerAdaptationSettings, encoder: Any) -> _Job:
    from rejoinder.models.training.base import open_base

    how = KINDS[kind].settings(len(request.examples))
    if settings.epochs is not None:
        how = replace(how, epochs=settings.epochs)
    job = _Job(
        objective=KINDS[kind].objective(request.examples),
        base=open_base(encoder.folder),
        method=settings.method,
        method_settings=KINDS[kind].method_settings(settings.method),
        settings=how,
        start=None,
    )
    start = _start(job, request) if settings.warm_start else None
    return job if start is None else replace(job, start=start, settings=KINDS[kind].round_settings(how))


def _start(job: _Job, request: AdaptationRequest) -> WarmStart | None:
    """Return where the live version's training ended, if this one can go on from there."""
    from rejoinder.models.adapters.adapter import load_adapter
    from rejoinder.models.training.warm_start import lineage_of, load_warm_start

    if request.base_folder is None or not (Path(request.base_folder) / WARM_START).is_dir():
        return None
    folder = Path(request.base_folder)
    found = load_warm_start(folder / WARM_START, load_adapter(folder / ADAPTER))
    if found.lineage != lineage_of(job.base, job.method, job.method_settings, job.objective):
        _logger.info(
            "run %s starts anew: version %s was trained in another way (%s)",
            request.run_id,
            request.base_version,
            dict(found.lineage),
        )
        return None
    return found


def _train(job: _Job, request: AdaptationRequest, work: Path, stop: threading.Event, report: Report) -> Trained:
    from rejoinder.models.training.loop import train

    _sweep(work.parent)
    begun = False

    def tell(progress: Progress) -> None:
        nonlocal begun
        if not begun and progress.step > 1:
            _logger.info("run %s goes on after step %d of %d", request.run_id, progress.step - 1, progress.total)
        begun = True
        report(TRAINING_SHARE * progress.step / progress.total, checkpoint=str(work))

    run = partial(
        train,
        request.examples,
        job.objective,
        base=job.base,
        method=job.method,
        method_settings=job.method_settings,
        settings=job.settings,
        seed=request.seed,
        start=job.start,
        rehearsed=() if job.start is None else rehearsed_places(request),
        work_dir=work,
        cancelled=stop.is_set,
        report=tell,
    )
    try:
        return run(resume=True)
    except ModelIntegrityError as error:
        _logger.warning("run %s begins again, since its checkpoint cannot be used: %s", request.run_id, error)
        return run(resume=False)


def rehearsed_places(request: AdaptationRequest) -> list[int]:
    """Return the places of the examples that the live version has learned; the names of labels come along with what is rehearsed."""
    known = set(request.rehearsed)
    return [place for place, one in enumerate(request.examples) if one.id in known or is_label_example(one)]


def _sweep(folder: Path) -> None:
    """Delete what runs left behind that nobody took up again."""
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if time.time() - one.stat().st_mtime > _KEPT_S:
            shutil.rmtree(one, ignore_errors=True)
