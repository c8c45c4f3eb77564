"""Settings of full fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from rejoinder.models.adapters.method import check_setting


@dataclass(frozen=True, slots=True, kw_only=True)
class FullSettings:
    """Settings of full fine-tuning.

    Attributes:
        freeze_embeddings: leave the embedding tables as they are. In small encoders they are half of the weights and more; few words of
            a training set occur often enough to move theirs, and a version on disk is half the size.
        freeze_layers: the lowest layers that stay as they are, >= 0.
        dropout: share in [0, 1) of hidden units dropped while training; None: as the model's own configuration says.
    """

    freeze_embeddings: bool = True
    freeze_layers: int = 0
    dropout: float | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        check_setting(self, "freeze_layers", self.freeze_layers >= 0, "a whole number >= 0")
        check_setting(self, "dropout", self.dropout is None or 0 <= self.dropout < 1, "a number in [0, 1)")
