"""Settings of the training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rejoinder.models.adapters.method import check_setting

Precision = Literal["auto", "float32", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How to train, whatever the task and the method.

    Attributes:
        epochs: most passes over the examples, >= 1.
        batch_size: examples for one optimiser step, >= 1. Memory that does not hold them halves what is run at once, not this.
        learning_rate: peak rate of the encoder's (or the adapter's) weights, > 0; None: the method's own.
        head_learning_rate: peak rate of the head, > 0.
        layer_decay: factor in (0, 1] on the rate from each layer to the one below it (Howard & Ruder 2018, arXiv:1801.06146, section
            3.2); None: the method's own.
        weight_decay: of matrices, >= 0.
        warm_up_share: share in [0, 1) of the steps in which the rate rises to its peak; it falls to 0 over the rest.
        clip_norm: largest norm of a step's gradient, > 0.
        average_decay: decay in [0, 1) of the running average of the weights, which is what is evaluated and kept; 0: the last weights.
        dev_share: share in [0, 1) of the examples that is held out, stratified, to stop early; 0, or a dev set of one's own: none.
        patience: evaluations (one an epoch) without improvement after which training stops, >= 1, and the best weights are kept; None: it
            goes on to the end, and the last weights are kept, since what is held out is only to measure by.
        checkpoint_steps: steps from one checkpoint to the next, >= 1; None: one at the end of each epoch.
        device: a torch device, such as "cpu" or "cuda:1"; "auto": a GPU where there is one.
        precision: "bf16": the encoder's passes in bfloat16; "auto": bf16 on a GPU or CPU that computes in it, else float32.
    """

    epochs: int = 4
    batch_size: int = 32
    learning_rate: float | None = None
    head_learning_rate: float = 1e-2
    layer_decay: float | None = None
    weight_decay: float = 0.01
    warm_up_share: float = 0.1
    clip_norm: float = 1.0
    average_decay: float = 0.99
    dev_share: float = 0.1
    patience: int | None = 3
    checkpoint_steps: int | None = None
    device: str = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("epochs", "batch_size"):
            check_setting(self, name, getattr(self, name) >= 1, "a whole number >= 1")
        for name in ("patience", "checkpoint_steps"):
            count = getattr(self, name)
            check_setting(self, name, count is None or count >= 1, "a whole number >= 1, or none")
        for name in ("learning_rate", "head_learning_rate", "clip_norm"):
            value = getattr(self, name)
            check_setting(self, name, value is None or value > 0, "a number above 0")
        for name in ("warm_up_share", "average_decay", "dev_share"):
            check_setting(self, name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        decay = self.layer_decay
        check_setting(self, "layer_decay", decay is None or 0 < decay <= 1, "a number in (0, 1]")
        check_setting(self, "weight_decay", self.weight_decay >= 0, "a number >= 0")
        check_setting(self, "precision", self.precision in ("auto", "float32", "bf16"), "auto, float32 or bf16")
