"""Texts of items as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from rejoinder.models.encoding.service import TextEncoder

from rejoinder_recommendation.histories import Floats
from rejoinder_recommendation.item_content import ItemContent, attribute_graph
from rejoinder_recommendation.rating_files import RatingFiles

__all__ = ["content_of"]

_ENCODED: Final = 256
_CHARACTERS: Final = 1000
"""Of a text; its beginning says what an item is, and encoders read little more."""


def content_of(files: RatingFiles, encoder: TextEncoder) -> ItemContent:
    """Return what files say of items."""
    numbers = {item: number for number, item in enumerate(files.items)}
    return ItemContent(_encode(files.texts, encoder), *attribute_graph(files.attributes, numbers))


def _encode(texts: Sequence[str], encoder: TextEncoder) -> Floats:
    """Return (items, dim), 0 for an item without text."""
    vectors = np.zeros((len(texts), encoder.dim))
    some = sorted((number for number, text in enumerate(texts) if text), key=lambda number: len(texts[number]))
    for start in range(0, len(some), _ENCODED):
        chosen = some[start : start + _ENCODED]
        vectors[chosen] = encoder.encode([texts[number][:_CHARACTERS] for number in chosen])
    return vectors
