"""The encoder as training sees it: its files, its tokeniser, its pooling, and a fresh copy of its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rejoinder.models.adapters.adapter import base_hash
from rejoinder.models.encoding.pooling import Pooling, read_pooling
from rejoinder.models.encoding.source import DEFAULT_NAME, Source, find_source
from rejoinder.models.encoding.tokens import Tokeniser
from rejoinder.models.encoding.transformers_model import load_transformers_model

if TYPE_CHECKING:
    from pathlib import Path

    import torch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Base:
    """What to adapt; `open_base` makes it.

    Attributes:
        source: the checked files.
        tokeniser: cuts as the serving encoder's does.
        pooling: makes vectors as the serving encoder does.
    """

    source: Source
    tokeniser: Tokeniser
    pooling: Pooling

    @property
    def hash(self) -> str:
        """`base_hash` of the weights, which adapters carry."""
        return base_hash(self.source.weights_sha256)

    @property
    def dim(self) -> int:
        """Length of a vector and of a token's state."""
        return int(self.source.config["hidden_size"])

    @property
    def pad(self) -> int:
        """The number of the padding token."""
        return int(self.source.config.get("pad_token_id") or 0)

    def model(self) -> torch.nn.Module:
        """Load a fresh copy of the model, in float32, ready to train."""
        return load_transformers_model(self.source).train()


def open_base(name: str | Path = DEFAULT_NAME) -> Base:
    """Look at an encoder, without loading the model.

    Args:
        name: as of `find_source`, such as `Encoder.folder`.

    Raises:
        ModelError, ModelIntegrityError: as `find_source`.
    """
    source = find_source(str(name))
    return Base(source=source, tokeniser=Tokeniser(source), pooling=read_pooling(source.folder))
