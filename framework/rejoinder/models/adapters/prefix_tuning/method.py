"""Prefix tuning through peft.

Source: Li & Liang 2021, Prefix-Tuning (arXiv:2101.00190); for encoders Liu et al. 2021, P-Tuning v2 (arXiv:2110.07602).
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from rejoinder.errors import SettingsError
from rejoinder.models.adapters.method import as_float32, write
from rejoinder.models.adapters.peft_model import PeftAttachment, inputs
from rejoinder.models.adapters.prefix_tuning.settings import PrefixTuningSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray


class PrefixTuning:
    """Puts learned keys and values before the text's own, in each layer; see `Method`."""

    name = "prefix_tuning"
    adapter_method = "prefix_tuning"
    settings = PrefixTuningSettings
    learning_rate = 1e-2
    layer_decay = 1.0
    averages = True

    def attach(
        self, model: torch.nn.Module, settings: PrefixTuningSettings, *, total_steps: int
    ) -> PrefixTuningAttachment:
        """Wrap the model; see `Method.attach`."""
        from peft import PrefixTuningConfig

        taken = inspect.signature(model.forward).parameters
        name = next((one for one in ("cache", "past_key_values") if one in taken), None)
        if name is None:
            raise SettingsError(
                f"prefix_tuning needs a model that takes keys and values from outside, and {type(model).__name__} does not: "
                "choose lora, adalora or full"
            )
        config = PrefixTuningConfig(
            task_type="FEATURE_EXTRACTION",
            num_virtual_tokens=settings.virtual_tokens,
            prefix_projection=settings.projection,
            encoder_hidden_size=settings.projection_size,
        )
        return PrefixTuningAttachment(model, config, name)


class PrefixTuningAttachment(PeftAttachment):
    """A base with a prefix. Positions of a text's tokens start after the prefix, as in peft."""

    def __init__(self, model: torch.nn.Module, config: Any, argument: str) -> None:
        """Wrap `model`, whose forward pass takes keys and values as `argument`; see `PeftAttachment`."""
        super().__init__(model, config)
        self._argument = argument
        # peft initialises as an embedding, with a deviation of 1: far above what keys and values of a trained model are.
        prompt: Any = self.model.prompt_encoder["default"]
        if not config.prefix_projection:
            prompt.embedding.weight.data.mul_(0.1)

    def states(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Run the base after the prefix; unlike peft's own forward pass, token types are kept."""
        import torch

        count = len(ids)
        before = torch.ones(count, self.config.num_virtual_tokens, dtype=mask.dtype, device=mask.device)
        arguments: dict[str, Any] = inputs(self.model, ids, torch.cat([before, mask], dim=1), types)
        arguments[self._argument] = self.model.get_prompt(count)
        found: torch.Tensor = self.model.get_base_model()(**arguments).last_hidden_state
        return found

    def extract(self) -> tuple[Mapping[str, NDArray[np.float32]], dict[str, Any]]:
        """Return the keys and values as one array (tokens, layers * 2 * dim); see `Adapter`."""
        prompt = self.model.get_prompt_embedding_to_save("default")
        settings = {
            name: getattr(self.config, name)
            for name in ("num_virtual_tokens", "num_layers", "num_attention_heads", "token_dim")
        }
        return {"prompt_embeddings": as_float32(prompt)}, settings

    def start_from(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Take over the keys and values; see `Attachment.start_from`."""
        if self.config.prefix_projection:
            raise SettingsError(
                "PrefixTuningSettings.projection is True: of such a prefix only the result is kept and not the network that made it, so "
                "that training cannot go on from it; start anew, or train without projection"
            )
        prompt: Any = self.model.prompt_encoder["default"]
        write(prompt.embedding.weight, arrays["prompt_embeddings"])
