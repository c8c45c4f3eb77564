"""One label of several, told by the cosine to each label's own vector: learns from a handful of examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from torch import nn

from rejoinder.models.training.objectives.classification import Classification

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from rejoinder.payloads import Example

    Floats = NDArray[np.float32]

SHARPNESS: Final = 20.0
"""Factor on the cosines, the inverse of the temperature 0.05 that sentence encoders are trained with (Gao et al. 2021, SimCSE)."""


class CosineHead(nn.Module):
    """Scores are cosines to one vector for each label, times `SHARPNESS`."""

    def __init__(self, prototypes: Floats) -> None:
        """Start from `prototypes`, (n_labels, dim)."""
        import torch

        super().__init__()
        self.prototypes = nn.Parameter(torch.tensor(prototypes, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, n_labels) of vectors (n, dim) with length 1."""
        return SHARPNESS * x.float() @ nn.functional.normalize(self.prototypes, dim=1).T

    def arrays(self) -> dict[str, torch.Tensor]:
        """Return `weight` (n_labels, dim) and `bias` (n_labels,)."""
        weight = SHARPNESS * nn.functional.normalize(self.prototypes, dim=1)
        return {"weight": weight, "bias": weight.new_zeros(len(weight))}


class PrototypeClassification(Classification):
    """Cross-entropy over cosines to label vectors that start at the means of the labels' examples.

    A head that starts at random would first have to find what the frozen encoder knows already, and with five examples a label it
    pulls the encoder along while it does.

    Args:
        labels: all labels, in the order of `prototypes`.
        prototypes: (n_labels, dim) float32.

    Source: Snell et al. 2017, Prototypical networks for few-shot learning (arXiv:1703.05175), here as the start of a trained head.
    """

    name = "prototype classification"

    def __init__(self, labels: Sequence[str], prototypes: Floats, **options: Any) -> None:
        """Fix labels and start; see the class for arguments."""
        super().__init__(labels, **options)
        self._prototypes = prototypes

    @classmethod
    def around(cls, examples: Sequence[Example], vectors: Floats, **options: Any) -> PrototypeClassification:
        """Make one that starts from the vectors (n, dim) of the examples that have a label."""
        import numpy as np

        labels = sorted({one.label for one in examples if one.label is not None and one.weight > 0})
        column_of = {label: column for column, label in enumerate(labels)}
        sums = np.zeros((len(labels), vectors.shape[1]), dtype=np.float32)
        for example, vector in zip(examples, vectors, strict=True):
            if example.label in column_of and example.polarity != "negative":
                sums[column_of[example.label]] += vector
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        return cls(labels, sums / np.maximum(norms, 1e-12), **options)

    def head(self, dim: int) -> CosineHead:  # type: ignore[override]  # both are modules with `arrays`
        """A head that starts at the prototypes; see `Objective.head`."""
        return CosineHead(self._prototypes)
