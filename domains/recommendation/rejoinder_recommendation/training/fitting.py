"""Train a recommender on a worker: in a thread, cancellable, and taken up again from what was chosen so far."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rejoinder.errors import InvalidInputError
from rejoinder.learning.version_folder import HEAD
from rejoinder.payloads import Adaptation, AdaptationRequest

from rejoinder_recommendation.candidates import SETTINGS
from rejoinder_recommendation.journal import open_journal
from rejoinder_recommendation.learner import RecommenderLearner
from rejoinder_recommendation.trained import TrainedRecommender, train_recommender, training_fingerprint
from rejoinder_recommendation.training.data import TrainingData, training_data

if TYPE_CHECKING:
    from rejoinder.context import Context

__all__ = ["train_on_behaviour"]

_FITS: Final = sum(len(settings) + 1 for settings in SETTINGS.values())
"""Of a whole training: each kind with all of its settings, and once more on everything."""


class _Cancelled(Exception):  # noqa: N818
    """Ends the thread; whoever waited for it is gone."""


async def train_on_behaviour(request: AdaptationRequest, context: Context, work: Path) -> Adaptation:
    """Train on what the tenant's people did up to `request.until`, and save the model in `request.folder`.

    Args:
        work: folder for what must survive a worker that is lost.

    Raises:
        InvalidInputError: there are no items, or fewer than 10 people turned to 3 items.
    """
    items = context.items
    catalogue = None if items is None else await items.catalogue()
    if items is None or catalogue is None or not len(catalogue):
        raise InvalidInputError(f"tenant {context.tenant!r} has no items to recommend: send them to /v1/items")
    log = await items.behaviour()
    data = await asyncio.to_thread(
        training_data,
        catalogue,
        log,
        items.rules,
        until=request.until or context.now(),
        hold_back_every=request.hold_back_every,
    )
    encoder = (await context.models.base_encoder()).name
    stop = threading.Event()
    begun = time.perf_counter()
    train = partial(_train, data, request, work, encoder, stop, context)
    try:
        trained = await asyncio.to_thread(train)
    finally:
        stop.set()
    await asyncio.to_thread(RecommenderLearner(trained).save, Path(request.folder) / HEAD)
    context.report_progress(1.0)
    metrics = {
        "train_seconds": time.perf_counter() - begun,
        "people": float(len(data.events)),
        "events": float(len(data.events.items)),
        "items": float(len(data.items)),
        **{f"weight_{name}": weight for name, weight in trained.recommender.weights.items()},
    }
    return Adaptation(folder=request.folder, metrics=metrics, fingerprint=trained.fingerprint)


def _train(
    data: TrainingData, request: AdaptationRequest, work: Path, encoder: str, stop: threading.Event, context: Context
) -> TrainedRecommender:
    fingerprint = training_fingerprint(data.events, data.content, data.items)
    path = work / f"{request.run_id}-{fingerprint[:16]}.json"

    def told(count: int) -> None:
        if stop.is_set():
            raise _Cancelled
        context.report_progress(min(1.0, count / _FITS), checkpoint=str(path))

    journal = open_journal(path, told=told)
    trained = train_recommender(
        data.events, data.content, data.items, seed=request.seed, encoder=encoder, journal=journal
    )
    path.unlink(missing_ok=True)
    return trained
