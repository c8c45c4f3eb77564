"""Checkpoints: all that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import TrainingError
from rejoinder.models.adapters.method import as_float32
from rejoinder.models.artefact import MANIFEST, load_artefact, save_artefact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

KIND: Final = "training_checkpoint/1"

_WEIGHTS, _AVERAGES, _BEST, _METHOD, _MOMENTS = "weights/", "average/", "best/", "method/", "adam/"
_MOMENT_NAMES: Final = ("exp_avg", "exp_avg_sq")


@dataclass(slots=True, kw_only=True)
class Position:
    """Where a run is.

    Attributes:
        step: optimiser steps done.
        epoch: the epoch under way, from 0.
        batch: batches of it that are done.
        micro_rows: features run at once.
        best: the best metric so far, and minus the loss, which decides ties; None before the first evaluation.
        best_metrics: all metrics then.
        stale: evaluations since.
        losses: sum of the losses of the epoch under way (when it is over: of the last one).
        loss_steps: steps in `losses`.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    micro_rows: int = 1
    best: tuple[float, float] | None = None
    best_metrics: dict[str, float] | None = None
    stale: int = 0
    losses: float = 0.0
    loss_steps: int = 0


@dataclass(slots=True, kw_only=True)
class State:
    """What changes while training.

    Attributes:
        weights: the trained parameters, by name; loading writes into them.
        averages: their running averages.
        best: the averages at the best evaluation; {} before the first.
        optimiser: has one group for each of `weights`, in order.
        method: what the method keeps beside its parameters.
    """

    weights: Mapping[str, torch.Tensor]
    averages: dict[str, torch.Tensor]
    best: dict[str, torch.Tensor]
    optimiser: torch.optim.AdamW
    method: Mapping[str, torch.Tensor]


def save_checkpoint(folder: Path, state: State, position: Position, *, fingerprint: str) -> None:
    """Write beside and rename; see `save_artefact`.

    Args:
        folder: of this run's checkpoint.
        state: what changes.
        position: where the run is.
        fingerprint: what the run is of; `load_checkpoint` refuses another.
    """
    tensors: dict[str, torch.Tensor] = {}
    for prefix, named in (
        (_WEIGHTS, state.weights),
        (_AVERAGES, state.averages),
        (_BEST, state.best),
        (_METHOD, state.method),
    ):
        tensors |= {f"{prefix}{name}": one for name, one in named.items()}
    for name, weight in state.weights.items():
        moments = state.optimiser.state.get(weight, {})
        tensors |= {f"{_MOMENTS}{one}/{name}": moments[one] for one in _MOMENT_NAMES if one in moments}
    settings = {"fingerprint": fingerprint, "position": asdict(position)}
    save_artefact(folder, kind=KIND, arrays={name: as_float32(one) for name, one in tensors.items()}, settings=settings)


def load_checkpoint(folder: Path, state: State, *, fingerprint: str) -> tuple[Position, dict[str, torch.Tensor]] | None:
    """Read what `save_checkpoint` wrote into `state`, in place.

    Returns:
        Where the run was and what the method kept; None where there is no checkpoint.

    Raises:
        ModelIntegrityError: it is damaged; the message names the file.
        TrainingError: it is of another run: other examples, settings, seed, base or method.
    """
    import torch

    if not (folder / MANIFEST).is_file():
        return None
    arrays, settings = load_artefact(folder, kind=KIND)
    if settings["fingerprint"] != fingerprint:
        raise TrainingError(
            f"the checkpoint in {folder} is of another run (examples, settings, seed, encoder or method differ): "
            "remove it, or resume with what it was started with"
        )
    device = next(iter(state.weights.values())).device
    tensors = {name: torch.tensor(array, device=device) for name, array in arrays.items()}
    position = _position(settings["position"])
    for name, weight in state.weights.items():
        weight.data.copy_(tensors[f"{_WEIGHTS}{name}"])
        state.averages[name] = tensors[f"{_AVERAGES}{name}"]
        if f"{_BEST}{name}" in tensors:
            state.best[name] = tensors[f"{_BEST}{name}"]
        if f"{_MOMENTS}{_MOMENT_NAMES[0]}/{name}" in tensors:
            moments: dict[str, Any] = {one: tensors[f"{_MOMENTS}{one}/{name}"] for one in _MOMENT_NAMES}
            state.optimiser.state[weight] = {"step": torch.tensor(float(position.step)), **moments}
    method = {name.removeprefix(_METHOD): one for name, one in tensors.items() if name.startswith(_METHOD)}
    return position, method


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint that is no longer needed; none there is fine."""
    shutil.rmtree(folder, ignore_errors=True)


def _position(found: Mapping[str, Any]) -> Position:
    best = found["best"]
    return Position(**{**found, "best": tuple(best) if best is not None else None})
