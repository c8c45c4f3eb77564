"""BERT's forward pass from weights as transformers names them, without transformers, whose import takes longer than all the rest of a
start. Source: Devlin et al. 2019 (arXiv:1810.04805; post-norm, GELU).

Only real tokens pass through the linear layers: padding costs next to nothing, so texts of different lengths share a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import ModelError
from rejoinder.models.encoding.bert_adapters import SITES, GatheredUpdates, SegmentedUpdates
from rejoinder.models.encoding.source import needing_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from rejoinder.models.encoding.bert_adapters import BertAdapter, Updates
    from rejoinder.models.encoding.source import Source
    from rejoinder.models.encoding.tokens import TokenBatch

    Weights = Mapping[str, torch.Tensor]

__all__ = ["Bert", "load_bert"]

_SIZES_PER_DOUBLING: Final = 8
"""The linear layers are given so many different numbers of rows between one power of 2 and the next: oneDNN keeps a program and its
buffers for each number of rows that it meets, which for all lengths up to 255 tokens was measured to take 500 MB."""

_EMBEDDINGS: Final = tuple(f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type"))


def load_bert(source: Source, device: torch.device) -> Bert | None:
    """Load a model of the kind "bert" onto a device, in float32 on the CPU and in bfloat16 elsewhere.

    Gives the same numbers as transformers' BertModel but for the last bits; None for models of other kinds.
    """
    config = source.config
    plain = (config.get("model_type"), config.get("hidden_act"), config.get("position_embedding_type", "absolute"))
    if plain != ("bert", "gelu", "absolute"):
        return None
    weights = read_weights(source, device)
    return Bert(weights, config) if "embeddings.LayerNorm.weight" in weights else None


def read_weights(source: Source, device: torch.device) -> dict[str, torch.Tensor]:
    """Read a model's weights, in the precision of `load_bert`."""
    with needing_models():
        import torch
        from safetensors.torch import load_file

    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    stored = load_file(str(source.weights), device=str(device))
    return {name.removeprefix("bert."): one.to(dtype) for name, one in stored.items() if one.is_floating_point()}


class Bert:
    """The forward pass.

    Args:
        weights: by name; all on one device and of one precision. Linear layers are repacked, embeddings kept as they are.
        config: the content of `config.json`.

    Attributes:
        layers, heads, positions: how many.
        embeddings: the tables, by name.
        like: a tensor on the model's device and in its precision.
    """

    def __init__(self, weights: Weights, config: Mapping[str, Any]) -> None:
        """Pack the weights."""
        self.heads = int(config["num_attention_heads"])
        self.layers = int(config["num_hidden_layers"])
        self.embeddings: Weights = {name: weights[name] for name in _EMBEDDINGS}
        self._words, self._places, self._types = self.embeddings.values()
        self._norm = _Norm(weights, "embeddings.LayerNorm", config)
        self._layers = [_Layer(weights, number, config) for number in range(self.layers)]
        self.positions = len(self._places)
        self.like = self._types

    def __call__(self, batch: TokenBatch, adapters: Sequence[BertAdapter | None] | None = None) -> torch.Tensor:
        """Run the model (inside `inference_mode`).

        Args:
            batch: n texts.
            adapters: for each text its adapter or None; None: none for any.

        Returns:
            (n, length, dim); rows of padding mean nothing.

        Raises:
            ModelError: a prefix and the text after it are longer than the model's positions reach.
        """
        layout = _Layout(batch, adapters, self)
        hidden = self._embed(batch, layout)
        for number, layer in enumerate(self._layers):
            hidden = layer(hidden, layout, number)
        return layout.padded(hidden).view(*batch.ids.shape, -1)

    def _embed(self, batch: TokenBatch, layout: _Layout) -> torch.Tensor:
        import torch

        hidden = torch.embedding(self._words, layout.tokens(batch.ids))
        hidden += self._places[layout.tokens(layout.positions)]
        if batch.types.any():
            hidden += self._types[layout.tokens(batch.types)]
        else:
            hidden += self._types[0]
        return self._norm(hidden)


class _Layer:
    """One layer of the encoder on rows of tokens."""

    def __init__(self, weights: Weights, number: int, config: Mapping[str, Any]) -> None:
        name = f"encoder.layer.{number}"
        self._qkv, self._attended, self._wide, self._narrow = (
            _Linear(weights, [f"{name}.{module}" for module in modules], gelu=site == "intermediate")
            for site, modules in SITES.items()
        )
        self._first = _Norm(weights, f"{name}.attention.output.LayerNorm", config)
        self._second = _Norm(weights, f"{name}.output.LayerNorm", config)

    def __call__(self, hidden: torch.Tensor, layout: _Layout, number: int) -> torch.Tensor:
        updates = layout.updates
        seen = layout.attend(self._qkv(hidden, updates, number, "qkv"), number)
        hidden = self._first(self._attended(seen, updates, number, "attention").add_(hidden))
        wide = self._wide(hidden, updates, number, "intermediate")
        return self._second(self._narrow(wide, updates, number, "output").add_(hidden))


class _Norm:
    """Layer normalisation."""

    def __init__(self, weights: Weights, name: str, config: Mapping[str, Any]) -> None:
        import torch

        self._function = torch.layer_norm
        self._weight, self._bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        self._shape = self._weight.shape
        self._eps = float(config.get("layer_norm_eps", 1e-12))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._function(x, self._shape, self._weight, self._bias, self._eps)


class _Linear:
    """One or more linear layers of one input as one product, with GELU where told.

    On the CPU the weights are laid out once as oneDNN's kernels want them, by the operators that torch's compiler uses (2026-11, torch
    2.15): a short text takes 0.55 of the time. Where torch is built without oneDNN, the plain product runs.
    """

    def __init__(self, weights: Weights, names: Sequence[str], *, gelu: bool) -> None:
        import torch

        weight = torch.cat([weights[f"{name}.weight"] for name in names])
        self._bias = torch.cat([weights[f"{name}.bias"] for name in names])
        self._gelu = gelu
        self._packed = weight.device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        if self._packed:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight)
            self._product: Any = torch.ops.mkldnn._linear_pointwise.default
        else:
            self._product = torch.nn.functional.linear
        self._weight = weight
        self._activation = torch.nn.functional.gelu

    def __call__(self, x: torch.Tensor, updates: Updates | None, layer: int, site: str) -> torch.Tensor:
        """Return (tokens, out) of `x` (tokens, in)."""
        updated = updates is not None and updates.reaches(layer, site)
        if self._packed:
            fused = self._gelu and not updated
            out: torch.Tensor = self._product(
                x, self._weight, self._bias, "gelu" if fused else "none", [], "none" if fused else ""
            )
        else:
            fused = False
            out = self._product(x, self._weight, self._bias)
        if updated and updates is not None:
            updates.add(out, x, layer, site)
        return self._activation(out) if self._gelu and not fused else out


class _Layout:
    """Where a batch's tokens are: side by side in the linear layers, in a padded rectangle in the attention.

    Without padding and without different adapters the two are the same, and nothing is moved.

    Attributes:
        positions: (n, length) int64, of each token.
        updates: the low-rank updates, or None.
    """

    def __init__(self, batch: TokenBatch, adapters: Sequence[BertAdapter | None] | None, model: Bert) -> None:
        import numpy as np
        import torch

        self._shape = count, length = batch.ids.shape
        self._device = model.like.device
        self._heads = model.heads
        self._function = torch.nn.functional.scaled_dot_product_attention
        self.positions: NDArray[np.int64] = np.tile(np.arange(length), (count, 1))
        self.updates: Updates | None = None
        self._prefix: torch.Tensor | None = None
        visible = batch.mask.astype(bool)
        tokens = int(visible.sum())
        padded = tokens < count * length
        order = list(range(count))
        if adapters is not None:
            order = self._take_adapters(adapters, visible)
            visible = self._behind_prefixes(adapters, visible, model)
        self._visible = (
            torch.from_numpy(visible).to(self._device)[:, None, None, :] if padded or self._prefix is not None else None
        )
        self._spare = _spare(tokens)
        self._put: torch.Tensor | None = None
        self._take: torch.Tensor | None = None
        if padded or order != sorted(order):
            self._index(batch.mask, order)

    def tokens(self, values: NDArray[np.int64]) -> torch.Tensor:
        """Return the values (n, length) of all tokens, side by side, on the device."""
        import numpy as np
        import torch

        flat = values.reshape(-1)
        if self._take is not None:
            flat = flat[self._take_array]
        elif self._spare:
            flat = np.concatenate([flat, np.zeros(self._spare, dtype=flat.dtype)])
        return torch.from_numpy(flat).to(self._device)

    def padded(self, x: torch.Tensor) -> torch.Tensor:
        """Return the rows of tokens (tokens, width) in the rectangle's places (n * length, width)."""
        rows = self._shape[0] * self._shape[1]
        if self._put is None:
            return x[:rows]
        return x.new_zeros(rows + 1, x.shape[1]).index_copy_(0, self._put, x)[:rows]

    def attend(self, qkv: torch.Tensor, layer: int) -> torch.Tensor:
        """Return what the tokens (tokens, dim) see, of their queries, keys and values side by side (tokens, 3 dim)."""
        import torch

        count, length = self._shape
        rectangle = self.padded(qkv).view(count, length, 3, self._heads, -1)
        query, key, value = rectangle.permute(2, 0, 3, 1, 4).unbind(0)
        if self._prefix is not None:
            key = torch.cat([self._prefix[:, layer, 0], key], dim=2)
            value = torch.cat([self._prefix[:, layer, 1], value], dim=2)
        seen = self._function(query, key, value, attn_mask=self._visible)
        seen = seen.transpose(1, 2).reshape(count * length, -1)
        if self._take is not None:
            return seen[self._take]
        return torch.nn.functional.pad(seen, (0, 0, 0, self._spare)) if self._spare else seen

    def _take_adapters(self, adapters: Sequence[BertAdapter | None], visible: NDArray[np.bool_]) -> list[int]:
        """Take the low-rank updates; return the order in which rows of one adapter are beside each other."""
        if not any(adapter is not None and adapter.low_rank for adapter in adapters):
            return list(range(len(adapters)))
        order = sorted(range(len(adapters)), key=lambda row: id(adapters[row]))
        kind = SegmentedUpdates if self._device.type == "cpu" else GatheredUpdates
        self.updates = kind([adapters[row] for row in order], [int(visible[row].sum()) for row in order])
        return order

    def _behind_prefixes(
        self, adapters: Sequence[BertAdapter | None], visible: NDArray[np.bool_], model: Bert
    ) -> NDArray[np.bool_]:
        """Take the prefixes; return (n, prefix + length), what each row sees."""
        import numpy as np

        tokens = [0 if adapter is None else adapter.prefix_tokens for adapter in adapters]
        longest = max(tokens)
        if not longest:
            return visible
        count, length = self._shape
        self.positions = self.positions + np.array(tokens)[:, None] * visible
        if self.positions.max() >= model.positions:
            raise ModelError(
                f"a prefix of {longest} tokens leaves no room for a text of {length}: the encoder has {model.positions} positions; train "
                "the adapter again with fewer virtual tokens"
            )
        self._prefix = model.like.new_zeros(
            count, model.layers, 2, model.heads, longest, model.like.shape[1] // model.heads
        )
        before = np.zeros((count, longest), dtype=bool)
        for row, adapter in enumerate(adapters):
            if adapter is not None and adapter.prefix is not None:
                self._prefix[row, :, :, :, : tokens[row]] = adapter.prefix
                before[row, : tokens[row]] = True
        return np.concatenate([before, visible], axis=1)

    def _index(self, mask: NDArray[np.int64], order: Sequence[int]) -> None:
        """Find the places of the real tokens, row by row in `order`; what fills up goes to a place behind the rectangle."""
        import numpy as np
        import torch

        count, length = self._shape
        places = np.concatenate([np.flatnonzero(mask[row]) + row * length for row in order])
        self._take_array = np.pad(places, (0, self._spare))
        put = np.pad(places, (0, self._spare), constant_values=count * length)
        self._take = torch.from_numpy(self._take_array).to(self._device)
        self._put = torch.from_numpy(put).to(self._device)


def _spare(tokens: int) -> int:
    """Rows that fill up a number of tokens to one of the sizes that are used."""
    step = max(1, (1 << (tokens.bit_length() - 1)) // _SIZES_PER_DOUBLING)
    return -tokens % step
