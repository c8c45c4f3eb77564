"""What computes the encoder's forward pass: one protocol, one module for each library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.tokens import TokenBatch

__all__ = ["Backend"]


class Backend(Protocol):
    """The forward pass of one encoder's weights on one device in one precision."""

    @property
    def name(self) -> str:
        """Library, device and precision: "torch cpu float32", "torch cuda bfloat16", "onnx cpu float32", "onnx cpu int8"."""

    @property
    def precision(self) -> str:
        """ "float32" where vectors differ by less than 1e-5 from those of torch in float32; else what they are computed in."""

    def vectors(self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None = None) -> NDArray[np.float32]:
        """Pool one batch.

        Args:
            batch: n texts, n >= 1.
            adapters: for each text what changes the encoder for it, or None; None: none for any.

        Returns:
            (n, dim) float32, pooled as the model's `Pooling` says.
        """

    def both(
        self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what `vectors` does, and (n, length, dim) float32, the last hidden state; rows of padding mean nothing."""
