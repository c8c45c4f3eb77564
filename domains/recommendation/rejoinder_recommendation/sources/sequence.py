"""A small transformer over what a user did last."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, repeat
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rejoinder_recommendation.histories import Floats, Histories, Ints

__all__ = ["Sequence"]

_NEGATIVES: Final = 512
_BATCH: Final = 64
_MOST_EPOCHS: Final = 60
_HEADS: Final = 2
_RATE: Final = 3e-3
_WARM: Final = 0.1
"""Share of the steps in which the learning rate rises."""
_DECAY: Final = 0.05
_CLIP: Final = 1.0


class Sequence:
    """Causal self-attention over a user's last items; an item's score is the product of the last state with the item's vector.

    Each event is predicted from those before it, among 512 items drawn for the batch, each of which stands for many (sampled softmax),
    or among all items where there are no more than that. A long history is learned from in windows that lie elsewhere in each epoch.

    Sources: Kang & McAuley 2018, Self-Attentive Sequential Recommendation (ICDM; arXiv:1808.09781); the loss over many negatives:
    Klenitskiy & Vasilev 2023, Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec? (RecSys; arXiv:2309.07602).

    Args:
        events: of all users.
        vectors: (items, any) of texts, rows of length 1, or 0 for an item without text; an item's vector is a learned one plus a linear
            map of the principal components of these.
        dim: length of a state, even.
        layers: >= 1.
        length: how many of the last events are looked at, >= 1.
        dropout: in [0, 1).
        steps: of the optimiser, >= 2; fewer where they would be more than 60 epochs.
        seed: of first weights, windows, drawn items and dropout.
    """

    def __init__(
        self,
        events: Histories,
        vectors: Floats,
        *,
        dim: int,
        layers: int,
        length: int,
        dropout: float,
        steps: int,
        seed: int,
    ) -> None:
        """Train."""
        self._length = length
        self._layers = layers
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _Network(events.n_items, dim, layers, length, dropout)
            texts = _Texts(_components(vectors, dim), dim)
            self._train(network, texts, events, steps, np.random.default_rng(seed))
        with torch.no_grad():
            network.items.add_(texts())
        self._network = network.eval()

    def __getstate__(self) -> dict[str, Any]:
        """Return what `__setstate__` needs: numbers and arrays."""
        weights = {name: value.numpy() for name, value in self._network.state_dict().items()}
        return {"length": self._length, "layers": self._layers, "weights": weights}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become what `__getstate__` was asked of."""
        self._length, self._layers = state["length"], state["layers"]
        weights = {name: torch.from_numpy(value) for name, value in state["weights"].items()}
        n_items, dim = weights["items"].shape
        network = _Network(n_items, dim, self._layers, self._length, 0.0)
        network.load_state_dict(weights)
        self._network = network.eval()

    def scores(self, queries: Histories) -> Floats:
        """Return (queries, items); 0 for a user without events."""
        found = np.zeros((len(queries), queries.n_items))
        some = np.flatnonzero(queries.lengths)
        if not len(some):
            return found
        ends = queries.starts[1:][some]
        lengths = np.minimum(queries.lengths[some], self._length)
        with torch.inference_mode():
            items = self._network.items
            states = self._network(_windows(queries.items, ends - lengths, lengths), items)
            last = states[torch.arange(len(some)), torch.from_numpy(lengths - 1)]
            found[some] = (last @ items.T).numpy()
        return found

    def _train(
        self, network: _Network, texts: _Texts, events: Histories, steps: int, random: np.random.Generator
    ) -> None:
        if not (events.lengths > 1).any():
            return
        epoch = len(list(self._batches(events, np.random.default_rng(0))))
        steps = min(steps, _MOST_EPOCHS * epoch)
        weights = [*network.parameters(), *texts.parameters()]
        optimizer = torch.optim.AdamW(weights, lr=_RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=_WARM)
        network.train()
        batches = chain.from_iterable(self._batches(events, random) for _ in repeat(None))
        for batch in islice(batches, steps):
            loss = _loss(network, network.items + texts(), batch, random)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, _CLIP)
            optimizer.step()
            schedule.step()

    def _batches(self, events: Histories, random: np.random.Generator) -> Iterator[Tensor]:
        """Yield (windows, length + 1) items of one epoch, -1 after the end of each."""
        starts, lengths = [], []
        for begin, end in zip(events.starts[:-1], events.starts[1:], strict=True):
            cuts = np.arange(end - 1 - random.integers(self._length), begin, -self._length)[::-1]
            edges = np.concatenate([[begin], cuts, [end - 1]])
            starts.append(edges[:-1])
            lengths.append(np.diff(edges) + 1)
        start, count = np.concatenate(starts), np.concatenate(lengths)
        order = random.permutation(np.flatnonzero(count > 1))
        for first in range(0, len(order), _BATCH):
            chosen = order[first : first + _BATCH]
            yield _windows(events.items, start[chosen], count[chosen])


class _Texts(nn.Module):
    """A linear map of fixed vectors."""

    components: Tensor

    def __init__(self, components: Floats, dim: int) -> None:
        super().__init__()
        self.register_buffer("components", torch.from_numpy(components.astype(np.float32)))
        self.map = nn.Linear(components.shape[1], dim, bias=False)

    def forward(self) -> Tensor:
        """Return (items, dim)."""
        found: Tensor = self.map(self.components)
        return found


class _Network(nn.Module):
    mask: Tensor

    def __init__(self, n_items: int, dim: int, layers: int, length: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Parameter(torch.randn(n_items, dim) * dim**-0.5)
        self.places = nn.Parameter(torch.randn(length, dim) * dim**-0.5)
        self.norm = nn.LayerNorm(dim)
        layer = nn.TransformerEncoderLayer(
            dim, _HEADS, 4 * dim, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, layers, nn.LayerNorm(dim), enable_nested_tensor=False)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length), persistent=False)

    def forward(self, windows: Tensor, items: Tensor) -> Tensor:
        """Return (windows, length, dim), the state after each item; what stands after the end of a window means nothing."""
        size = windows.shape[1]
        inputs = self.norm(functional.embedding(windows.clamp(min=0), items) + self.places[:size])
        states: Tensor = self.blocks(self.dropout(inputs), mask=self.mask[:size, :size], is_causal=True)
        return states


def _loss(network: _Network, items: Tensor, windows: Tensor, random: np.random.Generator) -> Tensor:
    """Return the mean negative log-likelihood of each event in (windows, length + 1), -1 after the end of each."""
    known = windows[:, 1:] >= 0
    states = network(windows[:, :-1], items)[known]
    targets = windows[:, 1:][known]
    if len(items) <= _NEGATIVES:
        return functional.cross_entropy(states @ items.T, targets)
    drawn = torch.from_numpy(random.choice(len(items), _NEGATIVES, replace=False))
    others = states @ items[drawn].T + float(np.log(len(items) / _NEGATIVES))
    others = others.masked_fill(targets[:, None] == drawn, -torch.inf)
    own = (states * items[targets]).sum(dim=1, keepdim=True)
    return functional.cross_entropy(torch.cat([own, others], dim=1), torch.zeros_like(targets))


def _components(vectors: Floats, count: int) -> Floats:
    """Return (items, at most count): the vectors in the directions in which they differ most, scaled to a mean length of 1."""
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    found: Floats = vectors @ directions[:, ::-1][:, :count]
    length = np.linalg.norm(found, axis=1).mean()
    return found / length if length > 0 else found


def _windows(items: Ints, starts: Ints, lengths: Ints) -> Tensor:
    """Return (windows, longest), -1 after the end of each."""
    places = np.arange(lengths.max())
    inside = places < lengths[:, None]
    return torch.from_numpy(np.where(inside, items[np.where(inside, starts[:, None] + places, 0)], -1))
