"""Encoder, method and head as one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from rejoinder.models.training.features import Read, collate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from rejoinder.models.adapters.method import Attachment
    from rejoinder.models.training.base import Base
    from rejoinder.models.training.features import Feature
    from rejoinder.models.training.objectives.objective import Objective


class Network(nn.Module):
    """From features to their loss; its parameters are `encoder.*` and `head.*`."""

    def __init__(self, attachment: Attachment, objective: Objective, base: Base) -> None:
        """Put the parts together; the head is drawn from torch's generator."""
        super().__init__()
        self.attachment = attachment
        self.encoder = attachment.model
        self.head = objective.head(base.dim)
        self._objective, self._base = objective, base

    def read(self, features: Sequence[Feature]) -> Read:
        """Encode features; see `Read`."""
        device = next(self.head.parameters()).device
        texts = len(features[0].rows)
        inputs = collate(features, pad=self._base.pad, device=device)
        states = self.attachment.states(inputs.ids, inputs.mask, inputs.types).float()
        vectors = self._base.pooling.pool(states, inputs.mask)
        return Read(vectors.view(texts, len(features), -1), states, inputs.mask)

    def forward(self, features: Sequence[Feature]) -> torch.Tensor:
        """Return the weighted sum of the features' losses."""
        import torch

        losses = self._objective.loss(self.head, self.read(features), features)
        weights = torch.tensor([one.weight for one in features], device=losses.device)
        return (losses * weights).sum()
