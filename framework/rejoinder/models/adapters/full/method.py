"""Full fine-tuning, which needs no peft."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import SettingsError
from rejoinder.models.adapters.full.settings import FullSettings
from rejoinder.models.adapters.method import as_float32, write
from rejoinder.models.adapters.peft_model import NOT_READ, inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

_LAYER: Final = re.compile(r"\blayers?\.(\d+)\.")


class Full:
    """Trains the encoder's own weights; see `Method`."""

    name = "full"
    adapter_method = "full"
    settings = FullSettings
    learning_rate = 2e-4
    layer_decay = 0.9
    averages = True

    def attach(self, model: torch.nn.Module, settings: FullSettings, *, total_steps: int) -> FullAttachment:
        """Mark what is trained; see `Method.attach`."""
        import torch

        layers = 1 + max((layer_of(name) for name, _ in model.named_parameters()), default=-1)
        if settings.freeze_layers > layers:
            raise SettingsError(
                f"FullSettings.freeze_layers is {settings.freeze_layers}, but {type(model).__name__} has {layers} layers"
            )
        for name, weight in model.named_parameters():
            layer = layer_of(name)
            frozen = settings.freeze_embeddings if layer < 0 else layer < settings.freeze_layers
            weight.requires_grad_(not frozen and not re.fullmatch(NOT_READ, name))
        if settings.dropout is not None:
            for module in model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = settings.dropout
        return FullAttachment(model)


class FullAttachment:
    """A base whose own weights are trained; see `Attachment`."""

    def __init__(self, model: torch.nn.Module) -> None:
        """Take a model whose trainable weights are marked."""
        self.model = model

    def states(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Run the model; see `Attachment.states`."""
        found: torch.Tensor = self.model(**inputs(self.model, ids, mask, types)).last_hidden_state
        return found

    def penalty(self) -> torch.Tensor | None:
        """Return None."""
        return None

    def after_step(self, step: int) -> None:
        """Do nothing."""

    def arrays(self) -> dict[str, torch.Tensor]:
        """Return nothing: the parameters are all there is."""
        return {}

    def restore(self, arrays: Mapping[str, torch.Tensor]) -> None:
        """Do nothing."""

    def extract(self) -> tuple[Mapping[str, NDArray[np.float32]], dict[str, Any]]:
        """Return the weights that were trained, named as in the base."""
        arrays = {name: as_float32(one) for name, one in self.model.named_parameters() if one.requires_grad}
        return arrays, {}

    def start_from(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Take over the weights; see `Attachment.start_from`."""
        for name, weight in self.model.named_parameters():
            if weight.requires_grad:
                write(weight, arrays[name])


def layer_of(name: str) -> int:
    """Return the number of the layer that a weight belongs to, from 0; -1 for the embeddings and all outside the layers.

    Example:
        >>> layer_of("encoder.layer.3.attention.self.query.weight"), layer_of("embeddings.LayerNorm.bias")
        (3, -1)
    """
    found = _LAYER.search(name)
    return int(found.group(1)) if found else -1
