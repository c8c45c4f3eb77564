"""Train an adapter for a task's learner: in a thread, cancellable, and resumed from its checkpoint by whoever takes the run up again."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from rejoinder.errors import ModelIntegrityError
from rejoinder.learning.train_task import KINDS
from rejoinder.learning.versions import fingerprint_of
from rejoinder.models.learner import gives_one_label, reads_of, takes_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rejoinder.models.learner import Learner
    from rejoinder.models.training.loop import Trained
    from rejoinder.models.training.progress import Progress
    from rejoinder.payloads import AdaptationRequest, Example

    from rejoinder_plugins.learner_adaptation.settings import LearnerAdaptationSettings

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
) -> Trained:
    """Train; when this is cancelled, training stops after its step and leaves a checkpoint.

    Args:
        kind: a name in `KINDS`.
        encoder: the base, of which the files are read.
        work: folder for the checkpoints of all runs.
        report: is told after each step.

    Raises:
        InvalidInputError, SettingsError, TrainingError: as `rejoinder.models.training.loop.train`.
    """
    epochs = "" if settings.epochs is None else f"-{settings.epochs}"
    name = f"{request.run_id}-{settings.method}{epochs}-{fingerprint_of(request.examples)[:16]}"
    stop = threading.Event()
    try:
        trained = await asyncio.to_thread(_train, kind, request, settings, encoder, work / name, stop, report)
    finally:
        stop.set()
    await asyncio.to_thread(shutil.rmtree, work / name, ignore_errors=True)
    return trained


def _train(
    kind: str,
    request: AdaptationRequest,
    settings: LearnerAdaptationSettings,
    encoder: Any,
    work: Path,
    stop: threading.Event,
    report: Report,
) -> Trained:
    from rejoinder.models.training.base import open_base
    from rejoinder.models.training.loop import train

    _sweep(work.parent)
    how = KINDS[kind].settings(len(request.examples))
    if settings.epochs is not None:
        how = replace(how, epochs=settings.epochs)
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
        KINDS[kind].objective(request.examples),
        base=open_base(encoder.folder),
        method=settings.method,
        method_settings=KINDS[kind].method_settings(settings.method),
        settings=how,
        seed=request.seed,
        work_dir=work,
        cancelled=stop.is_set,
        report=tell,
    )
    try:
        return run(resume=True)
    except ModelIntegrityError as error:
        _logger.warning("run %s begins again, since its checkpoint cannot be used: %s", request.run_id, error)
        return run(resume=False)


def _sweep(folder: Path) -> None:
    """Delete what runs left behind that nobody took up again."""
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if time.time() - one.stat().st_mtime > _KEPT_S:
            shutil.rmtree(one, ignore_errors=True)
