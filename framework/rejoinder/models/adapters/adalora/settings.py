"""Settings of AdaLoRA."""

from __future__ import annotations

from dataclasses import dataclass

from rejoinder.models.adapters.lora.settings import ALL_LINEAR
from rejoinder.models.adapters.method import check_setting


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaLoRASettings:
    """Settings of AdaLoRA; names as in the paper's section 4 and in peft.

    Attributes:
        target_rank: mean rank of the updates at the end, >= 1.
        initial_rank: rank of each update at the start, above `target_rank`; half more than it is usual.
        alpha: an update is multiplied by alpha / initial_rank, > 0. peft's AdaLoRA divides by the rank at the start, too.
        dropout: share in [0, 1) of a layer's inputs that its update does not see.
        target_modules: as for LoRA.
        warm_up_share: share in [0, 1) of the steps before any rank is taken away (the paper's t_i).
        final_share: share in [0, 1) of the steps after the last one is (t_f); with `warm_up_share` below 1.
        interval_steps: steps from one sharing out to the next, >= 1 (delta T).
        beta1, beta2: smoothing of sensitivity and uncertainty, in (0, 1); 0.85 as in the paper.
        orthogonal_weight: weight of the penalty that keeps the singular vectors orthogonal, >= 0 (gamma).
    """

    target_rank: int = 8
    initial_rank: int = 12
    alpha: float = 32.0
    dropout: float = 0.05
    target_modules: tuple[str, ...] | str = ALL_LINEAR
    warm_up_share: float = 0.15
    final_share: float = 0.4
    interval_steps: int = 10
    beta1: float = 0.85
    beta2: float = 0.85
    orthogonal_weight: float = 0.1

    def __post_init__(self) -> None:
        """Check ranges."""
        check_setting(self, "target_rank", self.target_rank >= 1, "a whole number >= 1")
        check_setting(self, "initial_rank", self.initial_rank > self.target_rank, "more than target_rank")
        check_setting(self, "alpha", self.alpha > 0, "a number above 0")
        check_setting(self, "dropout", 0 <= self.dropout < 1, "a number in [0, 1)")
        check_setting(self, "warm_up_share", 0 <= self.warm_up_share < 1, "a number in [0, 1)")
        rest = 1 - self.warm_up_share
        check_setting(
            self, "final_share", 0 <= self.final_share < rest, f"a number in [0, {rest:g}), what warm-up leaves"
        )
        check_setting(self, "interval_steps", self.interval_steps >= 1, "a whole number >= 1")
        check_setting(self, "beta1", 0 < self.beta1 < 1, "a number in (0, 1)")
        check_setting(self, "beta2", 0 < self.beta2 < 1, "a number in (0, 1)")
        check_setting(self, "orthogonal_weight", self.orthogonal_weight >= 0, "a number >= 0")
