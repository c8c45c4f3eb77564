"""Adapters as BERT's forward pass uses them: low-rank products of many adapters in one batch, and prefixes of keys and values.

Sources: Hu et al. 2021, LoRA (arXiv:2106.09685); Li & Liang 2021, Prefix-Tuning (arXiv:2101.00190); many adapters in one batch: Chen et
al. 2023, Punica (arXiv:2310.18547), whose segments of one adapter each we take over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol

from rejoinder.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from rejoinder.models.adapters.adapter import Adapter

__all__ = ["SITES", "BertAdapter", "GatheredUpdates", "SegmentedUpdates", "Updates", "prepare_adapter"]

SITES: Final[Mapping[str, tuple[str, ...]]] = {
    "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention": ("attention.output.dense",),
    "intermediate": ("intermediate.dense",),
    "output": ("output.dense",),
}
"""The linear products of a layer, and the linear layers whose outputs each gives side by side."""

_PREFIX: Final = "base_model.model."


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """The update of one linear layer: x A' B' times a factor.

    Attributes:
        a: (rank, in).
        b: (out, rank).
        scaling: the factor.
        start, stop: the columns of the linear product that it is added to.
    """

    a: torch.Tensor
    b: torch.Tensor
    scaling: float
    start: int
    stop: int


@dataclass(frozen=True, slots=True, eq=False)
class BertAdapter:
    """An adapter on the device of a model, in its precision.

    Attributes:
        low_rank: updates by layer and site.
        prefix: (layers, 2, heads, tokens, dim of a head): keys and values before those of the text; or None.
    """

    low_rank: Mapping[tuple[int, str], tuple[LowRank, ...]]
    prefix: torch.Tensor | None
    _fused: dict[tuple[int, str], tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def fused(self, layer: int, site: str, width: int) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return the updates of a site as one: factors (in, rank) and (rank, width), made once; None where there are none."""
        import torch

        updates = self.low_rank.get((layer, site))
        if updates is None:
            return None
        if (layer, site) not in self._fused:
            a = torch.cat([one.a for one in updates]).t().contiguous()
            b = a.new_zeros(a.shape[1], width)
            at = 0
            for one in updates:
                b[at : at + len(one.a), one.start : one.stop] = one.b.t() * one.scaling
                at += len(one.a)
            self._fused[layer, site] = (a, b)
        return self._fused[layer, site]

    @property
    def prefix_tokens(self) -> int:
        """Positions that the prefix takes."""
        return 0 if self.prefix is None else int(self.prefix.shape[3])


def prepare_adapter(adapter: Adapter, *, like: torch.Tensor, layers: int, heads: int) -> BertAdapter:
    """Make an adapter ready for a model. On the CPU in float32 nothing is copied.

    Args:
        adapter: of the method "lora" or "prefix_tuning".
        like: has the model's device and precision.
        layers, heads: the model's.

    Raises:
        ModelError: it does not fit the model, or is of another method.
    """
    if adapter.method == "lora":
        return BertAdapter(_low_rank(adapter, like, layers), None)
    if adapter.method == "prefix_tuning":
        return BertAdapter({}, _prefix(adapter, like, layers, heads))
    raise ModelError(f"adapter {adapter.id} is of the method {adapter.method!r}, expected lora or prefix_tuning")


def _tensor(array: Any, like: torch.Tensor) -> torch.Tensor:
    """The array's values; DLPack, unlike `from_numpy`, takes arrays that are read-only."""
    import torch

    found: torch.Tensor = torch.from_dlpack(array)  # type: ignore[attr-defined]  # torch does not list it as public
    return found.to(device=like.device, dtype=like.dtype)


def _low_rank(adapter: Adapter, like: torch.Tensor, layers: int) -> dict[tuple[int, str], tuple[LowRank, ...]]:
    left = {name.removeprefix(_PREFIX) for name in adapter.arrays}
    found: dict[tuple[int, str], tuple[LowRank, ...]] = {}
    for layer in range(layers):
        for site, modules in SITES.items():
            updates = []
            for place, module in enumerate(modules):
                name = f"encoder.layer.{layer}.{module}"
                if f"{name}.lora_A.weight" not in left:
                    continue
                left -= {f"{name}.lora_A.weight", f"{name}.lora_B.weight"}
                a = _tensor(adapter.arrays[f"{_PREFIX}{name}.lora_A.weight"], like)
                b = _tensor(adapter.arrays[f"{_PREFIX}{name}.lora_B.weight"], like)
                width = b.shape[0]
                updates.append(LowRank(a, b, adapter.settings["scaling"][name], place * width, (place + 1) * width))
            if updates:
                found[layer, site] = tuple(updates)
    if left:
        raise ModelError(f"adapter {adapter.id} changes what this encoder does not have, such as {min(left)}")
    return found


def _prefix(adapter: Adapter, like: torch.Tensor, layers: int, heads: int) -> torch.Tensor:
    """As peft reads `prompt_embeddings`: (tokens, layers * 2 * dim)."""
    flat = _tensor(adapter.arrays["prompt_embeddings"], like)
    tokens, width = flat.shape
    if width % (layers * 2 * heads):
        raise ModelError(f"adapter {adapter.id} has a prefix of width {width}, which does not fit {layers} layers")
    return flat.view(tokens, layers, 2, heads, width // (layers * 2 * heads)).permute(1, 2, 3, 0, 4).contiguous()


class Updates(Protocol):
    """The low-rank updates of one batch."""

    def reaches(self, layer: int, site: str) -> bool:
        """Return whether any row has an update there."""

    def add(self, out: torch.Tensor, x: torch.Tensor, layer: int, site: str) -> None:
        """Add to `out` (tokens, out) what the updates make of `x` (tokens, in)."""


class SegmentedUpdates:
    """One product for each run of tokens with the same adapter; copies nothing.

    On the CPU faster than `GatheredUpdates` for every mixture that was measured (1 to 32 adapters in a batch of 32 texts).

    Args:
        adapters: for each row, rows of one adapter beside each other.
        lengths: tokens of each row.
    """

    def __init__(self, adapters: Sequence[BertAdapter | None], lengths: Sequence[int]) -> None:
        """See the class for arguments."""
        self._segments: list[tuple[int, int, BertAdapter]] = []
        start = 0
        for adapter, rows in groupby(zip(adapters, lengths, strict=True), key=lambda row: row[0]):
            stop = start + sum(length for _, length in rows)
            if adapter is not None and adapter.low_rank:
                self._segments.append((start, stop, adapter))
            start = stop

    def reaches(self, layer: int, site: str) -> bool:
        """See `Updates`."""
        return any((layer, site) in adapter.low_rank for _, _, adapter in self._segments)

    def add(self, out: torch.Tensor, x: torch.Tensor, layer: int, site: str) -> None:
        """See `Updates`."""
        for start, stop, adapter in self._segments:
            rows = x[start:stop]
            for one in adapter.low_rank.get((layer, site), ()):
                out[start:stop, one.start : one.stop].addmm_(rows @ one.a.t(), one.b.t(), alpha=one.scaling)


class GatheredUpdates:
    """Two batched products for all rows, over factors gathered for each row and filled up with zeros to one rank: few launches, for GPUs.

    Args:
        adapters: for each row.
        lengths: tokens of each row.
    """

    def __init__(self, adapters: Sequence[BertAdapter | None], lengths: Sequence[int]) -> None:
        """See the class for arguments."""
        self._adapters = adapters
        self._length = max(lengths)
        self._count = sum(lengths)
        self._places = [row * self._length + place for row, length in enumerate(lengths) for place in range(length)]
        self._index: torch.Tensor | None = None

    def reaches(self, layer: int, site: str) -> bool:
        """See `Updates`."""
        return any(adapter is not None and (layer, site) in adapter.low_rank for adapter in self._adapters)

    def add(self, out: torch.Tensor, x: torch.Tensor, layer: int, site: str) -> None:
        """See `Updates`."""
        import torch

        if self._index is None:
            self._index = torch.tensor(self._places, device=x.device)
        rows = len(self._adapters)
        padded = x.new_zeros(rows * self._length, x.shape[1]).index_copy_(0, self._index, x[: self._count])
        fused = [None if one is None else one.fused(layer, site, out.shape[1]) for one in self._adapters]
        rank = max(factors[0].shape[1] for factors in fused if factors is not None)
        none = (x.new_zeros(x.shape[1], rank), x.new_zeros(rank, out.shape[1]))
        a = torch.stack([_wider(factors[0], rank, 1) for factors in (one or none for one in fused)])
        b = torch.stack([_wider(factors[1], rank, 0) for factors in (one or none for one in fused)])
        update = torch.bmm(torch.bmm(padded.view(rows, self._length, -1), a), b)
        out[: self._count] += update.view(rows * self._length, -1)[self._index]


def _wider(factor: torch.Tensor, rank: int, dim: int) -> torch.Tensor:
    """The factor, filled up with zeros to `rank` along `dim`."""
    import torch

    missing = rank - factor.shape[dim]
    return torch.nn.functional.pad(factor, (0, missing) if dim else (0, 0, 0, missing)) if missing else factor
