"""What the loop trains on: examples as token ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


class Row(NamedTuple):
    """One input of the encoder: token ids and token types, of equal length."""

    ids: list[int]
    types: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing to learn from: the rows that the encoder reads, and what the objective makes of them.

    Attributes:
        rows: one, or two for the two texts of a pair; all features of an objective have equally many.
        target: what the head should say; its form is the objective's.
        example: place of the example that it comes from; a long passage makes several features.
        weight: how much it counts, > 0.
        group: features of one group are spread evenly over training and held-out part.
    """

    rows: tuple[Row, ...]
    target: Any
    example: int
    weight: float = 1.0
    group: str = ""

    @property
    def length(self) -> int:
        """Tokens of the longest row."""
        return max(len(row.ids) for row in self.rows)

    def weighted(self, factor: float) -> Feature:
        """Return the same with its weight multiplied."""
        return replace(self, weight=self.weight * factor)


class Inputs(NamedTuple):
    """A padded batch: each (n_rows, length) int64. Of a pair's rows, all first texts come before all second texts."""

    ids: torch.Tensor
    mask: torch.Tensor
    types: torch.Tensor


class Read(NamedTuple):
    """What the encoder made of a batch of n features.

    Attributes:
        vectors: (n_texts, n, dim), pooled (and normalised, where the encoder's are); n_texts is 1, or 2 for pairs.
        states: (n_texts * n, length, dim), the last hidden state.
        mask: (n_texts * n, length), 1 where there is a token.
    """

    vectors: torch.Tensor
    states: torch.Tensor
    mask: torch.Tensor


def collate(features: Sequence[Feature], *, pad: int, device: torch.device) -> Inputs:
    """Pad features to their longest row."""
    import torch

    rows = [feature.rows[place] for place in range(len(features[0].rows)) for feature in features]
    longest = max(len(row.ids) for row in rows)

    def padded(lists: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
        return torch.tensor([[*one, *([filler] * (longest - len(one)))] for one in lists], device=device)

    ids = [row.ids for row in rows]
    return Inputs(padded(ids, pad), padded([[1] * len(one) for one in ids], 0), padded([row.types for row in rows], 0))
