"""The plugin's hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.context import Context, Deployment
from rejoinder.errors import ModelError
from rejoinder.hooks import hookimpl
from rejoinder.learning.encodings import tells, texts_of
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
    async def adapt_model(self, request: AdaptationRequest, context: Context) -> Adaptation | None:
        """Fit a new learner on the request's examples and save it, with the adapter that was trained for it, if any."""
        task = self._tasks.get(request.task)
        if task is None:
            return None
        settings: LearnerAdaptationSettings = context.settings or LearnerAdaptationSettings()
        if settings.method != "head":
            return await self._with_adapter(task.learner(), request, settings, context)
        return await _fitted(task.learner(), request.examples, request, context)

    async def _with_adapter(
        self, learner: Learner, request: AdaptationRequest, settings: LearnerAdaptationSettings, context: Context
    ) -> Adaptation:
        from rejoinder.models.adapters.adapter import save_adapter  # heavy, and needed only here

        from rejoinder_plugins.learner_adaptation.training import examples_for, kind_of, learner_for, train_adapter

        encoder = await context.models.base_encoder()
        if not hasattr(encoder, "folder"):
            raise ModelError(f"the encoder {encoder.name} cannot be adapted: it has no folder of weights")
        kind = kind_of(learner)
        trained = await train_adapter(kind, request, settings, encoder, self._work)
        await asyncio.to_thread(save_adapter, Path(request.folder) / _ADAPTER, trained.adapter)
        examples = examples_for(kind, request.examples, trained)
        made = await _fitted(learner_for(kind, learner, trained), examples, request, context, adapter=trained.adapter)
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
        said = await asyncio.to_thread(learner.predict_batch, texts_of(learner, examples), inputs)
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
) -> Adaptation:
    inputs = await context.models.read(learner, examples, adapter=adapter)
    metrics = await asyncio.to_thread(partial(learner.fit, examples, inputs, seed=request.seed))
    await asyncio.to_thread(learner.save, Path(request.folder) / _HEAD)
    return Adaptation(folder=request.folder, metrics=dict(metrics))


def _adapter_in(folder: Path) -> Adapter | None:
    from rejoinder.models.adapters.adapter import load_adapter

    return load_adapter(folder / _ADAPTER) if (folder / _ADAPTER).is_dir() else None
