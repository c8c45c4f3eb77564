"""The plugin's hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rejoinder.context import Context, Deployment
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Adaptation, AdaptationRequest, Evaluation, EvaluationRequest, Example, Task

if TYPE_CHECKING:
    from rejoinder.models.learner import FloatArray


class LearnerAdaptationPlugin:
    """Fits the learner that a task was registered with, and asks it to score itself."""

    rejoinder_spec = ">=1.0,<2"

    def __init__(self) -> None:
        self._tasks: Mapping[str, Task] = {}

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Note the tasks of this process."""
        self._tasks = deployment.tasks

    @hookimpl(trylast=True)
    async def adapt_model(self, request: AdaptationRequest, context: Context) -> Adaptation | None:
        """Fit a new learner on the request's examples and save it."""
        task = self._tasks.get(request.task)
        if task is None:
            return None
        vectors = await _vectors(request.examples, context)
        learner = task.learner()
        metrics = await asyncio.to_thread(partial(learner.fit, request.examples, vectors, seed=request.seed))
        await asyncio.to_thread(learner.save, Path(request.folder) / "head")
        return Adaptation(folder=request.folder, metrics=dict(metrics))

    @hookimpl(trylast=True)
    async def evaluate_model(self, request: EvaluationRequest, context: Context) -> Evaluation | None:
        """Score a saved learner on examples that it never saw."""
        task = self._tasks.get(request.task)
        if task is None:
            return None
        labelled = [example for example in request.examples if example.label and example.polarity != "negative"]
        if not labelled:
            return None  # "not this label" does not say what would be right
        learner = await asyncio.to_thread(type(task.learner()).load, Path(request.folder) / "head")
        vectors = await _vectors(labelled, context)
        said = await asyncio.to_thread(learner.predict_batch, [example.text for example in labelled], vectors)
        metrics = await asyncio.to_thread(learner.evaluate, labelled, vectors)
        return Evaluation(
            metrics=dict(metrics),
            correct={example.id: one.label == example.label for example, one in zip(labelled, said, strict=True)},
        )


async def _vectors(examples: Sequence[Example], context: Context) -> FloatArray:
    import numpy as np

    rows = [await context.models.encode(example.text) for example in examples]
    return np.stack(rows)
