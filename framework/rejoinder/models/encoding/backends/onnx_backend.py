"""The forward pass by ONNX Runtime on the CPU, in float32 or int8. It imports neither torch nor transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError
from rejoinder.models.encoding.onnx_cache import converted
from rejoinder.models.encoding.onnx_runtime import import_onnxruntime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.pooling import Pooling
    from rejoinder.models.encoding.source import Source
    from rejoinder.models.encoding.tokens import TokenBatch

__all__ = ["OnnxBackend"]

_ERRORS_ONLY: Final = 3


class OnnxBackend:
    """An encoder's weights in ONNX Runtime.

    In int8 the scale of activations is found anew for each batch: a text's vector differs a little (cosine about 0.995) between batches.

    Args:
        source: the checked files.
        pooling: how vectors are made of the states.
        precision: "float32" or "int8".
        threads: threads of one forward pass, >= 1. They do not spin while they wait: a server needs the cores.
        cache_dir: see `converted`.

    Raises:
        ModelError: onnxruntime is not installed, or the model cannot be converted (`ConversionError`).
    """

    def __init__(
        self,
        source: Source,
        pooling: Pooling,
        *,
        precision: str = "float32",
        threads: int = 1,
        cache_dir: Path | None = None,
    ) -> None:
        """Load the converted model, converting it if need be; see the class for arguments and errors."""
        onnxruntime = import_onnxruntime()
        file = converted(source, pooling, precision=precision, version=onnxruntime.__version__, cache_dir=cache_dir)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._inputs = {one.name for one in self._session.get_inputs()}
        self.precision = precision
        self.name = f"onnx cpu {precision}"

    def vectors(self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None = None) -> NDArray[np.float32]:
        """Return (n, dim) float32; see `Backend`. Raises `ModelError` for adapters."""
        (vectors,) = self._run(["vectors"], batch, adapters)
        return vectors

    def both(
        self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (n, dim) and (n, length, dim) float32; see `Backend`. Raises `ModelError` for adapters."""
        vectors, states = self._run(["vectors", "states"], batch, adapters)
        return vectors, states

    def _run(
        self, outputs: list[str], batch: TokenBatch, adapters: Sequence[Adapter | None] | None
    ) -> list[NDArray[np.float32]]:
        if adapters is not None and any(adapter is not None for adapter in adapters):
            raise ModelError('ONNX Runtime cannot run adapters: use an Encoder, which runs them on the backend "torch"')
        arrays = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
        found: list[NDArray[np.float32]] = self._session.run(
            outputs, {name: array for name, array in arrays.items() if name in self._inputs}
        )
        return found
