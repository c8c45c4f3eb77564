"""Settings of LoRA."""

from __future__ import annotations

from dataclasses import dataclass

from rejoinder.models.adapters.method import check_setting

ALL_LINEAR = "all-linear"
"""Value of `target_modules`: every linear layer of the encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoRASettings:
    """Settings of LoRA.

    Attributes:
        rank: of each update, >= 1; 8 as in peft.
        alpha: an update is multiplied by alpha / rank, > 0 (twice the rank is usual), or by alpha / sqrt(rank) with `rank_stabilised`.
        dropout: share in [0, 1) of a layer's inputs that its update does not see.
        target_modules: last parts of the names of linear layers to adapt, or "all-linear" (QLoRA, arXiv:2305.14314, found that all are
            needed to reach full fine-tuning). ("query", "value") serves faster and adapts less (LoRA, section 7.1).
        rank_stabilised: scale as rsLoRA does (arXiv:2312.03732), better for ranks above some 32.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.05
    target_modules: tuple[str, ...] | str = ALL_LINEAR
    rank_stabilised: bool = False

    def __post_init__(self) -> None:
        """Check ranges."""
        check_setting(self, "rank", self.rank >= 1, "a whole number >= 1")
        check_setting(self, "alpha", self.alpha > 0, "a number above 0")
        check_setting(self, "dropout", 0 <= self.dropout < 1, "a number in [0, 1)")
        names = (self.target_modules,) if isinstance(self.target_modules, str) else self.target_modules
        check_setting(self, "target_modules", bool(names) and all(names), "names of layers or 'all-linear'")
