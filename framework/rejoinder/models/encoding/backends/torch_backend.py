"""The forward pass by torch: on the CPU in float32, on CUDA in bfloat16."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rejoinder.models.encoding.adapted_bert import AdaptedBert
from rejoinder.models.encoding.bert import load_bert
from rejoinder.models.encoding.source import needing_models
from rejoinder.models.encoding.transformers_adapters import AdaptedTransformer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.pooling import Pooling
    from rejoinder.models.encoding.source import Source
    from rejoinder.models.encoding.tokens import TokenBatch

__all__ = ["TorchBackend"]


class TorchBackend:
    """An encoder's weights in torch, with adapters.

    Args:
        source: the checked files.
        pooling: how vectors are made of the states.
        device: a torch device, such as `"cpu"` or `"cuda:0"`.
    """

    def __init__(self, source: Source, pooling: Pooling, *, device: str = "cpu") -> None:
        """Load the weights; raises `ModelIntegrityError` when they do not fit the model's kind."""
        with needing_models():
            import torch

        self._pooling = pooling
        self._device = torch.device(device)
        bert = load_bert(source, self._device)
        self._model = (
            AdaptedTransformer(source, self._device) if bert is None else AdaptedBert(source, bert, self._device)
        )
        self.precision = "float32" if self._device.type == "cpu" else "bfloat16"
        self.name = f"torch {self._device.type} {self.precision}"

    def vectors(self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None = None) -> NDArray[np.float32]:
        """Return (n, dim) float32; see `Backend`."""
        import torch

        with torch.inference_mode():
            pooled, _ = self._run(batch, adapters)
            result: NDArray[np.float32] = pooled.cpu().numpy()
        return result

    def both(
        self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (n, dim) and (n, length, dim) float32; see `Backend`."""
        import torch

        with torch.inference_mode():
            pooled, states = self._run(batch, adapters)
            return pooled.cpu().numpy(), states.cpu().numpy()

    def _run(self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None) -> tuple[Tensor, Tensor]:
        import torch

        states = self._model(batch, adapters).float()
        return self._pooling.pool(states, torch.from_numpy(batch.mask).to(self._device)), states
