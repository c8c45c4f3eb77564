"""Settings of prefix tuning."""

from __future__ import annotations

from dataclasses import dataclass

from rejoinder.models.adapters.method import check_setting


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixTuningSettings:
    """Settings of prefix tuning.

    Attributes:
        virtual_tokens: keys and values put before those of the text in each layer, >= 1.
        projection: train them through a two-layer network, as in the paper's section 4.3; only its results are kept. Steadier on larger
            models; P-Tuning v2 (arXiv:2110.07602, section 3.2) found that it helps some tasks and hurts others.
        projection_size: hidden units of that network, >= 1.
    """

    virtual_tokens: int = 16
    projection: bool = False
    projection_size: int = 256

    def __post_init__(self) -> None:
        """Check ranges."""
        check_setting(self, "virtual_tokens", self.virtual_tokens >= 1, "a whole number >= 1")
        check_setting(self, "projection_size", self.projection_size >= 1, "a whole number >= 1")
