"""Heads that several objectives share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import nn

if TYPE_CHECKING:
    import torch

SCALE: Final = 16.0
"""Factor on the vectors, which have length 1: without it a linear head needs hundreds of steps to become sure of anything. The square
root of the dimension of a usual encoder, which is what a layer norm's outputs have."""

_DEVIATION: Final = 0.02


class ScaledLinear(nn.Module):
    """Linear scores of scaled inputs; `weight` and `bias` are those of the unscaled inputs."""

    def __init__(self, inputs: int, outputs: int, *, scale: float = SCALE) -> None:
        """Draw small weights from torch's generator."""
        super().__init__()
        self.scale = scale
        self.linear = nn.Linear(inputs, outputs)
        nn.init.normal_(self.linear.weight, std=_DEVIATION)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) of (..., inputs)."""
        scores: torch.Tensor = self.linear(x.float() * self.scale).float()
        return scores

    def arrays(self) -> dict[str, torch.Tensor]:
        """Return `weight` (outputs, inputs) and `bias` (outputs,), for inputs as they are."""
        return {"weight": self.linear.weight * self.scale, "bias": self.linear.bias}
