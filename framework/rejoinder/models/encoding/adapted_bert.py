"""BERT with different adapters for the rows of one batch."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rejoinder.errors import ModelError
from rejoinder.models.adapters.adapter import base_hash
from rejoinder.models.encoding.bert import Bert, read_weights
from rejoinder.models.encoding.bert_adapters import BertAdapter, prepare_adapter
from rejoinder.models.encoding.tokens import TokenBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.source import Source

__all__ = ["AdaptedBert"]


class AdaptedBert:
    """A base and what adapters make of it.

    Low-rank updates and prefixes, whoever's, run in one pass of the base. An adapter of all weights is a model of its own: its rows run
    in a pass of their own. What is made ready of an adapter lives as long as the `Adapter`.
    """

    def __init__(self, source: Source, base: Bert, device: torch.device) -> None:
        """Take the base, loaded from `source` onto `device`."""
        self._source = source
        self._base = base
        self._base_hash = base_hash(source.weights_sha256)
        self._device = device
        self._ready: WeakKeyDictionary[Adapter, BertAdapter | Bert] = WeakKeyDictionary()
        self._lock = Lock()

    def __call__(self, batch: TokenBatch, adapters: Sequence[Adapter | None] | None) -> torch.Tensor:
        """Return (n, length, dim) of a batch (inside `inference_mode`).

        Raises:
            ModelError: an adapter is of another base, or does not fit the model.
        """
        ready = None if adapters is None else [None if one is None else self._made_ready(one) for one in adapters]
        if ready is None or not any(ready):
            return self._base(batch)
        passes: dict[Bert, list[int]] = {}
        for row, one in enumerate(ready):
            passes.setdefault(one if isinstance(one, Bert) else self._base, []).append(row)
        mixed = [one if isinstance(one, BertAdapter) else None for one in ready]
        if len(passes) == 1:
            return next(iter(passes))(batch, mixed)
        states = self._base.like.new_zeros(*batch.ids.shape, self._base.like.shape[1])
        for model, rows in passes.items():
            part = _rows(batch, rows)
            states[rows, : part.ids.shape[1]] = model(part, [mixed[row] for row in rows])
        return states

    def _made_ready(self, adapter: Adapter) -> BertAdapter | Bert:
        with self._lock:
            found = self._ready.get(adapter)
            if found is None:
                adapter.check_base(self._base_hash)
                found = self._own_model(adapter) if adapter.method == "full" else self._prepared(adapter)
                self._ready[adapter] = found
        return found

    def _prepared(self, adapter: Adapter) -> BertAdapter:
        base = self._base
        return prepare_adapter(adapter, like=base.like, layers=base.layers, heads=base.heads)

    def _own_model(self, adapter: Adapter) -> Bert:
        """The base with the weights that the adapter changes; what it does not change is read again, for the base's is packed."""
        import torch

        weights = {**read_weights(self._source, self._device), **self._base.embeddings}
        for name, array in adapter.arrays.items():
            old = weights.get(name)
            if old is None or tuple(old.shape) != array.shape:
                raise ModelError(f"adapter {adapter.id} changes {name} {array.shape}, which this encoder does not have")
            weights[name] = torch.from_dlpack(array).to(old)  # type: ignore[attr-defined]  # torch does not list it as public
        return Bert(weights, self._source.config)


def _rows(batch: TokenBatch, rows: Sequence[int]) -> TokenBatch:
    """Some rows of a batch, no longer than the longest of them."""
    length = int(batch.mask[rows].sum(axis=1).max())

    def part(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return values[rows, :length]

    return TokenBatch(part(batch.ids), part(batch.mask), part(batch.types))
