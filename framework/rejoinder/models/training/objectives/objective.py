"""The seam between the training loop and a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from rejoinder.models.learner import Reads
    from rejoinder.models.training.base import Base
    from rejoinder.models.training.features import Feature, Read
    from rejoinder.payloads import Example


class Objective(Protocol):
    """What the loop needs to know of a task.

    Attributes:
        name: what it is called.
        reads: what its head reads, as of `Learner.reads`.
        metric: the name in `score`'s result by which training stops early; higher is better.
    """

    name: str
    reads: Reads
    metric: str

    def features(self, examples: Sequence[Example], base: Base) -> list[Feature]:
        """Turn examples into what the loop trains on; those that this task cannot use are left out.

        Raises:
            InvalidInputError: an example is not of this task's form, or its label is unknown; the message names the example.
        """

    def balanced(self, features: Sequence[Feature]) -> list[Feature]:
        """Return the same features with weights that make up for rare classes, as far as the task's settings ask for it."""

    def head(self, dim: int) -> torch.nn.Module:
        """Make a head for vectors or states of `dim` numbers; drawn from torch's generator."""

    def rows(self) -> Sequence[str]:
        """Return what each row of the head's parameters stands for, in order: what a later training knows them by."""

    def loss(self, head: torch.nn.Module, read: Read, features: Sequence[Feature]) -> torch.Tensor:
        """Return the loss of each feature, (n,), not weighted."""

    def predict(self, head: torch.nn.Module, read: Read) -> list[Any]:
        """Return what the head says of each feature, for `score`."""

    def score(self, predictions: Sequence[Any], features: Sequence[Feature]) -> dict[str, float]:
        """Compare predictions with targets."""

    def head_arrays(self, head: torch.nn.Module) -> dict[str, torch.Tensor]:
        """Return the head as the task's learner reads it."""

    def settings(self) -> Mapping[str, Any]:
        """Return, as JSON says it, what the head's columns mean and what else changes training."""
