"""The plugin's hooks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.context import Context, Deployment
from rejoinder.errors import ModelError
from rejoinder.hooks import hookimpl
from rejoinder.learning.encodings import tells, texts_of
from rejoinder.learning.label_names import with_label_names
from rejoinder.learning.version_folder import ADAPTER, HEAD
from rejoinder.models.learner import fit_apart, learns_scope, spelled
from rejoinder.payloads import Adaptation, AdaptationRequest, Evaluation, EvaluationRequest, Example, Task

from rejoinder_plugins.learner_adaptation.settings import LearnerAdaptationSettings

if TYPE_CHECKING:
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.learner import Learner


class LearnerAdaptationPlugin:
    """Fits the learner that a task was registered with, on the encoder as it is or with an adapter, and asks it to score itself."""

    rejoinder_spec = ">=1.0,<2"
    settings = LearnerAdaptationSettings

    def __init__(self) -> None:
        self._tasks: Mapping[str, Task] = {}
        self._work = Path()

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Note the tasks of this process, and where checkpoints go."""
        self._tasks = deployment.tasks
        self._work = Path(deployment.data_dir) / "work" / "learner_adaptation"

    @hookimpl(trylast=True)
    def choose_queue(self, context: Context) -> str | None:
        """Send what trains an adapter to workers with a GPU, and heads to the others."""
        settings: LearnerAdaptationSettings = context.settings or LearnerAdaptationSettings()
        return "cpu" if settings.method == "head" else "gpu"

    @hookimpl(trylast=True)
    async def adapt_model(self, request: AdaptationRequest, context: Context) -> Adaptation | None:
        """Fit a new learner on the request's examples and save it, with the adapter that was trained for it, if any."""
        task = self._tasks.get(request.task)
        if task is None:
            return None
        settings: LearnerAdaptationSettings = context.settings or LearnerAdaptationSettings()
        learner = task.learner()
        request = replace(request, examples=tuple(with_label_names(learner, request.examples)))
        if settings.method != "head":
            return await self._with_adapter(learner, request, settings, context)
        return await _fitted(learner, request.examples, request, context)

    async def _with_adapter(
        self, learner: Learner, request: AdaptationRequest, settings: LearnerAdaptationSettings, context: Context
    ) -> Adaptation:
        # heavy, and needed only here
        from rejoinder.models.adapters.adapter import save_adapter
        from rejoinder.models.training.warm_start import save_warm_start

        from rejoinder_plugins.learner_adaptation.training import (
            TRAINING_SHARE,
            WARM_START,
            examples_for,
            kind_of,
            learner_for,
            train_adapter,
        )

        encoder = await context.models.base_encoder()
        if not hasattr(encoder, "folder"):
            raise ModelError(f"the encoder {encoder.name} cannot be adapted: it has no folder of weights")
        kind = kind_of(learner)
        trained, continues = await train_adapter(kind, request, settings, encoder, self._work, context.report_progress)
        context.report_progress(TRAINING_SHARE)
        await asyncio.to_thread(save_adapter, Path(request.folder) / ADAPTER, trained.adapter)
        await asyncio.to_thread(save_warm_start, Path(request.folder) / WARM_START, trained.warm_start)
        examples = examples_for(kind, request.examples, trained)
        own = learner_for(kind, learner, trained)
        apart = trained.held_out if examples is request.examples else ()
        made = await _fitted(own, examples, request, context, adapter=trained.adapter, apart=apart)
        return Adaptation(
            folder=made.folder,
            metrics={**{f"adapter_{name}": value for name, value in trained.metrics.items()}, **made.metrics},
            continues=continues,
        )

    @hookimpl(trylast=True)
    async def evaluate_model(self, request: EvaluationRequest, context: Context) -> Evaluation | None:
        """Score a saved learner, with its adapter, on examples that it never saw."""
        task = self._tasks.get(request.task)
        if task is None:
            return None
        fresh = task.learner()
        # "Not this label" does not say what would be right.
        examples = [one for one in request.examples if one.polarity != "negative" and tells(fresh, one)]
        if not examples:
            return None
        folder = Path(request.folder)
        learner = await asyncio.to_thread(type(fresh).load, folder / HEAD)
        from rejoinder.learning.direct import is_right  # with numpy, which no plugin needs while it is loaded

        inputs = await context.models.read(learner, examples, adapter=await asyncio.to_thread(_adapter_in, folder))
        metrics = await asyncio.to_thread(learner.evaluate, examples, inputs)
        said, seconds = await asyncio.to_thread(_predicted, learner, texts_of(learner, examples), inputs)
        metrics = {**metrics, "predict_ms": seconds * 1e3 / len(examples)}
        right = {one.id: is_right(learner, one, found) for one, found in zip(examples, said, strict=True)}
        correct = {name: bool(one) for name, one in right.items() if one is not None}
        return Evaluation(metrics=dict(metrics), correct=correct)


def _predicted(learner: Learner, texts: Sequence[Any], inputs: Any) -> tuple[Sequence[Any], float]:
    """Return what a learner says, and the seconds of CPU that it took: on a busy machine two models' clock times cannot be compared."""
    started = time.thread_time()
    said = learner.predict_batch(texts, inputs)
    return said, time.thread_time() - started


async def _fitted(
    learner: Learner,
    examples: Sequence[Example],
    request: AdaptationRequest,
    context: Context,
    *,
    adapter: Adapter | None = None,
    apart: Sequence[int] = (),
) -> Adaptation:
    inputs = await context.models.read(learner, examples, adapter=adapter)
    metrics = await asyncio.to_thread(partial(fit_apart, learner, examples, inputs, seed=request.seed, apart=apart))
    if request.traffic and learns_scope(learner):
        asked = [spelled(learner, text) for text in request.traffic]
        messages = [Example(id=str(place), task=request.task, text=text) for place, text in enumerate(asked)]
        vectors = await context.models.read(learner, messages, adapter=adapter)
        metrics = {**metrics, **await asyncio.to_thread(learner.learn_scope, asked, vectors)}
    await asyncio.to_thread(learner.save, Path(request.folder) / HEAD)
    context.report_progress(1.0)
    return Adaptation(folder=request.folder, metrics=dict(metrics))


def _adapter_in(folder: Path) -> Adapter | None:
    from rejoinder.models.adapters.adapter import load_adapter

    return load_adapter(folder / ADAPTER) if (folder / ADAPTER).is_dir() else None
