"""AdamW with layer-wise rates, a linear schedule, and the running average of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rejoinder.models.adapters.full.method import layer_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from rejoinder.models.training.settings import TrainingSettings

HEAD = "head."
"""Names of the head's parameters begin with this."""


def make_optimiser(
    parameters: Mapping[str, torch.Tensor], settings: TrainingSettings, *, rate: float, layer_decay: float
) -> torch.optim.AdamW:
    """Make AdamW with one group for each parameter; `peak` of a group is its rate at the top of the schedule.

    Source: Loshchilov & Hutter 2019, AdamW (arXiv:1711.05101).
    """
    import torch

    top = max((layer_of(name) for name in parameters), default=-1)
    groups: list[dict[str, Any]] = []
    for name, weight in parameters.items():
        peak = settings.head_learning_rate if name.startswith(HEAD) else rate * layer_decay ** (top - layer_of(name))
        decay = settings.weight_decay if weight.ndim > 1 else 0.0
        groups.append({"params": [weight], "lr": peak, "peak": peak, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def set_rate(optimiser: torch.optim.Optimizer, step: int, total: int, warm_up_share: float) -> float:
    """Set the rates for a step (from 0): up in a line, down in a line; return the factor in (0, 1]."""
    warm_up = warm_up_share * total
    factor = min(1.0, (step + 1) / (warm_up + 1), max((total - step) / max(1.0, total - warm_up), 1e-6))
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * factor
    return factor


class Average:
    """Running average of weights: what is evaluated and kept instead of the last step's weights.

    Source: Polyak & Juditsky 1992; the warm-up (1 + t) / (10 + t) as in TensorFlow's ExponentialMovingAverage. Deviates less between
    seeds than the last weights.
    """

    def __init__(self, parameters: Mapping[str, torch.Tensor], decay: float) -> None:
        """Start at the weights as they are; `decay` 0 follows them exactly."""
        self._parameters = dict(parameters)
        self._decay = decay
        self.weights = {name: one.detach().clone() for name, one in parameters.items()}

    def update(self, step: int) -> None:
        """Take in the weights after a step (from 1)."""
        import torch

        decay = min(self._decay, (1 + step) / (10 + step)) if self._decay else 0.0
        current = [one.detach() for one in self._parameters.values()]
        torch._foreach_lerp_(list(self.weights.values()), current, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averages in the weights' place for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, weight in self._parameters.items():
            weight.data, self.weights[name] = self.weights[name], weight.data
