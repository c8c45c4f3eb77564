"""The plugin's hooks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.context import Context, Deployment
from rejoinder.errors import ModelError
from rejoinder.hooks import hookimpl
from rejoinder.learning.encodings import tells, texts_of
from rejoinder.learning.label_names import with_label_names
from rejoinder.models.learner import fit_apart
from rejoinder.payloads import Adaptation, AdaptationRequest, Evaluation, EvaluationRequest, Example, Task

from rejoinder_plugins.learner_adaptation.settings import LearnerAdaptationSettings

if TYPE_CHECKING:
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.learner import Learner

_ADAPTER = "adapter"
_HEAD = "head"


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
        from rejoinder.models.adapters.adapter import save_adapter  # heavy, and needed only here

        from rejoinder_plugins.learner_adaptation.training import (
            TRAINING_SHARE,
            examples_for,
            kind_of,
            learner_for,
            train_adapter,
        )

        encoder = await context.models.base_encoder()
        if not hasattr(encoder, "folder"):
            raise ModelError(f"the encoder {encoder.name} cannot be adapted: it has no folder of weights")
        kind = kind_of(learner)
        trained = await train_adapter(kind, request, settings, encoder, self._work, context.report_progress)
        context.report_progress(TRAINING_SHARE)
        await asyncio.to_thread(save_adapter, Path(request.folder) / _ADAPTER, trained.adapter)
        examples = examples_for(kind, request.examples, trained)
        own = learner_for(kind, learner, trained)
        apart = trained.held_out if examples is request.examples else ()
        made = await _fitted(own, examples, request, context, adapter=trained.adapter, apart=apart)
        return Adaptation(
            folder=made.folder,
            metrics={**{f"adapter_{name}": value for name, value in trained.metrics.items()}, **made.metrics},
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
        learner = await asyncio.to_thread(type(fresh).load, folder / _HEAD)
        from rejoinder.learning.direct import is_right  # with numpy, which no plugin needs while it is loaded

        inputs = await context.models.read(learner, examples, adapter=await asyncio.to_thread(_adapter_in, folder))
        metrics = await asyncio.to_thread(learner.evaluate, examples, inputs)
        started = time.perf_counter()
        said = await asyncio.to_thread(learner.predict_batch, texts_of(learner, examples), inputs)
        metrics = {**metrics, "predict_ms": (time.perf_counter() - started) * 1e3 / len(examples)}
        right = {one.id: is_right(learner, one, found) for one, found in zip(examples, said, strict=True)}
        correct = {name: bool(one) for name, one in right.items() if one is not None}
        return Evaluation(metrics=dict(metrics), correct=correct)


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
    await asyncio.to_thread(learner.save, Path(request.folder) / _HEAD)
    context.report_progress(1.0)
    return Adaptation(folder=request.folder, metrics=dict(metrics))


def _adapter_in(folder: Path) -> Adapter | None:
    from rejoinder.models.adapters.adapter import load_adapter

    return load_adapter(folder / _ADAPTER) if (folder / _ADAPTER).is_dir() else None
