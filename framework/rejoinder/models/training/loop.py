"""The training loop: one for all objectives and methods."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import InvalidInputError, SettingsError, TrainingCancelledError, TrainingError
from rejoinder.models.adapters.adapter import Adapter, make_adapter
from rejoinder.models.adapters.method import as_float32, find_method
from rejoinder.models.training.batches import epoch_batches, held_out_rows
from rejoinder.models.training.checkpoint import (
    Position,
    State,
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from rejoinder.models.training.hardware import find_hardware, is_out_of_memory
from rejoinder.models.training.progress import Progress
from rejoinder.models.training.settings import TrainingSettings
from rejoinder.models.training.warm_start import WarmStart, lineage_of, start_head, warm_start_of

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from rejoinder.models.training.base import Base
    from rejoinder.models.training.features import Feature
    from rejoinder.models.training.objectives.objective import Objective
    from rejoinder.models.training.scalars import Scalars
    from rejoinder.payloads import Example

CHECKPOINT: Final = "checkpoint"
"""Sub-folder of `work_dir`."""

_EVALUATION_ROWS: Final = 64
_SEED_STRIDE: Final = 1_000_003


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training made.

    Attributes:
        adapter: what changed in the encoder.
        head: the objective's head, as its learner reads it.
        head_settings: what the head's columns mean.
        metrics: `train_loss` (of the last epoch), `examples`, and of the held-out part what the objective scores and `loss`.
        seconds: wall time of this call.
        steps: optimiser steps, those before a resume included.
        held_out: places of the examples that were not trained on, with none of `dev` among them.
        warm_start: where a later training can go on.
    """

    adapter: Adapter
    head: Mapping[str, NDArray[np.float32]]
    head_settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    seconds: float
    steps: int
    held_out: tuple[int, ...]
    warm_start: WarmStart


def train(
    examples: Sequence[Example],
    objective: Objective,
    *,
    base: Base,
    method: str = "full",
    method_settings: Any = None,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    dev: Sequence[Example] | None = None,
    start: WarmStart | None = None,
    rehearsed: Collection[int] = (),
    work_dir: Path | None = None,
    resume: bool = False,
    report: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    scalars: Scalars | None = None,
) -> Trained:
    """Train an adapter, and the head on top of it.

    On a CPU the same examples, settings and seed give the same weights, whether or not training was interrupted and resumed between.

    Args:
        examples: what to learn.
        objective: what to learn it for.
        base: the encoder to adapt.
        method: a name in `METHODS`.
        method_settings: an instance of the method's settings; None: its defaults.
        settings: how to train; None: the defaults.
        seed: of weights, order and dropout, >= 0.
        dev: examples by which training stops early; None: `settings.dev_share` of `examples`.
        start: where an earlier training of the same lineage ended (`rejoinder.models.training.warm_start.lineage_of`); None: from the base.
        rehearsed: places of the examples that were learned before: half of each batch is drawn from them, the rest are all others.
        work_dir: where checkpoints go; None: none are written. The last is removed when training ends well.
        resume: go on from the checkpoint in `work_dir`, if there is one; otherwise one that is there is overwritten.
        report: called after each step.
        cancelled: asked before each step; when it says True, a checkpoint is written and training stops.
        scalars: where loss, rate and metrics are written.

    Raises:
        InvalidInputError: no example can be used, or one is wrong.
        SettingsError: method or settings are wrong, or `start` is of another lineage.
        TrainingCancelledError: `cancelled` said so.
        TrainingError: the loss is no longer finite, memory does not hold one example, or the checkpoint is of another run.
    """
    import torch

    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):  # what else draws random numbers in this process is left alone
        run = _Run(
            examples,
            objective,
            base,
            method,
            method_settings,
            settings or TrainingSettings(),
            seed,
            dev,
            start,
            rehearsed,
        )
        run.checkpoint = Path(work_dir) / CHECKPOINT if work_dir is not None else None
        run.report, run.cancelled, run.scalars = report, cancelled, scalars
        return run.train(resume=resume)


class _Run:
    """One run; the methods in the order in which they are called."""

    def __init__(
        self,
        examples: Sequence[Example],
        objective: Objective,
        base: Base,
        method: str,
        method_settings: Any,
        settings: TrainingSettings,
        seed: int,
        dev: Sequence[Example] | None,
        start: WarmStart | None,
        rehearsed: Collection[int],
    ) -> None:
        import torch

        from rejoinder.models.training.network import Network
        from rejoinder.models.training.optimiser import Average, make_optimiser

        self.started = time.perf_counter()
        self.objective, self.base, self.settings, self.seed = objective, base, settings, seed
        self.method = find_method(method)
        self.method_settings = method_settings if method_settings is not None else self.method.settings()
        self.hardware = find_hardware(settings)
        self.checkpoint: Path | None = None
        self.report: Callable[[Progress], None] | None = None
        self.cancelled: Callable[[], bool] | None = None
        self.scalars: Scalars | None = None

        self.features, self.dev, self.held_out = self._split(examples, dev)
        self.start = start
        old = frozenset(rehearsed)
        self.rehearsed = [row for row, one in enumerate(self.features) if one.example in old]
        per_epoch = len(self._batches(0))
        self.total = per_epoch * settings.epochs
        torch.manual_seed(seed)
        attachment = self.method.attach(base.model(), self.method_settings, total_steps=self.total)
        self.network = Network(attachment, objective, base)
        if start is not None:
            self._begin_at(start)
        self.network.to(self.hardware.device)
        self.parameters = {name: one for name, one in self.network.named_parameters() if one.requires_grad}
        rate = settings.learning_rate or self.method.learning_rate
        decay = settings.layer_decay or self.method.layer_decay
        self.optimiser = make_optimiser(self.parameters, settings, rate=rate, layer_decay=decay)
        self.average = Average(self.parameters, settings.average_decay if self.method.averages else 0.0)
        self.best: dict[str, torch.Tensor] = {}
        self.at = Position(micro_rows=settings.batch_size)
        self.forward = self.hardware.wrap(self.network)

    def _begin_at(self, start: WarmStart) -> None:
        own = self._lineage()
        unlike = [name for name, one in own.items() if start.lineage.get(name) != one]
        if unlike:
            told = "; ".join(f"{name} was {start.lineage.get(name)!r} and is {own[name]!r}" for name in unlike)
            raise SettingsError(f"training cannot go on from a model of another lineage: {told}. Start anew")
        self.network.attachment.start_from(start.adapter.arrays)
        start_head(self.network.head, self.objective.rows(), start)

    def _lineage(self) -> dict[str, Any]:
        return lineage_of(self.base, self.method.name, self.method_settings, self.objective)

    def _split(
        self, examples: Sequence[Example], dev: Sequence[Example] | None
    ) -> tuple[list[Feature], list[Feature], tuple[int, ...]]:
        """Return what to train on, what to evaluate on, and which examples the latter took from `examples`."""
        features = self.objective.features(examples, self.base)
        if not features:
            raise InvalidInputError(
                f"nothing to learn from: none of {len(examples)} examples can be used for {self.objective.name} (each needs a text, what "
                "the task wants to know of it, and a weight above 0)"
            )
        if dev is not None:
            return self.objective.balanced(features), self.objective.features(dev, self.base), ()
        groups, sources = [one.group for one in features], [one.example for one in features]
        out = set(held_out_rows(groups, sources, self.settings.dev_share, seed=self.seed))
        kept = [one for row, one in enumerate(features) if row not in out]
        held = [one for row, one in enumerate(features) if row in out]
        return self.objective.balanced(kept), held, tuple(sorted({one.example for one in held}))

    def _batches(self, epoch: int) -> list[list[int]]:
        return epoch_batches(
            [one.length for one in self.features],
            self.settings.batch_size,
            seed=self.seed,
            epoch=epoch,
            rehearsed=self.rehearsed,
            groups=[one.group for one in self.features],
        )

    def train(self, *, resume: bool) -> Trained:
        if resume and self.checkpoint is not None:
            self._resume(self.checkpoint)
        self.network.train()
        while self.at.epoch < self.settings.epochs and not self._stale():
            batches = self._batches(self.at.epoch)
            while self.at.batch < len(batches):
                self._check_cancelled()
                self._step(batches[self.at.batch])
                every = self.settings.checkpoint_steps
                if every is not None and self.at.step % every == 0:
                    self._save()
            self.at.epoch, self.at.batch = self.at.epoch + 1, 0
            self._evaluate()
            if self.settings.checkpoint_steps is None:
                self._save()
        return self._finish()

    def _stale(self) -> bool:
        return self.settings.patience is not None and self.at.stale >= self.settings.patience

    def _check_cancelled(self) -> None:
        if self.cancelled is not None and self.cancelled():
            self._save()
            where = f"; resume from {self.checkpoint}" if self.checkpoint else ""
            raise TrainingCancelledError(
                f"training was cancelled after step {self.at.step} of {self.total}{where}",
                step=self.at.step,
                checkpoint=str(self.checkpoint) if self.checkpoint else None,
            )

    def _step(self, rows: Sequence[int]) -> None:
        """One optimiser step; of a batch that memory does not hold, smaller parts are run one after another."""
        import torch

        from rejoinder.models.training.optimiser import set_rate

        factor = set_rate(self.optimiser, self.at.step, self.total, self.settings.warm_up_share)
        loss = self._gradients(rows)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.clip_norm)
        if not math.isfinite(loss) or not math.isfinite(float(norm)):
            self._stop_at_nonsense(loss)
        self.optimiser.step()
        self.at.step += 1
        self.at.batch += 1
        self.network.attachment.after_step(self.at.step)
        self.optimiser.zero_grad(set_to_none=True)
        self.average.update(self.at.step)
        if self.at.batch == 1:
            self.at.losses, self.at.loss_steps = 0.0, 0
        self.at.losses += loss
        self.at.loss_steps += 1
        self._tell(loss, factor)

    def _gradients(self, rows: Sequence[int]) -> float:
        """Run forward and backward over a batch and return its loss, halving what is run at once until memory holds it."""
        import torch

        while True:
            # Dropout depends on the step alone, so that it is the same after a resume.
            torch.manual_seed(self.seed * _SEED_STRIDE + self.at.step)
            try:
                return self._run_parts(self.hardware.own(rows))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(min(self.at.micro_rows, len(rows)), error)

    def _run_parts(self, rows: Sequence[int]) -> float:
        import torch

        features = [self.features[row] for row in rows]
        weight = torch.tensor(sum(one.weight for one in features), device=self.hardware.device)
        weight = self.hardware.total(weight)
        size = self.at.micro_rows
        total = torch.zeros((), device=self.hardware.device)
        for start in range(0, len(features), size):
            part = features[start : start + size]
            with self.hardware.precision():
                loss: torch.Tensor = self.forward(part) / weight
            self.hardware.backward(loss + self._penalty(len(part) / len(features)))
            total += loss.detach()
        return float(self.hardware.total(total))

    def _penalty(self, share: float) -> torch.Tensor | float:
        """The method's own addition to the loss, shared out over the parts of a batch."""
        found = self.network.attachment.penalty()
        return found * share if found is not None else 0.0

    def _halve(self, rows: int, error: BaseException) -> None:
        import torch

        self.optimiser.zero_grad(set_to_none=True)
        if self.hardware.device.type == "cuda":
            torch.cuda.empty_cache()
        if rows <= 1 or not self.hardware.can_halve():
            hint = "choose a smaller encoder" if rows <= 1 else "choose a smaller batch_size"
            raise self._error(
                f"memory ran out at step {self.at.step + 1} with {rows} examples at once: {hint}"
            ) from error
        self.at.micro_rows = rows // 2

    def _stop_at_nonsense(self, loss: float) -> None:
        raise self._error(
            f"the loss or its gradient is no longer a finite number at step {self.at.step + 1} of {self.total} (loss {loss}): choose a "
            "lower learning_rate, or look for examples with extreme weights"
        )

    def _error(self, message: str) -> TrainingError:
        from rejoinder.models.artefact import MANIFEST

        saved = self.checkpoint if self.checkpoint is not None and (self.checkpoint / MANIFEST).is_file() else None
        last = f"the last good checkpoint is {saved}" if saved else "no checkpoint was written"
        return TrainingError(f"{message}; {last}", step=self.at.step, checkpoint=str(saved) if saved else None)

    def _tell(self, loss: float, factor: float) -> None:
        if not self.hardware.main:
            return
        if self.scalars is not None:
            self.scalars.add("train/loss", loss, self.at.step)
            self.scalars.add("train/rate", self.optimiser.param_groups[0]["peak"] * factor, self.at.step)
        if self.report is not None:
            self.report(
                Progress(
                    step=self.at.step,
                    total=self.total,
                    epoch=self.at.epoch + 1,
                    loss=loss,
                    metric=(self.at.best_metrics or {}).get(self.objective.metric),
                    batch_rows=self.at.micro_rows,
                )
            )

    def _evaluate(self) -> None:
        """Score the averaged weights on the held-out part; keep them if they are the best so far and the best are wanted."""
        if not self.dev:
            return
        metrics = self._score()
        for name, value in metrics.items():
            if self.scalars is not None and self.hardware.main:
                self.scalars.add(f"dev/{name}", value, self.at.step)
        if self.settings.patience is None:
            self.at.best_metrics = metrics
            return
        rank = (metrics[self.objective.metric], -metrics["loss"])
        if self.at.best is None or rank > self.at.best:
            self.at.best, self.at.best_metrics, self.at.stale = rank, metrics, 0
            self.best = {name: one.clone() for name, one in self.average.weights.items()}
        else:
            self.at.stale += 1

    def _score(self) -> dict[str, float]:
        import torch

        order = sorted(range(len(self.dev)), key=lambda row: self.dev[row].length)
        features = [self.dev[row] for row in order]
        said: list[Any] = []
        loss = 0.0
        self.network.eval()
        with self.average.applied(), torch.inference_mode():
            for start in range(0, len(features), _EVALUATION_ROWS):
                part = features[start : start + _EVALUATION_ROWS]
                with self.hardware.precision():
                    read = self.network.read(part)
                said += self.objective.predict(self.network.head, read)
                loss += float(self.objective.loss(self.network.head, read, part).sum())
        self.network.train()
        return {**self.objective.score(said, features), "loss": loss / len(features)}

    def _finish(self) -> Trained:
        import torch

        kept = self.best or self.average.weights
        with torch.no_grad():
            for name, weight in self.parameters.items():
                weight.copy_(kept[name])
        self.network.eval()
        arrays, adapter_settings = self.network.attachment.extract()
        adapter = make_adapter(
            method=self.method.adapter_method,
            base_hash=self.base.hash,
            arrays=arrays,
            settings={"trained_as": self.method.name, **adapter_settings},
        )
        if self.checkpoint is not None and self.hardware.main:
            remove_checkpoint(self.checkpoint)
        head = self.objective.head_arrays(self.network.head)
        metrics = {
            "examples": float(len({one.example for one in self.features})),
            "train_loss": self.at.losses / self.at.loss_steps,
            **(self.at.best_metrics or {}),
        }
        return Trained(
            adapter=adapter,
            head={name: as_float32(one) for name, one in head.items()},
            head_settings=self.objective.settings(),
            metrics=metrics,
            seconds=time.perf_counter() - self.started,
            steps=self.at.step,
            held_out=self.held_out,
            warm_start=warm_start_of(self._lineage(), adapter, self.network.head, self.objective.rows()),
        )

    def _state(self) -> State:
        return State(
            weights=self.parameters,
            averages=self.average.weights,
            best=self.best,
            optimiser=self.optimiser,
            method=self.network.attachment.arrays(),
        )

    def _save(self) -> None:
        if self.checkpoint is not None and self.hardware.main:
            save_checkpoint(self.checkpoint, self._state(), self.at, fingerprint=self._fingerprint())

    def _resume(self, folder: Path) -> None:
        found = load_checkpoint(folder, self._state(), fingerprint=self._fingerprint())
        if found is not None:
            self.at, method = found
            self.network.attachment.restore(method)

    def _fingerprint(self) -> str:
        """What must be the same for a resumed run to end where an uninterrupted one does."""
        said = [
            self.base.hash,
            self.method.name,
            asdict(self.method_settings),
            asdict(self.settings),
            self.objective.name,
            dict(self.objective.settings()),
            self.seed,
            None if self.start is None else self.start.adapter.id,
            self.rehearsed,
            [[[row.ids for row in one.rows], one.target, one.weight] for one in (*self.features, *self.dev)],
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
