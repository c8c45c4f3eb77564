"""AdaLoRA through peft; what it trained is exported as plain low-rank factors.

Source: Zhang et al. 2023, AdaLoRA (arXiv:2303.10512).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rejoinder.models.adapters.adalora.settings import AdaLoRASettings
from rejoinder.models.adapters.lora.method import lora_settings, peft_targets
from rejoinder.models.adapters.method import as_float32, write
from rejoinder.models.adapters.peft_model import NOT_READ, PREFIX, PeftAttachment, factors

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

_SCORES: Final = ("exp_avg_ipt", "exp_avg_unc")
_MASK: Final = "mask"


class AdaLoRA:
    """Adds P diag(L) Q x to linear layers and takes ranks from those that need them least; see `Method`."""

    name = "adalora"
    adapter_method = "lora"
    settings = AdaLoRASettings
    learning_rate = 4e-3
    layer_decay = 1.0
    averages = False  # it would give back, in part, the ranks that were taken away

    def attach(self, model: torch.nn.Module, settings: AdaLoRASettings, *, total_steps: int) -> AdaLoRAAttachment:
        """Put the factors into the model; see `Method.attach`."""
        from peft import AdaLoraConfig

        # peft's allocator needs at least one step between the shares.
        steps = max(3, total_steps)
        first = int(settings.warm_up_share * steps)
        config = AdaLoraConfig(
            target_r=settings.target_rank,
            init_r=settings.initial_rank,
            lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft takes any number
            lora_dropout=settings.dropout,
            target_modules=peft_targets(settings.target_modules),
            exclude_modules=NOT_READ,
            tinit=first,
            tfinal=min(int(settings.final_share * steps), steps - first - 1),
            deltaT=settings.interval_steps,
            beta1=settings.beta1,
            beta2=settings.beta2,
            orth_reg_weight=settings.orthogonal_weight or 1e-12,  # peft refuses 0; `penalty` is our own
            total_step=steps,
        )
        return AdaLoRAAttachment(model, config, settings)


class AdaLoRAAttachment(PeftAttachment):
    """A base with AdaLoRA layers."""

    def __init__(self, model: torch.nn.Module, config: Any, settings: AdaLoRASettings) -> None:
        """Wrap `model`; see `PeftAttachment`."""
        super().__init__(model, config)
        self._weight = settings.orthogonal_weight
        self._allocator: Any = self.model.base_model.rankallocator

    def penalty(self) -> torch.Tensor | None:
        """Return the mean of ||P'P - I|| and ||QQ' - I|| over all layers, weighted (the paper's R, equation 4)."""
        import torch

        if not self._weight:
            return None
        parts = []
        for module in factors(self.model).values():
            left, right = module.lora_B["default"], module.lora_A["default"]
            one = torch.eye(right.shape[0], device=right.device)
            parts += [torch.linalg.matrix_norm(left.T @ left - one), torch.linalg.matrix_norm(right @ right.T - one)]
        return self._weight * torch.stack(parts).mean() if parts else None

    def after_step(self, step: int) -> None:
        """Score the singular values and take away those that the budget does not hold (the paper's algorithm 1)."""
        self.model.base_model.update_and_allocate(step)

    def arrays(self) -> dict[str, torch.Tensor]:
        """Return the smoothed scores and the last mask."""
        import torch

        found = {f"{kind}:{name}": one for kind in _SCORES for name, one in getattr(self._allocator, kind).items()}
        for name, mask in (self.config.rank_pattern or {}).items():
            found[f"{_MASK}:{name}"] = torch.tensor(mask, dtype=torch.uint8)
        return found

    def restore(self, arrays: Mapping[str, torch.Tensor]) -> None:
        """Take back the smoothed scores and the last mask."""
        import torch

        masks: dict[str, list[bool]] = {}
        for key, one in arrays.items():
            kind, _, name = key.partition(":")
            if kind == _MASK:
                masks[name] = one.bool().tolist()
            else:
                getattr(self._allocator, kind)[name] = one
                self._allocator.ipt[name] = torch.zeros_like(one)  # made anew each step; peft looks whether it is there
        self.config.rank_pattern = masks or None

    def extract(self) -> tuple[Mapping[str, NDArray[np.float32]], dict[str, Any]]:
        """Return plain low-rank factors: singular values folded into A, ranks that were taken away left out."""
        arrays: dict[str, NDArray[np.float32]] = {}
        ranks: dict[str, int] = {}
        scaling: dict[str, float] = {}
        for name, module in factors(self.model).items():
            values = module.lora_E["default"]
            kept = values[:, 0] != 0
            if not bool(kept.any()):
                continue
            arrays[f"{PREFIX}{name}.lora_A.weight"] = as_float32((module.lora_A["default"] * values)[kept])
            arrays[f"{PREFIX}{name}.lora_B.weight"] = as_float32(module.lora_B["default"][:, kept])
            ranks[name] = int(kept.sum())
            # As peft computes it, with its guard against a division by 0.
            scaling[name] = float(module.scaling["default"]) / (float(module.ranknum["default"]) + 1e-5)
        settings = lora_settings(self.config.target_r, self.config.lora_alpha, False, ranks, scaling)
        # peft scales by alpha / rank, so that a module's alpha must say what makes the same scaling of its own rank.
        settings["alpha_pattern"] = {name: scaling[name] * ranks[name] for name in settings["target_modules"]}
        return arrays, settings

    def start_from(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Take over the factors, and as singular values the lengths of the rows of A, which are close to orthonormal without them.

        Ranks that were taken away start anew, at singular value 0. See `Attachment.start_from`.
        """
        import numpy as np

        for name, module in factors(self.model).items():
            right = arrays.get(f"{PREFIX}{name}.lora_A.weight")
            if right is None:  # all ranks of this layer were taken away
                continue
            left = arrays[f"{PREFIX}{name}.lora_B.weight"]
            kept, values = len(right), np.linalg.norm(right, axis=1, keepdims=True)
            write(module.lora_A["default"][:kept], right / np.maximum(values, np.finfo(np.float32).tiny))
            write(module.lora_E["default"][:kept], values)
            write(module.lora_B["default"][:, :kept], left)
