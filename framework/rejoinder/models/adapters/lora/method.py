"""LoRA through peft.

Source: Hu et al. 2021, LoRA (arXiv:2106.09685).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rejoinder.models.adapters.lora.settings import LoRASettings
from rejoinder.models.adapters.method import as_float32, write
from rejoinder.models.adapters.peft_model import NOT_READ, PREFIX, PeftAttachment, factors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray


class LoRA:
    """Adds B A x * scaling to linear layers; see `Method`."""

    name = "lora"
    adapter_method = "lora"
    settings = LoRASettings
    learning_rate = 2e-3
    layer_decay = 1.0
    averages = True

    def attach(self, model: torch.nn.Module, settings: LoRASettings, *, total_steps: int) -> LoRAAttachment:
        """Put the factors into the model; see `Method.attach`."""
        from peft import LoraConfig

        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft takes any number
            lora_dropout=settings.dropout,
            target_modules=peft_targets(settings.target_modules),
            exclude_modules=NOT_READ,
            use_rslora=settings.rank_stabilised,
        )
        return LoRAAttachment(model, config)


class LoRAAttachment(PeftAttachment):
    """A base with LoRA layers."""

    def extract(self) -> tuple[Mapping[str, NDArray[np.float32]], dict[str, Any]]:
        """Return the factors and their scalings; see `Adapter`."""
        arrays: dict[str, NDArray[np.float32]] = {}
        ranks: dict[str, int] = {}
        scaling: dict[str, float] = {}
        for name, module in factors(self.model).items():
            arrays[f"{PREFIX}{name}.lora_A.weight"] = as_float32(module.lora_A["default"].weight)
            arrays[f"{PREFIX}{name}.lora_B.weight"] = as_float32(module.lora_B["default"].weight)
            ranks[name] = int(module.r["default"])
            scaling[name] = float(module.scaling["default"])
        return arrays, lora_settings(self.config.r, self.config.lora_alpha, self.config.use_rslora, ranks, scaling)

    def start_from(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Take over the factors; see `Attachment.start_from`."""
        for name, module in factors(self.model).items():
            write(module.lora_A["default"].weight, arrays[f"{PREFIX}{name}.lora_A.weight"])
            write(module.lora_B["default"].weight, arrays[f"{PREFIX}{name}.lora_B.weight"])


def peft_targets(names: Sequence[str] | str) -> list[str] | str:
    """Return `target_modules` as peft wants it."""
    return names if isinstance(names, str) else list(names)


def lora_settings(
    rank: int, alpha: float, rank_stabilised: bool, ranks: Mapping[str, int], scaling: Mapping[str, float]
) -> dict[str, Any]:
    """Return the settings of an adapter of low-rank factors: peft's names and each module's scaling; see `Adapter.settings`.

    Args:
        rank: the one that most modules have.
        alpha: as in the method's settings.
        rank_stabilised: as in the method's settings.
        ranks: each module's, by its name in the base.
        scaling: what each module's B A is multiplied by.
    """
    return {
        "r": rank,
        "lora_alpha": alpha,
        "use_rslora": rank_stabilised,
        "target_modules": sorted(ranks),
        "rank_pattern": {name: one for name, one in sorted(ranks.items()) if one != rank},
        "alpha_pattern": {},
        "scaling": dict(sorted(scaling.items())),
    }
